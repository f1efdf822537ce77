//! The running comparison with the PBX's own picture: finds what should have been reported and was
//! not, and takes the picture's word for it.
//!
//! A picture is taken while events are under way, its channels and its bridges are not even asked for
//! at one moment, and nothing orders it against the events. So a single difference proves nothing. It
//! counts as a lost event once two comparisons in a row found the same one, and nothing was
//! reported of that channel or bridge since before the first of them was asked for: an event would have
//! to be later than the time between two comparisons to be taken for lost. (Should it come after all, it
//! says what is known.)
//!
//! Then it is repaired: applied as if it had been reported just now, with the usual patience. What no
//! picture tells cannot be repaired: that somebody holds (a hold ends with its channel anyway), who
//! dialled whom, and that a change of company was a transfer, which therefore ends the call (semantics §6.8).

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{BridgeId, ChannelId, Moment};

use super::Tracker;
use super::conclusion::Conclusion;
use super::event::{BridgeInfo, ChannelInfo, ChannelState, PbxEvent, Snapshot};
use super::topology::Topology;

/// So many comparisons with repairs mean that events keep missing.
const REPAIRED_MAX: u32 = 3;
/// So many comparisons in a row without any repair, and what was repaired before is forgiven.
const FORGIVEN_AFTER: u32 = 100;
/// How many channels and bridges are noted between comparisons; beyond that it is forgotten what was
/// touched, and the comparison begins anew.
const TOUCHED_MAX: usize = 65_536;

/// What came of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// What was concluded: by what fell due, and by the repairs.
    pub conclusions: Vec<Conclusion>,
    /// What had not been reported.
    pub repairs: Vec<Repair>,
    /// Repairs keep being necessary, as when the PBX has forgotten that we listen. Whoever listens had
    /// better connect anew.
    pub events_are_missing: bool,
}

/// One thing that the PBX did not report and its picture tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// What it is.
    pub kind: RepairKind,
    /// The channel it is about, if any.
    pub channel: Option<ChannelId>,
    /// The bridge it is about, if any.
    pub bridge: Option<BridgeId>,
}

/// What a [`Repair`] made good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RepairKind {
    /// A channel that nobody had reported.
    ChannelNew,
    /// A channel sits in a bridge it had not been reported to enter.
    Entered,
    /// A channel does not sit in the bridge it was last reported to enter, nor in any.
    Left,
    /// A channel is not there any more.
    ChannelGone,
    /// A bridge is not there any more.
    BridgeGone,
}

impl RepairKind {
    /// Its name in logs and counters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChannelNew => "channel_new",
            Self::Entered => "entered",
            Self::Left => "left",
            Self::ChannelGone => "channel_gone",
            Self::BridgeGone => "bridge_gone",
        }
    }

    /// All there are, in order.
    pub const ALL: [Self; 5] = [
        Self::ChannelNew,
        Self::Entered,
        Self::Left,
        Self::ChannelGone,
        Self::BridgeGone,
    ];
}

/// What has to be remembered between comparisons.
#[derive(Debug, Default)]
pub(super) struct Comparing {
    /// What was last reported of, and when, as far as the next comparison needs it.
    touched: BTreeMap<Thing, Moment>,
    /// Of what was touched until then nothing is known any more.
    forgotten_at: Option<Moment>,
    /// When the last comparison was asked for, and what it found.
    before: Option<(Moment, BTreeSet<Difference>)>,
    /// Comparisons with repairs, since they were last forgiven.
    repaired: u32,
    /// Comparisons without repairs, since the last one with any.
    clean: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Channel(ChannelId),
    Bridge(BridgeId),
}

/// Where the picture differs from what was reported, in the order in which it is put right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    ChannelNew(ChannelId),
    BridgeNew(BridgeId),
    /// Another name, or another state.
    Looks(ChannelId, String, ChannelState),
    Moved {
        channel: ChannelId,
        from: Option<BridgeId>,
        to: Option<BridgeId>,
    },
    ChannelGone(ChannelId),
    BridgeGone(BridgeId),
}

impl Difference {
    fn thing(&self) -> Thing {
        match self {
            Self::ChannelNew(channel)
            | Self::Looks(channel, ..)
            | Self::Moved { channel, .. }
            | Self::ChannelGone(channel) => Thing::Channel(channel.clone()),
            Self::BridgeNew(bridge) | Self::BridgeGone(bridge) => Thing::Bridge(bridge.clone()),
        }
    }

    /// How it counts as a lost event, if it does. An empty bridge says nothing of anybody, and how a
    /// channel looks may have come out of date by an event that was older than the one before it.
    fn repair(&self) -> Option<Repair> {
        let repair = |kind, channel: Option<&ChannelId>, bridge: Option<&BridgeId>| {
            Some(Repair {
                kind,
                channel: channel.cloned(),
                bridge: bridge.cloned(),
            })
        };
        match self {
            Self::BridgeNew(_) | Self::Looks(..) => None,
            Self::ChannelNew(channel) => repair(RepairKind::ChannelNew, Some(channel), None),
            Self::Moved {
                channel,
                to: Some(bridge),
                ..
            } => repair(RepairKind::Entered, Some(channel), Some(bridge)),
            Self::Moved { channel, from, .. } => repair(RepairKind::Left, Some(channel), from.as_ref()),
            Self::ChannelGone(channel) => repair(RepairKind::ChannelGone, Some(channel), None),
            Self::BridgeGone(bridge) => repair(RepairKind::BridgeGone, None, Some(bridge)),
        }
    }
}

/// A snapshot, to be looked things up in.
struct Picture<'a> {
    channels: BTreeMap<&'a ChannelId, &'a ChannelInfo>,
    bridges: BTreeMap<&'a BridgeId, &'a BridgeInfo>,
    seats: BTreeMap<&'a ChannelId, Seat<'a>>,
}

enum Seat<'a> {
    In(&'a BridgeId),
    /// In several bridges at once: the picture was taken while it moved.
    Unclear,
}

impl<'a> Picture<'a> {
    fn of(snapshot: &'a Snapshot) -> Self {
        let mut seats: BTreeMap<&ChannelId, Seat<'_>> = BTreeMap::new();
        for (bridge, members) in &snapshot.bridges {
            for member in members {
                seats
                    .entry(member)
                    .and_modify(|seat| *seat = Seat::Unclear)
                    .or_insert(Seat::In(&bridge.id));
            }
        }
        Self {
            channels: snapshot.channels.iter().map(|info| (&info.id, info)).collect(),
            bridges: snapshot
                .bridges
                .iter()
                .map(|(info, _)| (&info.id, info))
                .collect(),
            seats,
        }
    }

    /// Where what was reported says otherwise.
    fn differences(&self, known: &Topology) -> BTreeSet<Difference> {
        let mut found = BTreeSet::new();
        for (&id, info) in &self.channels {
            // Nothing comes back from there: the picture is older than the report.
            if !known.is_buried(id) {
                self.compare_channel(known, info, &mut found);
            }
        }
        for id in known.channels.keys() {
            // One that only a bridge knows is about to come or to go.
            if !self.channels.contains_key(id) && !self.seats.contains_key(id) {
                found.insert(Difference::ChannelGone(id.clone()));
            }
        }
        let new = self.bridges.keys().filter(|id| !known.bridges.contains_key(**id));
        found.extend(new.map(|id| Difference::BridgeNew((*id).clone())));
        let gone = known.bridges.keys().filter(|id| !self.bridges.contains_key(id));
        found.extend(gone.map(|id| Difference::BridgeGone(id.clone())));
        found
    }

    fn compare_channel(&self, known: &Topology, info: &ChannelInfo, found: &mut BTreeSet<Difference>) {
        let channel = known.channels.get(&info.id);
        match channel {
            None => drop(found.insert(Difference::ChannelNew(info.id.clone()))),
            Some(channel) if channel.info.name == info.name && channel.info.state == info.state => {}
            Some(_) => {
                let looks = Difference::Looks(info.id.clone(), info.name.clone(), info.state);
                found.insert(looks);
            }
        }
        let from = channel.and_then(|channel| channel.bridge.as_ref());
        let to = match self.seats.get(&info.id) {
            Some(Seat::Unclear) => return,
            Some(Seat::In(bridge)) => Some(*bridge),
            None => None,
        };
        if from != to {
            found.insert(Difference::Moved {
                channel: info.id.clone(),
                from: from.cloned(),
                to: to.cloned(),
            });
        }
    }

    /// The report that would have told of this.
    fn report(&self, known: &Topology, difference: &Difference) -> Option<PbxEvent> {
        let channel = |id: &ChannelId| self.channels.get(id).map(|info| (*info).clone());
        Some(match difference {
            Difference::ChannelNew(id) | Difference::Looks(id, ..) => PbxEvent::ChannelSeen(channel(id)?),
            Difference::BridgeNew(id) => PbxEvent::BridgeSeen((*self.bridges.get(id)?).clone()),
            Difference::Moved {
                channel: id,
                to: Some(bridge),
                ..
            } => PbxEvent::Entered {
                bridge: (*self.bridges.get(bridge)?).clone(),
                channel: channel(id)?,
            },
            Difference::Moved {
                channel: id, from, ..
            } => PbxEvent::Left {
                bridge: known.bridges.get(from.as_ref()?)?.info.clone(),
                channel: channel(id)?,
            },
            Difference::ChannelGone(id) => PbxEvent::ChannelGone(id.clone()),
            Difference::BridgeGone(id) => PbxEvent::BridgeGone(id.clone()),
        })
    }
}

impl Comparing {
    /// Something was reported: what it names is not compared with a picture from before.
    pub(super) fn note(&mut self, at: Moment, event: &PbxEvent) {
        for channel in event.channels() {
            self.touch(at, Thing::Channel(channel.id.clone()));
        }
        match event {
            PbxEvent::ChannelGone(id) => self.touch(at, Thing::Channel(id.clone())),
            PbxEvent::BridgeGone(id) => self.touch(at, Thing::Bridge(id.clone())),
            PbxEvent::BridgeSeen(bridge)
            | PbxEvent::Entered { bridge, .. }
            | PbxEvent::Left { bridge, .. } => {
                self.touch(at, Thing::Bridge(bridge.id.clone()));
            }
            PbxEvent::Merged { into, from } => {
                self.touch(at, Thing::Bridge(into.id.clone()));
                self.touch(at, Thing::Bridge(from.id.clone()));
            }
            PbxEvent::ChannelSeen(_)
            | PbxEvent::Hold(_)
            | PbxEvent::Unhold(_)
            | PbxEvent::Dial { .. }
            | PbxEvent::BlindTransfer { .. }
            | PbxEvent::AttendedTransfer { .. } => {}
        }
    }

    fn touch(&mut self, at: Moment, thing: Thing) {
        if self.touched.len() >= TOUCHED_MAX {
            self.touched.clear();
            self.forgotten_at = Some(at);
        }
        self.touched.insert(thing, at);
    }

    /// Whether nothing was reported of it from this moment on.
    fn untouched_since(&self, asked_at: Moment, difference: &Difference) -> bool {
        let touched = self.touched.get(&difference.thing()).copied();
        touched
            .max(self.forgotten_at)
            .is_none_or(|touched| touched < asked_at)
    }

    /// Remembers what differs now, and gives back what differed in the same way the last time.
    fn confirm(&mut self, asked_at: Moment, mut found: BTreeSet<Difference>) -> Vec<Difference> {
        found.retain(|difference| self.untouched_since(asked_at, difference));
        let confirmed = match &self.before {
            Some((asked_before, before)) => before
                .intersection(&found)
                .filter(|difference| self.untouched_since(*asked_before, difference))
                .cloned()
                .collect(),
            None => Vec::new(),
        };
        for difference in &confirmed {
            found.remove(difference);
        }
        self.before = Some((asked_at, found));
        self.touched.retain(|_, touched| *touched >= asked_at);
        confirmed
    }

    /// Counts a comparison. Tells whether too many have repaired something.
    fn count(&mut self, repaired: bool) -> bool {
        if repaired {
            self.repaired += 1;
            self.clean = 0;
        } else {
            self.clean += 1;
            if self.clean >= FORGIVEN_AFTER {
                self.repaired = 0;
            }
        }
        repaired && self.repaired >= REPAIRED_MAX
    }
}

impl Tracker {
    /// Compares what was reported with what the PBX answered to a question asked at `asked_at`, and
    /// repairs what two comparisons in a row found missing. The endpoints of the snapshot are not
    /// needed. Everything that was read before the answer has to have been handed over before it.
    pub fn compare(&mut self, at: Moment, asked_at: Moment, snapshot: &Snapshot) -> Comparison {
        self.fire_timers(at);
        let mut repairs = Vec::new();
        if !self.suspended {
            let picture = Picture::of(snapshot);
            let found = picture.differences(&self.topology);
            for difference in self.comparing.confirm(asked_at, found) {
                if let Some(event) = picture.report(&self.topology, &difference) {
                    self.apply(at, &event);
                    repairs.extend(difference.repair());
                }
            }
            self.reconcile(at);
        }
        Comparison {
            conclusions: std::mem::take(&mut self.conclusions),
            events_are_missing: self.comparing.count(!repairs.is_empty()),
            repairs,
        }
    }
}
