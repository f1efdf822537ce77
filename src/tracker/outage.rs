//! Losing sight of the PBX and finding the calls again.
//!
//! While the PBX is out of sight nothing starts, ends or moves (semantics §9.3). The snapshot that
//! comes afterwards is compared with the calls that stood: what it proves goes on, everything else
//! ends (§6.8).

use std::collections::BTreeMap;

use crate::model::{Moment, Phone};

use super::calls::{Call, Party, PendingTransfer};
use super::conclusion::{CallMemory, CallNumber, Conclusion, What};
use super::event::{PbxEvent, Snapshot};
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
            transfer: memory
                .transfer
                .clone()
                .map(|(from, exten)| PendingTransfer { from, exten }),
            home: memory.home.iter().cloned().collect(),
            paused: memory.paused.iter().cloned().collect(),
            remembered: memory.clone(),
            ..Call::default()
        };
        for party in &memory.parties {
            for id in &party.channels {
                // Only id, phone, call and hold are known; the snapshot brings the rest, or proves it gone.
                if let Some(other) = self.topology.channels.get(id).and_then(|known| known.call) {
                    self.left_behind.entry(id.clone()).or_default().insert(other);
                }
                let mut channel = Channel::remembered(id, &party.phone);
                channel.call = Some(number);
                channel.holding = memory.holding.contains(id);
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
        self.topology.replace(snapshot, &self.endpoints);
        self.forget_ringing(at);
        for event in meanwhile {
            self.apply(at, event);
        }
        // Judged without patience: what cannot be proved now is not proved later either.
        for number in self.unproved_transfers() {
            self.end(at, number);
        }
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

    /// Pending transfers whose transferee now talks to someone that the transfer does not explain.
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
                .collect();
            let explained = |phone: &Phone| phone.as_str() == transfer.exten || *phone == transfer.from;
            for bridge in bridges {
                let group = self.topology.group(&bridge);
                let mut others = group.members.iter().filter(|(id, _)| !channels.contains(id));
                if others.any(|(_, phone)| !explained(phone)) {
                    unproved.push(number);
                }
            }
        }
        unproved
    }

    /// Ringing that was told and of which the snapshot knows nothing is over.
    fn forget_ringing(&mut self, at: Moment) {
        for peer in self.ringing.dialled() {
            if !self.topology.channels.contains_key(&peer) {
                self.suspended = false;
                self.ringing_channel_gone(at, &peer);
                self.suspended = true;
            }
        }
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
            self.end(at, number);
        }
        debug_assert!(
            self.conclusions
                .iter()
                .all(|conclusion| conclusion.what == What::Bye)
        );
        std::mem::take(&mut self.conclusions)
    }
}
