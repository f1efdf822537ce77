//! Losing sight of the PBX and finding the calls again.
//!
//! While the PBX is out of sight nothing starts, ends or moves (semantics §9.3). The snapshot that
//! comes afterwards is compared with the calls that stood: what it proves goes on, everything else
//! ends (§6.8).

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Moment, Phone};

use super::because::Because;
use super::calls::{Call, Party, PendingTransfer};
use super::compare::Comparing;
use super::conclusion::{CallMemory, CallNumber, Conclusion, What};
use super::event::{BridgeKind, PbxEvent, Snapshot};
use super::topology::Channel;
use super::{Timer, Tracker};

impl Tracker {
    /// The PBX is out of sight: nothing is concluded until [`Tracker::resume`].
    pub fn suspend(&mut self) {
        self.suspended = true;
    }

    /// Takes up a call that stood when an earlier process ended. To be followed by [`Tracker::resume`],
    /// which ends it unless the snapshot proves that it stands.
    pub fn adopt(&mut self, memory: &CallMemory) -> CallNumber {
        let number = self.calls.next_number();
        let mut call = Call {
            transfer: memory.transfer.clone().map(|(from, exten)| PendingTransfer {
                from,
                exten,
                unsure: true,
            }),
            home: memory.home.iter().cloned().collect(),
            paused: memory.paused.iter().cloned().collect(),
            remembered: memory.clone(),
            ..Call::default()
        };
        for party in &memory.parties {
            for id in &party.channels {
                // Only id, phone, calls and hold are known; the snapshot brings the rest, or proves it gone.
                let calls = self.adopted.entry(id.clone()).or_default();
                calls.insert(number, memory.holding.contains(id));
                let channel = Channel::remembered(id, &party.phone);
                self.topology.channels.insert(id.clone(), channel);
            }
            call.parties.insert(
                party.phone.clone(),
                Party {
                    name: party.name.clone(),
                    channels: party.channels.iter().cloned().collect(),
                    apart_since: None,
                },
            );
        }
        self.calls.standing.insert(number, call);
        number
    }

    /// The PBX is in sight again: compares its snapshot, and what it reported while the snapshot was
    /// taken, with the calls that stood.
    pub fn resume(&mut self, at: Moment, snapshot: &Snapshot, meanwhile: &[PbxEvent]) -> Vec<Conclusion> {
        self.suspended = true;
        self.timers.clear();
        self.races.clear();
        self.comparing = Comparing::default();
        self.topology.replace(snapshot, &self.endpoints);
        self.seat_adopted();
        self.forget_ringing(at);
        self.parted_unseen = self.parted_unseen();
        for event in meanwhile {
            self.apply(at, event);
        }
        self.parted_unseen.clear();
        // Judged without patience: what cannot be proved now is not proved later either.
        for number in self.unproved_transfers() {
            self.end(at, number, Because::NotProved);
        }
        self.part_with_the_gone(at);
        self.dirty.bridges.extend(self.topology.bridges.keys().cloned());
        self.dirty.calls.extend(self.calls.standing.keys().copied());
        self.reconcile(at);
        self.suspended = false;
        for (number, call) in &self.calls.standing {
            if call.parties.values().any(|party| party.apart_since.is_some()) {
                self.timers
                    .insert((at + self.patience.resume_delay, Timer::Settle(*number)));
            }
        }
        std::mem::take(&mut self.conclusions)
    }

    /// A channel that consulted was in two calls at once. It is active in the one where it sits now. Of those that are gone
    /// nothing is kept.
    fn seat_adopted(&mut self) {
        for (id, calls) in std::mem::take(&mut self.adopted) {
            let Some(channel) = self.topology.channels.get_mut(&id) else {
                continue;
            };
            let sits_there = |number: &&CallNumber| {
                let home = self.calls.get(**number).map(|call| &call.home);
                let bridge = channel.bridge.as_ref();
                home.zip(bridge)
                    .is_some_and(|(home, bridge)| home.contains(bridge))
            };
            let seat = calls.keys().find(sits_there).or(calls.keys().next_back());
            let Some(&active) = seat else { continue };
            // A hold ends with its channel's leaving (semantics §5.5).
            channel.holding = sits_there(&&active) && calls.get(&active).is_some_and(|holding| *holding);
            channel.call = Some(active);
            let others = calls.into_keys().filter(|number| *number != active);
            let left_behind = self.left_behind.entry(id).or_default();
            left_behind.extend(others);
        }
        let channels = &self.topology.channels;
        self.left_behind
            .retain(|id, calls| !calls.is_empty() && channels.contains_key(id));
    }

    /// Pending transfers whose transferee now sits with someone, or with nobody, where the transfer does not
    /// explain it. Those that are left are not sure any more, unless the transferee is in a parking lot:
    /// whoever may have come meanwhile put it there.
    fn unproved_transfers(&mut self) -> Vec<CallNumber> {
        let pending: BTreeMap<CallNumber, (PendingTransfer, Vec<_>)> = self
            .calls
            .standing
            .iter()
            .filter_map(|(number, call)| {
                let channels = call
                    .parties
                    .values()
                    .flat_map(|party| party.channels.iter().cloned())
                    .collect();
                Some((*number, (call.transfer.clone()?, channels)))
            })
            .collect();
        let mut unproved = Vec::new();
        for (number, (transfer, channels)) in pending {
            let bridges: Vec<_> = channels
                .iter()
                .filter_map(|id| self.topology.channels.get(id)?.bridge.clone())
                .filter_map(|id| Some((id.clone(), self.topology.bridges.get(&id)?.info.kind)))
                .collect();
            for (bridge, _) in bridges.iter().filter(|(_, kind)| *kind == BridgeKind::Mixing) {
                let group = self.topology.group(bridge);
                let mut others = group.members.iter().filter(|(id, _)| !channels.contains(id));
                let explained = others.clone().count() > 0 && others.all(|(_, phone)| transfer.names(phone));
                if !explained {
                    unproved.push(number);
                }
            }
            let is_parked = bridges.iter().any(|(_, kind)| *kind == BridgeKind::Parking);
            if let Some(pending) = self.calls.get_mut(number).and_then(|call| call.transfer.as_mut()) {
                pending.unsure = !is_parked;
                if is_parked {
                    // Where it had been sent before is not where it is expected now.
                    pending.exten.clear();
                }
            }
        }
        unproved
    }

    /// Calls of two of which the snapshot shows that one is gone, or sits with somebody else. Who did that was not
    /// seen, so who parks the one that is left is not the other one.
    fn parted_unseen(&mut self) -> BTreeSet<CallNumber> {
        let of_two = self.calls.standing.iter().filter(|(_, call)| {
            let parties = call.parties.len();
            call.transfer.is_none() && parties == 2
        });
        let mut parted = BTreeSet::new();
        for (number, call) in of_two {
            for party in call.parties.values() {
                let known = party
                    .channels
                    .iter()
                    .filter_map(|id| self.topology.channels.get(id));
                let bridges: Vec<_> = known.clone().filter_map(|known| known.bridge.clone()).collect();
                let is_gone = known.count() == 0;
                let has_others = bridges.iter().any(|bridge| {
                    let phones = self.topology.group(bridge).phones();
                    phones.iter().any(|phone| !call.parties.contains_key(phone))
                });
                if is_gone || has_others {
                    parted.insert(*number);
                }
            }
        }
        parted
    }

    /// A phone whose channels were destroyed out of sight is party no more (semantics §8.3), even if it talks to
    /// the others again by a new one: what it did meanwhile nobody knows.
    fn part_with_the_gone(&mut self, at: Moment) {
        let mut gone = Vec::new();
        for (number, call) in &self.calls.standing {
            let is_there = |party: &Party| {
                let mut channels = party.channels.iter();
                channels.any(|id| self.topology.channels.contains_key(id))
            };
            let absent = call.parties.iter().filter(|(_, party)| !is_there(party));
            let absent: Vec<Phone> = absent.map(|(phone, _)| phone.clone()).collect();
            let stays = call.parties.len() - absent.len();
            if !absent.is_empty() {
                gone.push((*number, absent, stays < 2));
            }
        }
        for (number, absent, is_over) in gone {
            if is_over {
                self.end(at, number, Because::ChannelsDestroyed);
                continue;
            }
            for phone in absent {
                self.leave(at, number, &phone, Because::ChannelsDestroyed);
            }
        }
    }

    /// Ringing that was told and of which the snapshot knows nothing is over.
    fn forget_ringing(&mut self, at: Moment) {
        for peer in self.ringing.dialled() {
            if !self.topology.channels.contains_key(&peer) {
                self.attempt_over(at, &peer);
                self.ringing_channel_gone(at, &peer);
            }
        }
        let channels = &self.topology.channels;
        self.ringing
            .numbers
            .retain(|calling, _| channels.contains_key(calling));
    }

    /// Whether the PBX is out of sight.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// Ends every call, as when a PBX is taken out of the configuration.
    pub fn end_all(&mut self, at: Moment) -> Vec<Conclusion> {
        let standing: Vec<CallNumber> = self.calls.standing.keys().copied().collect();
        for number in standing {
            self.end(at, number, Because::NoSuchPbx);
        }
        debug_assert!(
            self.conclusions
                .iter()
                .all(|conclusion| conclusion.what == What::Bye)
        );
        std::mem::take(&mut self.conclusions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::BridgeId;
    use crate::tracker::event::{BridgeInfo, ChannelInfo, DialProgress};
    use crate::tracker::{EndpointMap, Patience};

    #[test]
    fn of_who_called_and_is_gone_after_an_outage_nothing_is_kept() {
        let mut tracker = Tracker::new(EndpointMap::default(), Patience::default());
        let rings = PbxEvent::Dial {
            caller: Some(ChannelInfo::named("1", "PJSIP/1001-00000001")),
            peer: ChannelInfo::named("2", "PJSIP/1002-00000002"),
            progress: DialProgress::Ringing,
            forwarded: None,
        };
        let at = Moment::from_micros(1);
        tracker.handle(at, &rings);
        assert_eq!(tracker.ringing.numbers.len(), 1);
        tracker.suspend();
        tracker.resume(at, &Snapshot::default(), &[]);
        assert_eq!(
            (tracker.ringing.numbers.len(), tracker.ringing.dialled()),
            (0, Vec::new())
        );
    }

    #[test]
    fn of_who_consulted_and_is_gone_after_an_outage_nothing_is_kept() {
        let mut tracker = Tracker::new(EndpointMap::default(), Patience::default());
        let enters = |phone: &str, bridge: &str| PbxEvent::Entered {
            bridge: BridgeInfo {
                id: BridgeId::new(bridge),
                kind: BridgeKind::Mixing,
                conference: false,
            },
            channel: ChannelInfo::named(phone, &format!("PJSIP/{phone}-0000000{phone}")),
        };
        let at = Moment::from_micros(1);
        for (phone, bridge) in [("1", "a"), ("2", "a"), ("1", "b"), ("3", "b")] {
            tracker.handle(at, &enters(phone, bridge));
        }
        assert_eq!(tracker.left_behind.len(), 1);
        tracker.suspend();
        tracker.resume(at, &Snapshot::default(), &[]);
        assert_eq!(tracker.left_behind.len(), 0);
    }
}
