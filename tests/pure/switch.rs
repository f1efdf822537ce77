//! A hand-driven PBX for scenes that no recording has: it tells a [`Tracker`] what happens, and keeps
//! what the tracker concludes, as lines, until the scene asks for it.
//!
//! A channel is named like `1001-a` (endpoint, then something unique), a bridge like `b1`; `lot` is a parking lot.

use std::time::Duration;

use callrelay::model::{BridgeId, ChannelId, Moment};
use callrelay::tracker::compare::Repair;
use callrelay::tracker::event::{BridgeInfo, BridgeKind, ChannelInfo, DialProgress};
use callrelay::tracker::{
    CallMemory, CallNumber, Conclusion, EndpointMap, NamedPhone, Patience, PbxEvent, Snapshot, Tracker, What,
};

pub(crate) struct Switch {
    pub(crate) tracker: Tracker,
    now: Moment,
    concluded: Vec<Conclusion>,
}

pub(crate) fn channel(name: &str) -> ChannelInfo {
    let technology = if name.contains('@') { "Local" } else { "PJSIP" };
    ChannelInfo::named(name, &format!("{technology}/{name}"))
}

pub(crate) fn bridge(name: &str) -> BridgeInfo {
    BridgeInfo {
        id: BridgeId::new(name),
        kind: if name == "lot" {
            BridgeKind::Parking
        } else {
            BridgeKind::Mixing
        },
        conference: false,
    }
}

/// A PBX that has these bridges and, alone, these channels.
pub(crate) fn picture(bridges: &[(&str, &[&str])], alone: &[&str]) -> Snapshot {
    let seated = bridges.iter().flat_map(|(_, members)| members.iter());
    Snapshot {
        channels: seated.chain(alone).map(|name| channel(name)).collect(),
        bridges: bridges
            .iter()
            .map(|(name, members)| (bridge(name), members.iter().map(ChannelId::new).collect()))
            .collect(),
        endpoints: Vec::new(),
    }
}

impl Switch {
    pub(crate) fn new() -> Self {
        let endpoints = EndpointMap::new(&[], &["trunk*".to_owned()]).unwrap();
        Self {
            tracker: Tracker::new(endpoints, Patience::default()),
            now: Moment::from_secs_f64(100.0),
            concluded: Vec::new(),
        }
    }

    /// Tells the tracker something, half a millisecond after the thing before.
    pub(crate) fn tells(&mut self, event: &PbxEvent) {
        self.now = self.now + Duration::from_micros(500);
        let concluded = self.tracker.handle(self.now, event);
        self.concluded.extend(concluded);
        let due = self.tracker.next_deadline();
        assert!(
            due.is_none_or(|due| due > self.now),
            "a deadline is left in the past"
        );
    }

    pub(crate) fn waits(&mut self, millis: u64) {
        let until = self.now + Duration::from_millis(millis);
        while let Some(due) = self.tracker.next_deadline().filter(|due| *due <= until) {
            let concluded = self.tracker.tick(due);
            self.concluded.extend(concluded);
        }
        self.now = until;
    }

    pub(crate) fn dials(&mut self, caller: &str, peer: &str, progress: DialProgress) {
        self.dials_from(Some(channel(caller)), peer, progress);
    }

    /// The PBX calls a phone by itself.
    pub(crate) fn dials_for_nobody(&mut self, peer: &str, progress: DialProgress) {
        self.dials_from(None, peer, progress);
    }

    fn dials_from(&mut self, caller: Option<ChannelInfo>, peer: &str, progress: DialProgress) {
        self.tells(&PbxEvent::Dial {
            caller,
            peer: channel(peer),
            progress,
            forwarded: None,
        });
    }

    pub(crate) fn rings_for_nobody(&mut self, peer: &str) {
        self.dials_for_nobody(peer, DialProgress::Begun);
        self.dials_for_nobody(peer, DialProgress::Ringing);
    }

    /// The caller's device dials, and the other one rings.
    pub(crate) fn rings(&mut self, caller: &str, peer: &str) {
        self.dials(caller, peer, DialProgress::Begun);
        self.dials(caller, peer, DialProgress::Ringing);
    }

    pub(crate) fn enters(&mut self, name: &str, into: &str) {
        self.tells(&PbxEvent::Entered {
            bridge: bridge(into),
            channel: channel(name),
        });
    }

    pub(crate) fn leaves(&mut self, name: &str, from: &str) {
        self.tells(&PbxEvent::Left {
            bridge: bridge(from),
            channel: channel(name),
        });
    }

    pub(crate) fn gone(&mut self, name: &str) {
        self.tells(&PbxEvent::ChannelGone(ChannelId::new(name)));
    }

    pub(crate) fn bridge_gone(&mut self, name: &str) {
        self.tells(&PbxEvent::BridgeGone(BridgeId::new(name)));
    }

    pub(crate) fn holds(&mut self, name: &str) {
        self.tells(&PbxEvent::Hold(channel(name)));
    }

    pub(crate) fn unholds(&mut self, name: &str) {
        self.tells(&PbxEvent::Unhold(channel(name)));
    }

    pub(crate) fn transfers_blind(&mut self, by: &str, transferee: &str, exten: &str, success: bool) {
        let transferee = Some(channel(transferee));
        let exten = exten.to_owned();
        self.tells(&PbxEvent::BlindTransfer {
            transferer: channel(by),
            transferee,
            exten,
            success,
        });
    }

    /// 1001 ties 1002 (its first leg, `b1`) to the target (its second leg, `b2`).
    pub(crate) fn transfers_attended(&mut self, target: Option<&str>) {
        self.attended(target, true);
    }

    pub(crate) fn attended(&mut self, target: Option<&str>, success: bool) {
        self.tells(&PbxEvent::AttendedTransfer {
            first_leg: channel("1001-a"),
            second_leg: channel("1001-b"),
            first_bridge: Some(BridgeId::new("b1")),
            second_bridge: target.map(|_| BridgeId::new("b2")),
            transferee: Some(channel("1002-a")),
            target: target.map(channel),
            success,
        });
    }

    /// 1001 and 1002 call, ring, answer and talk in `b1`, as call 1.
    pub(crate) fn two_talk(&mut self) {
        self.rings("1001-a", "1002-a");
        self.dials("1001-a", "1002-a", DialProgress::Answered);
        self.enters("1002-a", "b1");
        self.enters("1001-a", "b1");
        self.says(&["ringing 1 [] 1001>1002", "call 1 [1001 1002] 1001>1002"]);
    }

    /// 1001 holds 1002 and consults 1003 on a second leg, in `b2`, as call 2.
    pub(crate) fn one_consults(&mut self) {
        self.two_talk();
        self.holds("1001-a");
        self.rings("1001-b", "1003-a");
        self.dials("1001-b", "1003-a", DialProgress::Answered);
        self.enters("1003-a", "b2");
        self.enters("1001-b", "b2");
        self.says(&[
            "hold_on 1 [1001 1002] by 1001",
            "ringing 2 [] 1001>1003",
            "call 2 [1001 1003] 1001>1003",
        ]);
    }

    /// The PBX is out of sight, and then in sight again with these bridges. Other channels are alone.
    pub(crate) fn comes_back(&mut self, bridges: &[(&str, &[&str])], alone: &[&str]) {
        self.comes_back_and_reports(bridges, alone, &[]);
    }

    /// The same, and this was reported while the snapshot was taken.
    pub(crate) fn comes_back_and_reports(
        &mut self,
        bridges: &[(&str, &[&str])],
        alone: &[&str],
        meanwhile: &[PbxEvent],
    ) {
        self.tracker.suspend();
        self.waits(10_000);
        let concluded = self.tracker.resume(self.now, &picture(bridges, alone), meanwhile);
        self.concluded.extend(concluded);
    }

    /// The running comparison, three seconds after the last one, with a PBX that has these bridges and,
    /// alone, these channels. Tells what was repaired, and then whether events are missing.
    pub(crate) fn compares(&mut self, bridges: &[(&str, &[&str])], alone: &[&str]) -> Vec<String> {
        self.waits(3_000);
        let asked_at = self.now;
        self.waits(20);
        self.compares_what_was_asked_for(asked_at, &picture(bridges, alone))
    }

    /// The comparison with an answer that comes now.
    pub(crate) fn compares_what_was_asked_for(
        &mut self,
        asked_at: Moment,
        snapshot: &Snapshot,
    ) -> Vec<String> {
        let found = self.tracker.compare(self.now, asked_at, snapshot);
        self.concluded.extend(found.conclusions);
        let line = |repair: &Repair| {
            let channel = repair.channel.as_ref().map(ToString::to_string);
            let bridge = repair.bridge.as_ref().map(ToString::to_string);
            let words = [Some(repair.kind.as_str().to_owned()), channel, bridge];
            words.into_iter().flatten().collect::<Vec<_>>().join(" ")
        };
        let missing = found.events_are_missing.then(|| "events are missing".to_owned());
        found.repairs.iter().map(line).chain(missing).collect()
    }

    pub(crate) fn now(&self) -> Moment {
        self.now
    }

    /// What the last conclusion says is to be kept of a call.
    pub(crate) fn memory(&self, number: u64) -> CallMemory {
        let mut about = self
            .concluded
            .iter()
            .rev()
            .filter(|conclusion| conclusion.call == CallNumber(number));
        about
            .next()
            .expect("something was concluded of the call")
            .view
            .memory
            .clone()
    }

    /// Asserts everything that was concluded since it was last asked for.
    #[track_caller]
    pub(crate) fn says(&mut self, expected: &[&str]) {
        let lines: Vec<String> = std::mem::take(&mut self.concluded)
            .iter()
            .filter_map(line)
            .collect();
        assert_eq!(lines, expected);
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.says(&[]);
        }
    }
}

/// A conclusion as a line; nothing of one that no party would notice.
pub(crate) fn line(conclusion: &Conclusion) -> Option<String> {
    let named = |named: &NamedPhone| named.phone.to_string();
    let or_nobody = |phone: Option<String>| phone.unwrap_or_else(|| "?".to_owned());
    let (word, rest) = match &conclusion.what {
        What::Remember => return None,
        What::Ringing { from, to } => (
            "ringing",
            format!(" {}>{}", or_nobody(from.as_ref().map(named)), named(to)),
        ),
        What::RingingOver { phones } => {
            let phones: Vec<String> = phones.iter().map(ToString::to_string).collect();
            ("ringing_over", format!(" for {}", phones.join(" ")))
        }
        What::Call { from: None, to: None } => ("call", String::new()),
        What::Call { from, to } => {
            let phone =
                |phone: &Option<callrelay::model::Phone>| or_nobody(phone.as_ref().map(ToString::to_string));
            ("call", format!(" {}>{}", phone(from), phone(to)))
        }
        What::Join { phone } => ("join", format!(" of {phone}")),
        What::Merge { absorbed, .. } => ("merge", format!(" with {}", absorbed.0)),
        What::Leave { phone } => ("leave", format!(" of {phone}")),
        What::HoldOn { by } => ("hold_on", format!(" by {by}")),
        What::HoldOff { by } => ("hold_off", format!(" by {by}")),
        What::Transferring { from } => ("transferring", format!(" by {from}")),
        What::Transfer { from, to } => ("transfer", format!(" {from}>{to}")),
        What::Bye => ("bye", String::new()),
    };
    let parties: Vec<&str> = conclusion
        .view
        .parties
        .keys()
        .map(callrelay::model::Phone::as_str)
        .collect();
    Some(format!(
        "{word} {} [{}]{rest}",
        conclusion.call.0,
        parties.join(" ")
    ))
}
