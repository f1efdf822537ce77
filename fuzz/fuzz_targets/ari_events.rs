//! What an Asterisk says over ARI, as far as the relay.
//!
//! The input has the form of a recording. `ApplicationReplaced` ends the connection; an object of lists is the answer to
//! what there is.

#![no_main]

use callrelay::asterisk::ari::translate;
use callrelay::asterisk::recording::{self, RecordedEvent};
use callrelay_fuzz::house::House;
use callrelay_fuzz::{records, seeds};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use serde::Deserialize;
use serde_json::value::RawValue;

fuzz_target!(init: seeds::written_if_asked(seeds::ari), |stream: &[u8]| {
    let mut house = House::default();
    for record in recording::read(stream).flatten() {
        house.waits_until(record.at);
        says(&record, &mut house);
    }
    house.ends(stream.len());
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    records::mutated(data, size, max_size, seed, b"\n")
});

/// The answers to `GET /channels`, `GET /bridges` and `GET /endpoints`.
#[derive(Deserialize)]
struct Lists<'a> {
    #[serde(borrow)]
    channels: &'a RawValue,
    #[serde(borrow)]
    bridges: &'a RawValue,
    #[serde(borrow)]
    endpoints: &'a RawValue,
}

fn says(record: &RecordedEvent, house: &mut House) {
    let text = record.event.get();
    if let Ok(Lists {
        channels,
        bridges,
        endpoints,
    }) = serde_json::from_str(text)
    {
        if let Ok((snapshot, _)) = translate::snapshot(channels.get(), bridges.get(), endpoints.get()) {
            house.is_shown(&snapshot);
        }
    } else if text.starts_with(r#"{"type":"ApplicationReplaced""#) {
        house.loses();
    } else if let Ok(Some(event)) = translate::event(text) {
        house.hears(event);
    }
}
