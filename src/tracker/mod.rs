//! Who is in a call with whom: channels, bridges and Local pairs in; calls, joins, leaves, holds,
//! transfers and ends out.
//!
//! The tracker is pure. It is handed each [`PbxEvent`] with the moment it arrived and gives back
//! [`Conclusion`]s; it reads no clock and opens no socket. Some conclusions need patience (an
//! *unhold* may be the prelude of a transfer, a *left bridge* proves nothing), so whoever drives it
//! also calls [`Tracker::tick`] when [`Tracker::next_deadline`] has come:
//!
//! ```
//! use callrelay::model::Moment;
//! use callrelay::tracker::{EndpointMap, Patience, PbxEvent, Tracker};
//! # let events: Vec<(Moment, PbxEvent)> = Vec::new();
//!
//! let mut tracker = Tracker::new(EndpointMap::default(), Patience::default());
//! for (at, event) in events {
//!     let conclusions = tracker.handle(at, &event); // first what fell due before `at`, then this
//!     # let _ = conclusions;
//! }
//! while let Some(deadline) = tracker.next_deadline() {
//!     let conclusions = tracker.tick(deadline);
//!     # let _ = conclusions;
//! }
//! ```
//!
//! How it decides, room by room: [`topology`] keeps the picture of the PBX; `reconcile` compares
//! the groups of phones that hear each other with the calls it knows, and `settle` what became of the
//! parties of each; `transfers` takes in what the PBX says of transfers; `holds` and `ringing` what their names say; `outage` finds the calls again
//! after the PBX was out of sight, and `compare` what was not reported though it was in sight.
//!
//! It knows nothing of terminals, mailboxes or messages.

mod because;
mod calls;
pub mod compare;
mod conclusion;
mod dialled;
mod endpoints;
pub mod event;
mod holds;
mod outage;
mod reconcile;
mod ringing;
mod settle;
mod topology;
mod transfers;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub use because::Because;
pub use conclusion::{CallMemory, CallNumber, CallView, Conclusion, NamedPhone, RememberedParty, What};
pub use endpoints::{EndpointMap, EndpointMapError};
pub use event::{PbxEvent, Snapshot};

use crate::model::{BridgeId, ChannelId, Moment};
use calls::{Call, Calls};
use compare::Comparing;
use ringing::Ringing;
use topology::Topology;

/// How long the tracker waits before it believes what it sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// A party that is outside every shared bridge for this long is gone.
    pub settle: Duration,
    /// An *unhold* counts when the channel is still in its bridge this much later.
    pub resume_delay: Duration,
    /// How long a change of company that a late transfer event could still explain is left open.
    /// Asterisk's topics are at most a few milliseconds apart.
    pub race: Duration,
    /// The same where someone who consulted is missing from those who met, or where one of two is gone and the
    /// other one is not: it may well be a transfer, whose report a busy Asterisk sends tens of milliseconds
    /// after the channels were moved. It is also how long a phone may ring before whoever calls through Local
    /// channels has come to their near end.
    pub report: Duration,
}

impl Patience {
    /// For a switch that says everything at once and in order.
    pub const NONE: Self = Self {
        settle: Duration::ZERO,
        resume_delay: Duration::ZERO,
        race: Duration::ZERO,
        report: Duration::ZERO,
    };
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            settle: Duration::from_secs(2),
            resume_delay: Duration::from_millis(300),
            race: Duration::from_millis(25),
            report: Duration::from_millis(250),
        }
    }
}

/// Follows one PBX.
#[derive(Debug)]
pub struct Tracker {
    endpoints: EndpointMap,
    patience: Patience,
    topology: Topology,
    calls: Calls,
    ringing: Ringing,
    timers: BTreeSet<(Moment, Timer)>,
    /// Calls that a channel is party to besides the one it is active in.
    left_behind: BTreeMap<ChannelId, BTreeSet<CallNumber>>,
    /// Changes of company that wait for an explanation, and since when, by the first bridge of their group.
    races: BTreeMap<BridgeId, Moment>,
    dirty: Dirty,
    comparing: Comparing,
    /// The calls that remembered channels were in, and whether they held there, until they are seen.
    adopted: BTreeMap<ChannelId, BTreeMap<CallNumber, bool>>,
    /// The PBX is out of sight: nothing is concluded.
    suspended: bool,
    /// Calls that a snapshot shows parted, while what was reported meanwhile is taken in.
    parted_unseen: BTreeSet<CallNumber>,
    conclusions: Vec<Conclusion>,
}

/// What has to be looked at again.
#[derive(Debug, Default)]
struct Dirty {
    bridges: BTreeSet<BridgeId>,
    calls: BTreeSet<CallNumber>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// A race is lost: judge the group of this bridge as it is.
    Race(BridgeId),
    /// An *unhold* of this channel may count now.
    Resume(ChannelId),
    /// A party of this call may be gone or away by now.
    Settle(CallNumber),
    /// Who calls this channel was not known when it began to ring.
    Ringing(ChannelId),
    /// The channel that was dialled is gone and nothing explained why, or it answered and no call came of
    /// it: its caller calls no more.
    Calling(ChannelId),
}

impl Tracker {
    /// A tracker that knows nothing yet.
    #[must_use]
    pub fn new(endpoints: EndpointMap, patience: Patience) -> Self {
        Self {
            endpoints,
            patience,
            topology: Topology::default(),
            calls: Calls::default(),
            ringing: Ringing::default(),
            timers: BTreeSet::new(),
            left_behind: BTreeMap::new(),
            races: BTreeMap::new(),
            dirty: Dirty::default(),
            comparing: Comparing::default(),
            adopted: BTreeMap::new(),
            suspended: false,
            parted_unseen: BTreeSet::new(),
            conclusions: Vec::new(),
        }
    }

    /// Takes in one report of the PBX, after everything that fell due before it.
    pub fn handle(&mut self, at: Moment, event: &PbxEvent) -> Vec<Conclusion> {
        self.handle_at_once(at, std::slice::from_ref(event))
    }

    /// Takes in what happened in one moment: nothing in between is concluded.
    pub fn handle_at_once(&mut self, at: Moment, events: &[PbxEvent]) -> Vec<Conclusion> {
        self.fire_timers(at);
        for event in events {
            self.comparing.note(at, event);
            self.apply(at, event);
        }
        if !self.suspended {
            self.reconcile(at);
        }
        std::mem::take(&mut self.conclusions)
    }

    /// Concludes what waited for this moment.
    pub fn tick(&mut self, now: Moment) -> Vec<Conclusion> {
        self.fire_timers(now);
        std::mem::take(&mut self.conclusions)
    }

    /// When [`Tracker::tick`] has something to do next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        if self.suspended {
            return None;
        }
        self.timers.first().map(|(at, _)| *at)
    }

    /// Takes in the names of all endpoints, so that an outside caller cannot pass for one of them.
    pub fn know_endpoints(&mut self, names: &[String]) {
        self.topology.know_endpoints(names, &self.endpoints);
    }

    /// How many channels of the PBX are known.
    #[must_use]
    pub fn channel_count(&self) -> usize {
        self.topology.channels.len()
    }

    /// How many bridges of the PBX are known.
    #[must_use]
    pub fn bridge_count(&self) -> usize {
        self.topology.bridges.len()
    }

    /// How many calls stand.
    #[must_use]
    pub fn call_count(&self) -> usize {
        self.calls.standing.len()
    }

    fn apply(&mut self, at: Moment, event: &PbxEvent) {
        match event {
            PbxEvent::ChannelSeen(info) => {
                self.topology.see(info, &self.endpoints);
                self.note_ringing_channel(at, info);
            }
            PbxEvent::ChannelGone(channel) => self.on_channel_gone(at, channel),
            PbxEvent::BridgeSeen(bridge) => {
                self.topology.see_bridge(bridge);
            }
            PbxEvent::BridgeGone(bridge) => self.on_bridge_gone(bridge),
            PbxEvent::Entered { bridge, channel } => {
                if self.topology.see(channel, &self.endpoints).is_some() {
                    let left = self.topology.enter(&channel.id, bridge);
                    self.dirty.bridges.extend(left);
                    self.dirty.bridges.insert(bridge.id.clone());
                    self.touch_calls_of(&channel.id);
                    self.on_parked(at, &channel.id, bridge.kind);
                    self.tell_what_rings_untold(at);
                }
            }
            PbxEvent::Left { bridge, channel } => {
                self.topology.see(channel, &self.endpoints);
                self.topology.leave(at, &channel.id, &bridge.id);
                self.dirty.bridges.insert(bridge.id.clone());
                self.touch_calls_of(&channel.id);
            }
            PbxEvent::Merged { into, from } => {
                self.dirty.bridges.extend([into.id.clone(), from.id.clone()]);
            }
            PbxEvent::Dial {
                caller,
                peer,
                progress,
                forwarded,
            } => {
                for channel in caller.iter().chain([peer]).chain(forwarded) {
                    self.topology.see(channel, &self.endpoints);
                }
                let caller = caller.as_ref().map(|info| &info.id);
                let forwarded = forwarded.as_ref().map(|info| &info.id);
                self.on_dial(at, caller, &peer.id, *progress, forwarded);
            }
            PbxEvent::Hold(channel) => {
                self.topology.see(channel, &self.endpoints);
                self.on_hold(&channel.id);
            }
            PbxEvent::Unhold(channel) => {
                self.topology.see(channel, &self.endpoints);
                self.on_unhold(at, &channel.id);
            }
            PbxEvent::BlindTransfer {
                transferer,
                transferee,
                exten,
                success,
            } => {
                if *success && let Some(transferee) = transferee {
                    self.on_blind_transfer(at, transferer, &transferee.id, exten);
                }
            }
            PbxEvent::AttendedTransfer { success: false, .. } => {}
            PbxEvent::AttendedTransfer {
                first_leg,
                second_leg,
                second_bridge,
                transferee,
                target,
                ..
            } => {
                let transferee = transferee.as_ref().map(|info| &info.id);
                let target = target.as_ref().map(|info| &info.id);
                self.on_attended_transfer(
                    at,
                    first_leg,
                    &second_leg.id,
                    second_bridge.as_ref(),
                    transferee,
                    target,
                );
            }
        }
    }

    fn on_channel_gone(&mut self, at: Moment, channel: &ChannelId) {
        self.touch_calls_that_count(channel);
        self.touch_calls_of(channel);
        // Those who met elsewhere need not wait for it.
        let call = self.topology.channels.get(channel).and_then(|known| known.call);
        let parties = call.and_then(|number| self.calls.get(number)).into_iter();
        let others = parties
            .flat_map(|call| call.parties.values())
            .flat_map(|party| &party.channels);
        let bridges = others.filter_map(|id| self.topology.channels.get(id)?.bridge.clone());
        self.dirty.bridges.extend(bridges);
        self.left_behind.remove(channel);
        if let Some(known) = self.topology.bury(channel) {
            self.dirty.bridges.extend(known.bridge);
        }
        self.ringing_channel_gone(at, channel);
    }

    /// A party may have a channel that is not active in its call: one that got another phone's name, or that was named
    /// again after a snapshot without it.
    fn touch_calls_that_count(&mut self, channel: &ChannelId) {
        let is_of = |call: &Call| {
            let mut parties = call.parties.values();
            parties.any(|party| party.channels.contains(channel))
        };
        let calls = self.calls.standing.iter().filter(|(_, call)| is_of(call));
        self.dirty.calls.extend(calls.map(|(number, _)| *number));
    }

    fn on_bridge_gone(&mut self, bridge: &BridgeId) {
        for member in self.topology.raze(bridge) {
            self.touch_calls_of(&member);
        }
        self.races.remove(bridge);
    }

    /// Marks every call that knows this channel.
    fn touch_calls_of(&mut self, channel: &ChannelId) {
        let active = self.topology.channels.get(channel).and_then(|known| known.call);
        self.dirty.calls.extend(active);
        // A channel that consults elsewhere also counts in the call it left behind.
        let left_behind = self.left_behind.get(channel).into_iter().flatten();
        self.dirty.calls.extend(left_behind);
    }

    fn fire_timers(&mut self, now: Moment) {
        if self.suspended {
            return;
        }
        while let Some((due, _)) = self.timers.first()
            && *due <= now
        {
            let Some((due, timer)) = self.timers.pop_first() else {
                break;
            };
            match timer {
                Timer::Race(bridge) => {
                    self.dirty.bridges.insert(bridge);
                }
                Timer::Resume(channel) => self.on_resume_due(due, &channel),
                Timer::Settle(call) => {
                    self.dirty.calls.insert(call);
                }
                Timer::Ringing(dialled) => self.tell_ringing(due, &dialled),
                Timer::Calling(dialled) => self.on_calling_due(due, &dialled),
            }
            self.reconcile(due);
        }
    }

    fn conclude(&mut self, at: Moment, number: CallNumber, because: Because, what: What) {
        let view = match self.calls.get_mut(number) {
            Some(call) => {
                let view = call.view(&self.topology);
                call.remembered = view.memory.clone();
                view
            }
            None => CallView::default(),
        };
        self.conclusions.push(Conclusion {
            at,
            call: number,
            what,
            because,
            view,
        });
    }
}
