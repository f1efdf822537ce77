//! What the PBX says of transfers. Only its own word moves a mailbox.

use std::collections::BTreeSet;

use crate::model::{BridgeId, ChannelId, Moment, Phone};

use super::Tracker;
use super::because::Because;
use super::calls::{Party, PendingTransfer};
use super::conclusion::{CallNumber, What};
use super::event::{BridgeKind, ChannelInfo};

impl Tracker {
    /// A blind transfer succeeded: the target has not even rung yet (semantics §6.3).
    pub(super) fn on_blind_transfer(
        &mut self,
        at: Moment,
        made_by: &ChannelInfo,
        transferee: &ChannelId,
        exten: &str,
    ) {
        let Some(from) = self.phone_of(made_by) else {
            return;
        };
        if let Some(number) = self.transferred_call(transferee, &made_by.id, &from) {
            self.set_out(at, number, &from, exten, Because::TransferBegun);
        } else if let Some(number) = self.call_with_nobody_else(&made_by.id, &from) {
            // Whoever was sent away is gone already: there is nothing to wait for.
            self.end(at, number, Because::ChannelsDestroyed);
        }
    }

    /// The call of two of this leg of a phone, if all that the other one had in it is destroyed.
    fn call_with_nobody_else(&self, leg: &ChannelId, phone: &Phone) -> Option<CallNumber> {
        let standing = self.calls.standing.iter().filter(|(_, call)| {
            let (own, mut others) = (
                call.parties.get(phone),
                call.parties.iter().filter(|(other, _)| *other != phone),
            );
            call.parties.len() == 2
                && own.is_some_and(|party| party.channels.contains(leg))
                && others.all(|(_, party)| party.channels.is_empty())
        });
        standing.map(|(number, _)| *number).next()
    }

    /// A party of a call of two was parked: a transfer whose target is not known (semantics §6.6).
    ///
    /// Parking by blind transfer is reported as that too; whichever comes first counts.
    pub(super) fn on_parked(&mut self, at: Moment, channel: &ChannelId, kind: BridgeKind) {
        if kind != BridgeKind::Parking {
            return;
        }
        let beyond = self.topology.beyond(channel);
        let parked = beyond.iter().find_map(|id| {
            let number = self.topology.channels.get(id)?.call?;
            Some((number, self.topology.phone(id)?))
        });
        let Some((number, parked)) = parked else { return };
        let Some(call) = self.calls.get(number) else {
            return;
        };
        let others: Vec<Phone> = call
            .parties
            .keys()
            .filter(|phone| **phone != parked)
            .cloned()
            .collect();
        if let [from] = others.as_slice()
            && !self.parted_unseen.contains(&number)
        {
            self.set_out(at, number, from, "", Because::WasParked);
        }
    }

    /// An attended transfer succeeded (semantics §6.4), or its target still rings (§6.5).
    pub(super) fn on_attended_transfer(
        &mut self,
        at: Moment,
        first_leg: &ChannelInfo,
        second_leg: &ChannelId,
        second_bridge: Option<&BridgeId>,
        transferee: Option<&ChannelId>,
        target: Option<&ChannelId>,
    ) {
        self.judge_attended_transfer(at, first_leg, second_leg, second_bridge, transferee, target);
        if let (Some(transferee), None, None) = (transferee, second_bridge, target) {
            self.take_seat(at, second_leg, transferee);
        }
    }

    /// The transferer's second leg ran an application instead of sitting with a target. If that is a conference,
    /// the transferee is in its place there from now on, and no report of its own says so.
    fn take_seat(&mut self, at: Moment, second_leg: &ChannelId, transferee: &ChannelId) {
        let seat = self
            .topology
            .channels
            .get(second_leg)
            .and_then(|known| known.bridge.clone());
        let Some(bridge) = seat.and_then(|seat| self.topology.bridges.get(&seat)) else {
            return;
        };
        let bridge = bridge.info.clone();
        self.topology.leave(at, second_leg, &bridge.id);
        let left = self.topology.enter(transferee, &bridge);
        self.dirty.bridges.extend(left);
        self.dirty.bridges.insert(bridge.id);
        self.touch_calls_of(second_leg);
        self.touch_calls_of(transferee);
    }

    fn judge_attended_transfer(
        &mut self,
        at: Moment,
        first_leg: &ChannelInfo,
        second_leg: &ChannelId,
        second_bridge: Option<&BridgeId>,
        transferee: Option<&ChannelId>,
        target: Option<&ChannelId>,
    ) {
        let Some(from) = self.phone_of(first_leg) else {
            return;
        };
        let original = match transferee {
            Some(transferee) => self.transferred_call(transferee, &first_leg.id, &from),
            None => self
                .topology
                .channels
                .get(&first_leg.id)
                .and_then(|known| known.call),
        };
        let Some(original) = original else { return };
        if self
            .calls
            .get(original)
            .is_none_or(|call| call.parties.len() != 2)
        {
            return;
        }
        let consulted = self.consultation(original, &from, second_leg, second_bridge, target);
        if let Some((consultation, to)) = consulted {
            return self.hand_over(at, original, consultation, &from, &to);
        }
        self.set_out(at, original, &from, "", Because::TransferBegun);
        if let Some(transferee) = transferee {
            self.rings_for_transferee(at, &from, second_leg, transferee);
        }
    }

    /// The call in which the transferer consulted the target, and the target.
    fn consultation(
        &mut self,
        original: CallNumber,
        from: &Phone,
        second_leg: &ChannelId,
        second_bridge: Option<&BridgeId>,
        target: Option<&ChannelId>,
    ) -> Option<(CallNumber, Phone)> {
        let calls_of = |id: &ChannelId| self.topology.channels.get(id).and_then(|known| known.call);
        let mut candidates: BTreeSet<CallNumber> = [Some(second_leg), target]
            .into_iter()
            .flatten()
            .filter_map(calls_of)
            .collect();
        // A feature-code transfer names a Local half as its target: whoever is beyond it is meant.
        let bridges = target
            .into_iter()
            .filter_map(|id| self.topology.channels.get(id)?.bridge.clone());
        let bridges: Vec<BridgeId> = bridges.chain(second_bridge.cloned()).collect();
        for bridge in bridges {
            let members = self.topology.group(&bridge).members.into_keys();
            candidates.extend(members.filter_map(|id| self.topology.channels.get(&id)?.call));
        }
        candidates.remove(&original);
        candidates.into_iter().find_map(|number| {
            let call = self.calls.get(number)?;
            let mut others = call.parties.keys().filter(|phone| *phone != from);
            let to = others.next()?.clone();
            (call.parties.contains_key(from) && others.next().is_none()).then_some((number, to))
        })
    }

    /// The original call goes on with the target; the consultation is over.
    fn hand_over(
        &mut self,
        at: Moment,
        original: CallNumber,
        consultation: CallNumber,
        from: &Phone,
        to: &Phone,
    ) {
        let Some(mut consulted) = self.calls.standing.remove(&consultation) else {
            return;
        };
        self.depart(consulted.parties.remove(from));
        self.conclude(at, consultation, Because::ConsultationDone, What::Bye);
        self.nobody_rings_for(at, consultation);
        let target = consulted.parties.remove(to).unwrap_or_default();
        self.arrive(at, original, from, to, target, Because::TransferCompleted);
    }

    /// The transferer is out, and the target is not there yet.
    fn set_out(&mut self, at: Moment, number: CallNumber, from: &Phone, exten: &str, because: Because) {
        let Some(call) = self.calls.get_mut(number) else {
            return;
        };
        if call.parties.len() != 2 || call.transfer.is_some() {
            return;
        }
        let transferer = call.parties.remove(from);
        call.transfer = Some(PendingTransfer {
            from: from.clone(),
            exten: exten.to_owned(),
            unsure: false,
        });
        let left: Vec<ChannelId> = call
            .parties
            .values()
            .flat_map(|party| party.channels.clone())
            .collect();
        for party in call.parties.values_mut() {
            party.apart_since = None;
        }
        self.depart(transferer);
        self.carry_holds(number, None);
        self.dirty.bridges.extend(
            left.iter()
                .filter_map(|id| self.topology.channels.get(id)?.bridge.clone()),
        );
        self.conclude(at, number, because, What::Transferring { from: from.clone() });
        self.tell_what_rings_untold(at);
    }

    /// The target of a transfer takes the transferer's place.
    pub(super) fn arrive(
        &mut self,
        at: Moment,
        number: CallNumber,
        from: &Phone,
        to: &Phone,
        mut target: Party,
        because: Because,
    ) {
        target.apart_since = None;
        for id in &target.channels {
            if let Some(channel) = self.topology.channels.get_mut(id) {
                channel.call = Some(number);
            }
        }
        let Some(call) = self.calls.get_mut(number) else {
            return;
        };
        let transferer = call.parties.remove(from);
        call.transfer = None;
        call.parties.insert(to.clone(), target);
        self.depart(transferer);
        self.carry_holds(number, Some(to));
        self.dirty.calls.insert(number);
        self.conclude(
            at,
            number,
            because,
            What::Transfer {
                from: from.clone(),
                to: to.clone(),
            },
        );
        self.nothing_comes_back(at, number);
    }

    /// The channels of a transferer may linger where they were for seconds; they count no more.
    fn depart(&mut self, transferer: Option<Party>) {
        for id in transferer.into_iter().flat_map(|party| party.channels) {
            if let Some(channel) = self.topology.channels.get_mut(&id) {
                channel.departed = true;
                channel.call = None;
                channel.holding = false;
                channel.resumes_at = None;
                self.dirty.bridges.extend(channel.bridge.clone());
            }
        }
    }

    /// The call out of which this leg of a phone transferred somebody. Where the other side was behind a
    /// Local channel, Asterisk names that half of it which it moves, and whoever is beyond it is meant.
    fn transferred_call(
        &mut self,
        transferee: &ChannelId,
        leg: &ChannelId,
        from: &Phone,
    ) -> Option<CallNumber> {
        if let Some(number) = self.call_of_both(transferee, from) {
            return Some(number);
        }
        let has_leg = |number: &CallNumber| {
            let party = self.calls.get(*number).and_then(|call| call.parties.get(from));
            // The leg may be destroyed already.
            party.is_some_and(|party| party.channels.is_empty() || party.channels.contains(leg))
        };
        let beyond = self.topology.beyond(transferee);
        let calls = beyond.iter().filter_map(|id| self.call_of_both(id, from));
        // The consultation came later.
        calls.filter(has_leg).min()
    }

    /// The call of this channel, if the phone is party to it as well.
    fn call_of_both(&self, channel: &ChannelId, phone: &Phone) -> Option<CallNumber> {
        let knows_both = |number: &CallNumber| {
            self.calls.get(*number).is_some_and(|call| {
                call.parties.contains_key(phone)
                    && call
                        .parties
                        .iter()
                        .any(|(other, party)| other != phone && party.channels.contains(channel))
            })
        };
        let active = self.topology.channels.get(channel).and_then(|known| known.call);
        // Not a call that it left behind: a report that comes too late changes nothing any more.
        active.filter(knows_both)
    }

    /// The phone of a channel that may be destroyed already.
    fn phone_of(&mut self, info: &ChannelInfo) -> Option<Phone> {
        if let Some(phone) = self.topology.phone(&info.id) {
            return Some(phone);
        }
        if let Some(phone) = self.topology.buried_phone(&info.id) {
            return Some(phone);
        }
        let holder = |party: &Party| party.channels.contains(&info.id);
        let known = self
            .calls
            .standing
            .values()
            .flat_map(|call| &call.parties)
            .find(|(_, party)| holder(party));
        known
            .map(|(phone, _)| phone.clone())
            .or_else(|| match self.endpoints.who(&info.name) {
                super::endpoints::Who::Inside(phone) => Some(phone),
                super::endpoints::Who::Trunk { .. }
                | super::endpoints::Who::Local { .. }
                | super::endpoints::Who::Nobody => None,
            })
    }
}
