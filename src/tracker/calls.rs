//! The calls the tracker knows, and how a call looks from outside.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{BridgeId, ChannelId, Moment, Phone};

use super::conclusion::{CallMemory, CallNumber, CallView, RememberedParty};
use super::topology::Topology;

/// One call that began.
#[derive(Debug, Default)]
pub(super) struct Call {
    pub(super) parties: BTreeMap<Phone, Party>,
    /// A blind transfer or a park whose target has not arrived.
    pub(super) transfer: Option<PendingTransfer>,
    /// The bridges in which the parties last met.
    pub(super) home: BTreeSet<BridgeId>,
    /// One party waits where they met, while the other one consults.
    pub(super) waits: bool,
    /// The phones that were last concluded to be on hold, and who held.
    pub(super) paused: BTreeSet<Phone>,
    pub(super) holders: BTreeSet<Phone>,
    /// What was last given out to be remembered.
    pub(super) remembered: CallMemory,
}

#[derive(Debug, Default)]
pub(super) struct Party {
    pub(super) name: String,
    pub(super) channels: BTreeSet<ChannelId>,
    /// Since when it shares no bridge with another party.
    pub(super) apart_since: Option<Moment>,
}

#[derive(Clone, Debug)]
pub(super) struct PendingTransfer {
    pub(super) from: Phone,
    pub(super) exten: String,
    /// The PBX was out of sight while its target may have come and gone: only the phone that it went to,
    /// or the one that made it, still proves it (semantics §6.8).
    pub(super) unsure: bool,
}

impl PendingTransfer {
    /// Whether this phone is one that the transfer went to, or came from.
    pub(super) fn names(&self, phone: &Phone) -> bool {
        phone.as_str() == self.exten || *phone == self.from
    }
}

impl Call {
    /// A phone is not a party any more, and on hold in this call no more either.
    pub(super) fn lose(&mut self, phone: &Phone) -> Option<Party> {
        self.paused.remove(phone);
        self.holders.remove(phone);
        self.parties.remove(phone)
    }

    pub(super) fn view(&self, topology: &Topology) -> CallView {
        CallView {
            parties: self
                .parties
                .iter()
                .map(|(phone, party)| (phone.clone(), party.name.clone()))
                .collect(),
            paused: self.paused.clone(),
            transferring: self.transfer.is_some(),
            memory: self.memory(topology),
        }
    }

    pub(super) fn memory(&self, topology: &Topology) -> CallMemory {
        // Where a channel consults it holds for whom it consults, and not here. An unhold that waits for its
        // delay will have counted by the time this is needed.
        let holds = |id: &&ChannelId| {
            let known = topology.channels.get(*id);
            known.is_some_and(|channel| {
                let bridge = channel.bridge.as_ref();
                bridge.is_some_and(|bridge| self.home.contains(bridge))
                    && channel.holding
                    && channel.resumes_at.is_none()
            })
        };
        let parties = self.parties.iter().map(|(phone, party)| RememberedParty {
            phone: phone.clone(),
            name: party.name.clone(),
            channels: party.channels.iter().cloned().collect(),
        });
        CallMemory {
            parties: parties.collect(),
            holding: self
                .parties
                .values()
                .flat_map(|party| &party.channels)
                .filter(holds)
                .cloned()
                .collect(),
            paused: self.paused.iter().cloned().collect(),
            home: self.home.iter().cloned().collect(),
            transfer: self
                .transfer
                .as_ref()
                .map(|pending| (pending.from.clone(), pending.exten.clone())),
        }
    }
}

/// All calls that began and did not end.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pub(super) standing: BTreeMap<CallNumber, Call>,
    last_number: u64,
}

impl Calls {
    pub(super) fn next_number(&mut self) -> CallNumber {
        self.last_number += 1;
        CallNumber(self.last_number)
    }

    pub(super) fn get(&self, number: CallNumber) -> Option<&Call> {
        self.standing.get(&number)
    }

    pub(super) fn get_mut(&mut self, number: CallNumber) -> Option<&mut Call> {
        self.standing.get_mut(&number)
    }
}
