//! Tracker, relay, a store in memory and a few terminals, driven as the event loop drives them.

use std::collections::BTreeSet;

use callrelay::model::{Body, BridgeId, ChannelId, Moment, PbxName, Phone, SessionId, TerminalName};
use callrelay::relay::{
    Effect, Input, LinkRequest, Notice, Relay, Replay, Rules, SendRequest, Status, notice_bytes,
};
use callrelay::tracker::event::{ChannelInfo, PbxEvent, Snapshot};
use callrelay::tracker::{Conclusion, EndpointMap, Patience, Tracker};

use crate::drawer::Store;
use crate::kept::kept;

/// Phones of the recordings. At each of them a terminal waits.
const PHONES: [&str; 3] = ["1001", "1002", "1003"];
/// Messages of all terminals together; they are not what is tried here.
const SENT_MAX: usize = 32;
/// No clock shows more.
const LAST: Moment = Moment::from_micros(4_000_000_000_000_000);
/// Waits that fall due after one another before something is to happen at the latest.
const DUE_MAX: usize = 1_000_000;

/// What is kept at the most ([`kept`]): something for the terminals and their messages, and for each byte that was heard.
const KEPT_BASE: usize = 128 * 1024;
const KEPT_PER_BYTE: usize = 256;
/// Counters grow by a few digits, and stay.
const DIGITS: usize = 64;

/// Everything behind the interfaces of one PBX.
pub struct House {
    pbx: PbxName,
    tracker: Tracker,
    relay: Relay,
    store: Store,
    now: Moment,
    in_sight: bool,
    /// What was heard while the PBX was out of sight.
    meanwhile: Vec<PbxEvent>,
    named: Named,
    sent: usize,
    /// Whether what is heard and concluded is told, for who looks into an input.
    tells: bool,
}

/// What was ever named.
#[derive(Debug, Default)]
struct Named {
    channels: BTreeSet<(ChannelId, String)>,
    bridges: BTreeSet<BridgeId>,
    endpoints: BTreeSet<String>,
}

impl Default for House {
    fn default() -> Self {
        let mut house = Self {
            pbx: PbxName::new("main"),
            tracker: new_tracker(),
            relay: new_relay(),
            store: Store::default(),
            now: Moment::default(),
            in_sight: true,
            meanwhile: Vec::new(),
            named: Named::default(),
            sent: 0,
            tells: std::env::var_os("CALLRELAY_TELL").is_some(),
        };
        house.loses();
        house.is_shown(&Snapshot::default());
        for (session, phone) in (1..).map(SessionId).zip(PHONES) {
            let request = LinkRequest {
                phone: Phone::new(phone),
                terminal: TerminalName::new("desk"),
                wait: true,
                resume: None,
                replay: Replay::All,
            };
            house.takes(Input::Link { session, request });
        }
        house
    }
}

impl House {
    /// The time.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.now
    }

    /// Time passes until then, and what falls due is done.
    pub fn waits_until(&mut self, at: Moment) {
        let at = at.clamp(self.now, LAST);
        self.does_what_is_due(Some(at));
        self.now = at;
    }

    /// The PBX says something.
    pub fn hears(&mut self, event: PbxEvent) {
        self.named.note(&event);
        if self.tells {
            println!("{:?} {event:?}", self.now);
        }
        if !self.in_sight {
            self.meanwhile.push(event);
            return;
        }
        let conclusions = self.tracker.handle(self.now, &event);
        self.follows(conclusions);
    }

    /// The PBX is out of sight.
    pub fn loses(&mut self) {
        self.in_sight = false;
        self.meanwhile.clear();
        self.tracker.suspend();
        self.takes(Input::PbxLost(self.pbx.clone()));
    }

    /// The PBX tells everything it knows: it is in sight again, or was asked while it is.
    pub fn is_shown(&mut self, snapshot: &Snapshot) {
        if self.tells {
            println!("{:?} {snapshot:?}", self.now);
        }
        for info in &snapshot.channels {
            self.named.channel(info);
        }
        self.named
            .bridges
            .extend(snapshot.bridges.iter().map(|(info, _)| info.id.clone()));
        self.named.endpoints.extend(snapshot.endpoints.iter().cloned());
        if std::mem::replace(&mut self.in_sight, true) {
            let found = self.tracker.compare(self.now, self.now, snapshot);
            self.follows(found.conclusions);
            return;
        }
        let meanwhile = std::mem::take(&mut self.meanwhile);
        let conclusions = self.tracker.resume(self.now, snapshot, &meanwhile);
        self.follows(conclusions);
        self.takes(Input::PbxFound(self.pbx.clone()));
    }

    /// Checks that what is kept is in proportion to what was heard, and that nothing is left once all is over.
    ///
    /// # Panics
    ///
    /// If not.
    pub fn ends(mut self, heard_bytes: usize) {
        let (tracker, relay) = (kept(&self.tracker), kept(&self.relay));
        assert!(
            tracker.max(relay) <= KEPT_BASE + KEPT_PER_BYTE * heard_bytes,
            "of {heard_bytes} bytes the tracker keeps {tracker} and the relay {relay}: {:#?}\n{:#?}",
            self.tracker,
            self.relay
        );
        if self.in_sight {
            self.everything_goes();
        } else {
            self.meanwhile.clear();
            self.is_shown(&Snapshot::default());
        }
        self.does_what_is_due(None);
        self.expects_nothing_to_stand();
        self.loses();
        self.is_shown(&Snapshot::default());
        self.does_what_is_due(None);
        for session in (1..).map(SessionId).take(PHONES.len()) {
            self.takes(Input::Closed(session));
        }
        self.expects_nothing_to_be_kept();
    }

    /// Channels first, as with an Asterisk.
    fn everything_goes(&mut self) {
        let channels: BTreeSet<ChannelId> = self.named.channels.iter().map(|(id, _)| id.clone()).collect();
        let bridges = self.named.bridges.clone();
        for event in channels.into_iter().map(PbxEvent::ChannelGone) {
            self.hears(event);
        }
        for event in bridges.into_iter().map(PbxEvent::BridgeGone) {
            self.hears(event);
        }
    }

    fn expects_nothing_to_stand(&self) {
        let stand = (
            self.tracker.channel_count(),
            self.tracker.bridge_count(),
            self.tracker.call_count(),
            self.relay.mailbox_count(),
        );
        assert_eq!(
            stand,
            (0, 0, 0, 0),
            "channels, bridges, calls, mailboxes: {:#?}\n{:#?}",
            self.tracker,
            self.relay
        );
    }

    /// But for the PBX's own phones, which are remembered.
    fn expects_nothing_to_be_kept(&self) {
        let mut new = new_tracker();
        let seen =
            |(index, (_, name)): (usize, &(ChannelId, String))| ChannelInfo::named(&index.to_string(), name);
        let everybody = Snapshot {
            channels: self.named.channels.iter().enumerate().map(seen).collect(),
            endpoints: self.named.endpoints.iter().cloned().collect(),
            ..Snapshot::default()
        };
        new.resume(Moment::default(), &everybody, &[]);
        new.resume(Moment::default(), &Snapshot::default(), &[]);
        assert!(kept(&self.tracker) <= kept(&new) + DIGITS, "{:#?}", self.tracker);
        assert!(
            kept(&self.relay) <= kept(&new_relay()) + DIGITS,
            "{:#?}",
            self.relay
        );
        let stored = (
            self.store.calls.len(),
            self.store.messages.len(),
            self.store.files.len(),
        );
        assert_eq!(stored, (0, 0, 0), "calls, messages and files in the store");
    }

    /// Until then; without a moment, until nothing waits any more.
    fn does_what_is_due(&mut self, until: Option<Moment>) {
        for _ in 0..DUE_MAX {
            let deadlines = [self.tracker.next_deadline(), self.relay.next_deadline()];
            let due = deadlines.into_iter().flatten().min();
            let Some(due) = due.filter(|due| until.is_none_or(|until| *due <= until)) else {
                return;
            };
            self.now = self.now.max(due);
            let conclusions = self.tracker.tick(self.now);
            self.follows(conclusions);
            self.takes(Input::Tick);
        }
        panic!(
            "something is due on and on: {:#?}\n{:#?}",
            self.tracker, self.relay
        );
    }

    fn follows(&mut self, conclusions: Vec<Conclusion>) {
        for conclusion in conclusions {
            if self.tells {
                let Conclusion {
                    at,
                    call,
                    what,
                    because,
                    ..
                } = &conclusion;
                println!("{at:?} call {}: {what:?} because {because}", call.0);
            }
            let pbx = self.pbx.clone();
            self.takes(Input::Concluded { pbx, conclusion });
        }
    }

    fn takes(&mut self, input: Input) {
        self.relay.handle(self.now, input);
        loop {
            let effects: Vec<Effect> = self.relay.effects().collect();
            if effects.is_empty() {
                return;
            }
            let mut committed = None;
            for effect in effects {
                self.carries_out(effect, &mut committed);
            }
            if let Some(row) = committed {
                self.relay.handle(self.now, Input::Committed { row });
            }
        }
    }

    fn carries_out(&mut self, effect: Effect, committed: &mut Option<u64>) {
        match effect {
            Effect::Write(write) => {
                *committed = (*committed).max(Some(write.appended_row().unwrap_or(0)));
                self.store.write(write);
            }
            Effect::Read(request) => {
                let stored = |row| self.store.messages.get(row).cloned();
                let messages = request.rows.iter().filter_map(stored).collect();
                self.relay.handle(self.now, Input::RowsRead { request, messages });
            }
            Effect::Tell(session, notice) => {
                let (frames, bytes) = (1, notice_bytes(&notice));
                self.relay.handle(
                    self.now,
                    Input::Written {
                        session,
                        frames,
                        bytes,
                    },
                );
                self.answers(session, notice);
            }
            Effect::Close(session, reason) => panic!("{session:?} is closed: {reason:?}"),
        }
    }

    /// A terminal greets in every call, and acknowledges what it gets, unless it is the last one.
    fn answers(&mut self, session: SessionId, notice: Notice) {
        match notice {
            Notice::Status(Status::Call, object) if self.sent < SENT_MAX => {
                self.sent += 1;
                let request = SendRequest {
                    reference: self.sent.to_string(),
                    body: Body::new("\"Hello\""),
                    kind: "chat".to_owned(),
                    key: None,
                    transient: false,
                    call: Some(object.call),
                    file: None,
                };
                self.relay.handle(self.now, Input::Send { session, request });
            }
            Notice::Message(row) if session.0 < PHONES.len() as u64 => {
                if let Some(seq) = row.seq {
                    let (call, epoch) = (row.call, Some(row.epoch));
                    self.relay.handle(
                        self.now,
                        Input::Ack {
                            session,
                            call,
                            epoch,
                            seq,
                        },
                    );
                }
            }
            _ => {}
        }
    }
}

impl Named {
    fn channel(&mut self, info: &ChannelInfo) {
        self.channels.insert((info.id.clone(), info.name.clone()));
    }

    fn note(&mut self, event: &PbxEvent) {
        for info in event.channels() {
            self.channel(info);
        }
        match event {
            PbxEvent::BridgeSeen(bridge)
            | PbxEvent::Entered { bridge, .. }
            | PbxEvent::Left { bridge, .. } => drop(self.bridges.insert(bridge.id.clone())),
            PbxEvent::Merged { into, from } => self.bridges.extend([into.id.clone(), from.id.clone()]),
            _ => {}
        }
    }
}

fn new_tracker() -> Tracker {
    let trunks = ["trunk*".to_owned()];
    let endpoints = EndpointMap::new(&[], &trunks).expect("the pattern is a good one");
    Tracker::new(endpoints, Patience::default())
}

fn new_relay() -> Relay {
    Relay::new(Rules::default(), 1)
}
