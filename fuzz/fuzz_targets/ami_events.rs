//! What an Asterisk says over AMI, as far as the relay.
//!
//! Time passes as `Timestamp` says (`timestampevents = yes`). `Response: Goodbye` ends the connection; what is said until
//! the end of the next list of endpoints was said while it was asked what there is.

#![no_main]

use std::time::Duration;

use callrelay::asterisk::ami::Message;
use callrelay::asterisk::ami::decoder::Decoder;
use callrelay::asterisk::ami::translate::{self, Translator};
use callrelay::model::Moment;
use callrelay_fuzz::house::House;
use callrelay_fuzz::{records, seeds};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(init: seeds::written_if_asked(seeds::ami), |stream: &[u8]| {
    let mut house = House::default();
    let mut manager = Manager::default();
    let decoded = Decoder::default().decode(stream, |message| manager.says(message, &mut house));
    if decoded.is_err() {
        house.loses();
    }
    house.ends(stream.len());
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    records::mutated(data, size, max_size, seed, b"\r\n\r\n")
});

/// Between two messages without a time.
const STEP: Duration = Duration::from_millis(1);

#[derive(Default)]
struct Manager {
    translator: Translator,
    channels: Vec<Message>,
    bridges: Vec<Message>,
    endpoints: Vec<Message>,
}

impl Manager {
    fn says(&mut self, message: Message, house: &mut House) {
        let told: Option<f64> = message.get("Timestamp").parse().ok();
        house.waits_until(told.map_or(house.now() + STEP, Moment::from_secs_f64));
        match message.event() {
            "" if message.get("Response") == "Goodbye" => {
                *self = Self::default();
                house.loses();
            }
            "" => {}
            "CoreShowChannel" => self.channels.push(message),
            "BridgeListItem" => self.bridges.push(message),
            "EndpointList" => self.endpoints.push(message),
            "EndpointListComplete" => {
                let (mut snapshot, _) = translate::snapshot(&self.channels, &self.bridges);
                snapshot.endpoints = self.endpoints.iter().filter_map(translate::endpoint).collect();
                house.is_shown(&snapshot);
                self.channels.clear();
                self.bridges.clear();
                self.endpoints.clear();
            }
            _ => {
                if let Ok(Some(event)) = self.translator.event(&message) {
                    house.hears(event);
                }
            }
        }
    }
}
