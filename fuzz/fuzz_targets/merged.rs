//! Both interfaces at once: each late, silent, lost and back again as the input has it.

#![no_main]

use std::collections::VecDeque;
use std::time::Duration;

use arbitrary::Arbitrary;
use callrelay::asterisk::merge::{Merger, Side};
use callrelay::model::{BridgeId, ChannelId, Moment};
use callrelay::tracker::event::{
    BridgeInfo, BridgeKind, ChannelInfo, ChannelState, DialProgress, PbxEvent, Snapshot,
};
use callrelay_fuzz::house::House;
use callrelay_fuzz::kept::kept;
use callrelay_fuzz::seeds;
use libfuzzer_sys::fuzz_target;

/// How late one of them may be without being taken for silent.
const LATE_MAX: Duration = Duration::from_secs(5);
/// What is gone is forgotten by then.
const LONG: Duration = Duration::from_mins(2);
/// What is kept at the most ([`kept`]), whatever happens, and for each thing that does.
const KEPT_BASE: usize = 4_096;
const KEPT_PER_STEP: usize = 4_096;

/// Of these few, the events are; the numbers are taken modulo.
const CHANNELS: [&str; 5] = [
    "PJSIP/1001-00000001",
    "PJSIP/1002-00000002",
    "PJSIP/trunk-00000003",
    "Local/1003@internal-00000004;1",
    "Local/1003@internal-00000004;2",
];
const BRIDGES: u8 = 3;

#[derive(Arbitrary, Debug)]
enum Step {
    Happens(Event),
    /// One of them says the next of what happened.
    Says(bool),
    SaysAll(bool),
    /// One of them leaves out the next of what happened.
    LeavesOut(bool),
    Loses(bool),
    Connects(bool),
    Waits(u16),
    Settles,
}

#[derive(Arbitrary, Debug)]
enum Event {
    Seen(u8, bool),
    Gone(u8),
    BridgeSeen(u8),
    BridgeGone(u8),
    Entered(u8, u8),
    Left(u8, u8),
    Merged(u8, u8),
    Dial {
        caller: Option<u8>,
        peer: u8,
        progress: u8,
        forwarded: Option<u8>,
    },
    Hold(u8),
    Unhold(u8),
    Blind(u8, Option<u8>, bool),
    Attended(u8, u8, Option<u8>, Option<u8>, bool),
}

fuzz_target!(init: seeds::written_if_asked(seeds::none), |steps: Vec<Step>| {
    let mut scene = Scene::default();
    scene.hears_both_from_the_beginning();
    for step in &steps {
        scene.does(step);
    }
    let kept = kept(&scene.merger);
    assert!(kept <= KEPT_BASE + KEPT_PER_STEP * steps.len(), "{kept} of {} steps", steps.len());
    scene.ends();
});

#[derive(Default)]
struct Scene {
    now: Moment,
    merger: Merger,
    house: House,
    /// What each has not said yet of what happened, and when that was.
    unsaid: [VecDeque<(Moment, PbxEvent)>; 2],
    happened: Vec<PbxEvent>,
    told: Vec<PbxEvent>,
    /// One of them was lost, or left something out, or was so late that it passed for silent.
    disturbed: bool,
}

impl Scene {
    fn hears_both_from_the_beginning(&mut self) {
        for side in Side::BOTH {
            self.connects(side);
        }
        self.waits(LONG);
        self.disturbed = false;
    }

    fn does(&mut self, step: &Step) {
        let side = |is_ari: &bool| if *is_ari { Side::Ari } else { Side::Ami };
        match step {
            Step::Happens(event) => self.happens(event.as_reported()),
            Step::Says(it) => self.says(side(it)),
            Step::SaysAll(it) => self.says_all(side(it)),
            Step::LeavesOut(it) => {
                self.disturbed |= self.unsaid[side(it) as usize].pop_front().is_some();
            }
            Step::Loses(it) => self.loses(side(it)),
            Step::Connects(it) => self.connects(side(it)),
            Step::Waits(millis) => self.waits(Duration::from_millis(u64::from(*millis))),
            Step::Settles => self.settles(),
        }
    }

    fn happens(&mut self, event: PbxEvent) {
        for side in Side::BOTH {
            if self.merger.hears(side) {
                self.unsaid[side as usize].push_back((self.now, event.clone()));
            }
        }
        self.happened.push(event);
    }

    fn says(&mut self, side: Side) {
        if let Some((at, event)) = self.unsaid[side as usize].pop_front() {
            self.disturbed |= self.now.since(at) >= LATE_MAX;
            let news = self.merger.hear(side, self.now, event);
            self.tells(news);
        }
    }

    fn says_all(&mut self, side: Side) {
        while !self.unsaid[side as usize].is_empty() {
            self.says(side);
        }
    }

    /// As `Both` does it.
    fn connects(&mut self, side: Side) {
        if self.merger.hears(side) {
            return;
        }
        self.disturbed = true;
        let was_out_of_sight = !self.merger.is_connected();
        if was_out_of_sight {
            self.merger = Merger::default();
        }
        self.merger.connects(side, self.now, self.now);
        if was_out_of_sight {
            self.house.is_shown(&Snapshot::default());
        }
    }

    fn loses(&mut self, side: Side) {
        if !self.merger.hears(side) {
            return;
        }
        self.disturbed = true;
        self.unsaid[side as usize].clear();
        let news = self.merger.loses(side);
        self.tells(news);
        if !self.merger.is_connected() {
            self.house.loses();
        }
    }

    fn waits(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.merger.next_deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.house.waits_until(self.now);
            let news = self.merger.release(self.now);
            self.tells(news);
        }
        self.now = until;
        self.house.waits_until(self.now);
    }

    fn settles(&mut self) {
        for side in Side::BOTH {
            // What it said until now was heard, unless it has still something to say.
            let until = self.unsaid[side as usize].front().map_or(self.now, |(at, _)| *at);
            self.merger.heard_until(side, until);
        }
        let found = self.merger.settle(self.now);
        assert!(self.disturbed || found.is_empty(), "{found:?}");
        assert_eq!(
            self.merger.settle(self.now),
            [],
            "what they disagree about is told twice"
        );
    }

    fn tells(&mut self, news: Vec<PbxEvent>) {
        for event in news {
            self.told.push(event.clone());
            self.house.hears(event);
        }
    }

    fn ends(mut self) {
        for side in Side::BOTH {
            self.connects(side);
        }
        for channel in (0..).take(CHANNELS.len()) {
            self.happens(Event::Gone(channel).as_reported());
        }
        for bridge in 0..BRIDGES {
            self.happens(Event::BridgeGone(bridge).as_reported());
        }
        for side in Side::BOTH {
            self.says_all(side);
        }
        if !self.disturbed {
            self.expects_everything_told_once();
        }
        // Nothing is so late that it would still be excused, or be on probation.
        for _ in 0..2 {
            self.waits(LONG);
            self.settles();
        }
        assert_eq!(self.merger.next_deadline(), None);
        let nothing = kept(&Merger::default()) + 256;
        assert!(
            kept(&self.merger) <= nothing,
            "something is left: {:#?}",
            self.merger
        );
        let heard_bytes = self.happened.len() * 64;
        self.house.ends(heard_bytes);
    }

    /// How channels look apart, of which the last word counts.
    fn expects_everything_told_once(&self) {
        let things = |events: &[PbxEvent]| {
            let mut things: Vec<String> = events
                .iter()
                .filter(|event| !matches!(event, PbxEvent::ChannelSeen(_)))
                .map(|event| format!("{event:?}"))
                .collect();
            things.sort();
            things
        };
        assert_eq!(things(&self.told), things(&self.happened));
    }
}

impl Event {
    fn as_reported(&self) -> PbxEvent {
        match *self {
            Self::Seen(of, is_up) => PbxEvent::ChannelSeen(ChannelInfo {
                state: if is_up {
                    ChannelState::Up
                } else {
                    ChannelState::Ringing
                },
                ..channel(of)
            }),
            Self::Gone(of) => PbxEvent::ChannelGone(channel(of).id),
            Self::BridgeSeen(of) => PbxEvent::BridgeSeen(bridge(of)),
            Self::BridgeGone(of) => PbxEvent::BridgeGone(bridge(of).id),
            Self::Entered(of, into) => PbxEvent::Entered {
                bridge: bridge(into),
                channel: channel(of),
            },
            Self::Left(of, from) => PbxEvent::Left {
                bridge: bridge(from),
                channel: channel(of),
            },
            Self::Merged(into, from) => PbxEvent::Merged {
                into: bridge(into),
                from: bridge(from),
            },
            Self::Dial {
                caller,
                peer,
                progress,
                forwarded,
            } => PbxEvent::Dial {
                caller: caller.map(channel),
                peer: channel(peer),
                progress: [
                    DialProgress::Begun,
                    DialProgress::Ringing,
                    DialProgress::Answered,
                    DialProgress::Failed,
                ][usize::from(progress % 4)],
                forwarded: forwarded.map(channel),
            },
            Self::Hold(of) => PbxEvent::Hold(channel(of)),
            Self::Unhold(of) => PbxEvent::Unhold(channel(of)),
            Self::Blind(by, of, success) => PbxEvent::BlindTransfer {
                transferer: channel(by),
                transferee: of.map(channel),
                exten: "1002".to_owned(),
                success,
            },
            Self::Attended(first, second, transferee, target, success) => PbxEvent::AttendedTransfer {
                first_leg: channel(first),
                second_leg: channel(second),
                first_bridge: Some(bridge(0).id),
                second_bridge: Some(bridge(1).id),
                transferee: transferee.map(channel),
                target: target.map(channel),
                success,
            },
        }
    }
}

fn channel(number: u8) -> ChannelInfo {
    let number = usize::from(number) % CHANNELS.len();
    ChannelInfo {
        id: ChannelId::new(format!("1.{number}")),
        ..ChannelInfo::named("", CHANNELS[number])
    }
}

fn bridge(number: u8) -> BridgeInfo {
    BridgeInfo {
        id: BridgeId::new(format!("b{}", number % BRIDGES)),
        kind: BridgeKind::Mixing,
        conference: false,
    }
}
