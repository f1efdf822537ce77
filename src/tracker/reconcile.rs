//! Compares the groups of phones that hear each other with the calls that stand, and concludes.
//!
//! A change that nothing contradicts is concluded at once. A change of company that a transfer could
//! explain waits for the PBX to say so, for [`super::Patience::race`]; after that the groups are
//! taken as they are, and nobody inherits anything.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{BridgeId, ChannelId, Moment, Phone};

use super::calls::{Call, Party};
use super::conclusion::{CallNumber, What};
use super::topology::Group;
use super::{Timer, Tracker};

/// Where the parties of a call are.
#[derive(Default)]
struct Whereabouts {
    /// Together with at least one other party.
    present: BTreeSet<Phone>,
    /// Alive, but alone or elsewhere.
    apart: BTreeSet<Phone>,
    /// Without a living channel.
    gone: BTreeSet<Phone>,
    /// The bridges in which the present ones meet.
    bridges: BTreeSet<BridgeId>,
}

impl Tracker {
    /// Looks again at everything that was touched.
    pub(super) fn reconcile(&mut self, now: Moment) {
        let mut judged = BTreeSet::new();
        while let Some(bridge) = self.dirty.bridges.pop_first() {
            if judged.contains(&bridge) {
                continue;
            }
            let group = self.topology.group(&bridge);
            judged.extend(group.bridges.iter().cloned());
            self.dirty.calls.extend(
                group
                    .members
                    .keys()
                    .filter_map(|id| self.topology.channels.get(id)?.call),
            );
            self.judge(now, &group);
        }
        while let Some(number) = self.dirty.calls.pop_first() {
            self.settle(now, number);
        }
    }

    /// Decides which call the phones of a group are in.
    fn judge(&mut self, now: Moment, group: &Group) {
        let phones = group.phones();
        if phones.len() < 2 {
            self.forget_race(group);
            return;
        }
        let owners = self.owners(group);
        let complete = owners.keys().copied().find(|number| {
            self.calls
                .get(*number)
                .is_some_and(|call| phones.iter().all(|phone| call.parties.contains_key(phone)))
        });
        if let Some(number) = complete {
            self.attach(group, number);
        } else if owners.is_empty() {
            self.begin(now, group);
        } else if owners.len() == 1 {
            if let Some(number) = owners.keys().next().copied()
                && !self.welcome(now, group, &phones, number)
            {
                return;
            }
        } else {
            if !self.race_is_over(now, group) {
                return;
            }
            self.merge(now, group, &owners);
        }
        self.forget_race(group);
    }

    /// The standing calls that the channels of a group are active in, with the parties there.
    fn owners(&self, group: &Group) -> BTreeMap<CallNumber, BTreeSet<Phone>> {
        let mut owners: BTreeMap<CallNumber, BTreeSet<Phone>> = BTreeMap::new();
        for (id, phone) in &group.members {
            let active = self.topology.channels.get(id).and_then(|channel| channel.call);
            if let Some(number) = active.filter(|number| {
                self.calls
                    .get(*number)
                    .is_some_and(|call| call.parties.contains_key(phone))
            }) {
                owners.entry(number).or_default().insert(phone.clone());
            }
        }
        owners
    }

    /// A group that nobody knew is a new call.
    fn begin(&mut self, now: Moment, group: &Group) {
        let number = self
            .ringing
            .number_for(group)
            .filter(|number| self.calls.get(*number).is_none())
            .unwrap_or_else(|| self.calls.next_number());
        let (from, to) = self.caller_and_callee(group);
        self.calls.standing.insert(
            number,
            Call {
                home: group.bridges.clone(),
                ..Call::default()
            },
        );
        for (id, phone) in &group.members {
            self.take_in(number, id, phone);
        }
        self.conclude(now, number, What::Call { from, to });
        self.ringing_became_call(group, number);
        self.dirty.calls.insert(number);
    }

    /// Unknown phones sit with parties of one call. `false` if that has to wait for an explanation.
    fn welcome(&mut self, now: Moment, group: &Group, phones: &BTreeSet<Phone>, number: CallNumber) -> bool {
        let Some(call) = self.calls.get(number) else {
            return true;
        };
        let (staying, new): (Vec<Phone>, Vec<Phone>) = phones
            .iter()
            .cloned()
            .partition(|phone| call.parties.contains_key(phone));
        if let Some(pending) = call.transfer.clone() {
            self.complete_transfer(now, group, number, &pending.from, &new);
            return true;
        }
        if staying.len() >= 2 {
            if !group.conference && !self.race_is_over(now, group) {
                return false;
            }
            self.join(now, group, number, &new);
            return true;
        }
        if self.left_someone_waiting(number, &staying) {
            // A consultation on the same channel: a call of its own, while the first one waits.
            self.begin(now, group);
            return true;
        }
        if !self.race_is_over(now, group) {
            return false;
        }
        // The company changed and no transfer explains it: nobody inherits (semantics §6.8).
        self.end(now, number);
        self.begin(now, group);
        true
    }

    /// The transferee of a pending transfer talks to someone again.
    fn complete_transfer(
        &mut self,
        now: Moment,
        group: &Group,
        number: CallNumber,
        from: &Phone,
        new: &[Phone],
    ) {
        match new {
            [back] if back == from => {
                if let Some(call) = self.calls.get_mut(number) {
                    call.transfer = None;
                }
                self.attach(group, number);
                self.conclude(now, number, What::Call { from: None, to: None });
            }
            [target] => {
                self.ringing_became_call(group, number);
                let channels = group
                    .members
                    .iter()
                    .filter(|(_, phone)| *phone == target)
                    .map(|(id, _)| id.clone());
                let party = Party {
                    name: self.name_of(group, target),
                    channels: channels.collect(),
                    apart_since: None,
                };
                self.arrive(now, number, from, target, party);
                self.attach(group, number);
            }
            // Transferred into a conference: no single phone takes the transferer's place.
            _ => {
                self.end(now, number);
                self.begin(now, group);
            }
        }
    }

    /// Phones join a call that goes on.
    fn join(&mut self, now: Moment, group: &Group, number: CallNumber, new: &[Phone]) {
        for phone in new {
            for (id, _) in group.members.iter().filter(|(_, member)| *member == phone) {
                self.take_in(number, id, phone);
            }
            self.conclude(now, number, What::Join { phone: phone.clone() });
        }
        self.attach(group, number);
    }

    /// Parties of several calls sit together, and no transfer explained it.
    fn merge(&mut self, now: Moment, group: &Group, owners: &BTreeMap<CallNumber, BTreeSet<Phone>>) {
        let most = owners
            .iter()
            .max_by_key(|(number, phones)| (phones.len(), std::cmp::Reverse(**number)));
        let Some((&survivor, _)) = most else { return };
        let absorbed: Vec<CallNumber> = owners
            .keys()
            .copied()
            .filter(|number| *number != survivor)
            .collect();
        for number in absorbed {
            let Some(call) = self.calls.get_mut(number) else {
                continue;
            };
            for phone in owners.get(&number).into_iter().flatten() {
                call.parties.remove(phone);
            }
            if call.parties.len() < 2 {
                self.end(now, number);
            } else {
                for phone in owners.get(&number).into_iter().flatten() {
                    self.conclude(now, number, What::Leave { phone: phone.clone() });
                }
                self.dirty.calls.insert(number);
            }
        }
        let Some(call) = self.calls.get(survivor) else {
            return;
        };
        let continuing = owners.get(&survivor).map_or(0, BTreeSet::len);
        if continuing < 2 && call.transfer.is_none() && !self.left_someone_waiting(survivor, &[]) {
            // One party of each: there is no call that goes on.
            self.end(now, survivor);
            self.begin(now, group);
            return;
        }
        let new: Vec<Phone> = group
            .phones()
            .into_iter()
            .filter(|phone| !call.parties.contains_key(phone))
            .collect();
        self.join(now, group, survivor, &new);
    }

    /// Judges the whereabouts of a call's parties: who is gone, who is away, who holds.
    fn settle(&mut self, now: Moment, number: CallNumber) {
        let Some(call) = self.calls.get_mut(number) else {
            return;
        };
        for party in call.parties.values_mut() {
            let was_alive = !party.channels.is_empty();
            party
                .channels
                .retain(|id| self.topology.channels.contains_key(id));
            if was_alive && party.channels.is_empty() {
                // However long it was away before, it is gone from now.
                party.apart_since = Some(now);
            }
        }
        if call.transfer.is_some() {
            if call.parties.values().all(|party| party.channels.is_empty()) {
                self.end(now, number);
            }
            return;
        }
        let whereabouts = self.whereabouts(number);
        if whereabouts.apart.is_empty() && whereabouts.gone.is_empty() {
            if let Some(call) = self.calls.get_mut(number) {
                call.home = whereabouts.bridges;
                call.waits = false;
                for party in call.parties.values_mut() {
                    party.apart_since = None;
                }
            }
            self.settle_holds(now, number, &BTreeSet::new());
            self.remember(now, number);
            return;
        }
        self.settle_absent(now, number, &whereabouts);
    }

    fn settle_absent(&mut self, now: Moment, number: CallNumber, whereabouts: &Whereabouts) {
        let waiting = self.waits_at_home(number);
        let patience = self.patience;
        // Nobody is left to go elsewhere: that is a hangup, and nothing can explain it otherwise.
        let nobody_left = whereabouts.present.is_empty() && whereabouts.apart.is_empty();
        let Some(call) = self.calls.get_mut(number) else {
            return;
        };
        if std::mem::replace(&mut call.waits, waiting.is_some()) && waiting.is_none() {
            // The consultation is over: who does not come back is missing from now, not from its beginning.
            for party in call.parties.values_mut() {
                party.apart_since = None;
            }
        }
        let mut leaving = Vec::new();
        let mut away = BTreeSet::new();
        for (phone, party) in &mut call.parties {
            if whereabouts.present.contains(phone) {
                party.apart_since = None;
                continue;
            }
            let since = *party.apart_since.get_or_insert(now);
            let due = if whereabouts.gone.contains(phone) {
                since
                    + if nobody_left {
                        std::time::Duration::ZERO
                    } else {
                        patience.race
                    }
            } else if waiting.is_some() {
                // Someone waits where they met: the other one consults, and is to come back.
                let consults = since + patience.resume_delay;
                if now < consults {
                    self.timers.insert((consults, Timer::Settle(number)));
                } else if waiting.as_ref() != Some(phone) {
                    away.insert(phone.clone());
                }
                continue;
            } else {
                since + patience.settle
            };
            if now >= due || self.suspended {
                leaving.push(phone.clone());
            } else {
                self.timers.insert((due, Timer::Settle(number)));
            }
        }
        if call.parties.len() < leaving.len() + 2 && !leaving.is_empty() {
            self.end(now, number);
            return;
        }
        for phone in &leaving {
            self.leave(now, number, phone);
        }
        if !away.is_empty() {
            self.settle_holds(now, number, &away);
        }
        if !leaving.is_empty() {
            self.settle(now, number);
        }
    }

    fn leave(&mut self, now: Moment, number: CallNumber, phone: &Phone) {
        let party = self
            .calls
            .get_mut(number)
            .and_then(|call| call.parties.remove(phone));
        self.release(number, party);
        self.conclude(now, number, What::Leave { phone: phone.clone() });
    }

    /// The call is over.
    pub(super) fn end(&mut self, now: Moment, number: CallNumber) {
        let Some(call) = self.calls.standing.remove(&number) else {
            return;
        };
        for party in call.parties.into_values() {
            self.release(number, Some(party));
        }
        self.conclude(now, number, What::Bye);
    }

    fn release(&mut self, number: CallNumber, party: Option<Party>) {
        for id in party.into_iter().flat_map(|party| party.channels) {
            if let Some(channel) = self.topology.channels.get_mut(&id)
                && channel.call == Some(number)
            {
                channel.call = None;
            }
        }
    }

    fn whereabouts(&mut self, number: CallNumber) -> Whereabouts {
        let mut found = Whereabouts::default();
        let Some(call) = self.calls.get(number) else {
            return found;
        };
        let parties: Vec<(Phone, Vec<ChannelId>)> = call
            .parties
            .iter()
            .map(|(phone, party)| (phone.clone(), party.channels.iter().cloned().collect()))
            .collect();
        let mut bridges = BTreeSet::new();
        for (phone, channels) in &parties {
            if channels.is_empty() {
                found.gone.insert(phone.clone());
            }
            let here = channels
                .iter()
                .filter_map(|id| self.topology.channels.get(id))
                .filter(|c| c.call == Some(number));
            bridges.extend(here.filter_map(|channel| channel.bridge.clone()));
        }
        // The largest company counts as the call.
        let mut best: Option<(BTreeSet<Phone>, BTreeSet<BridgeId>)> = None;
        while let Some(bridge) = bridges.pop_first() {
            let group = self.topology.group(&bridge);
            bridges.retain(|other| !group.bridges.contains(other));
            let members = group.members.iter().filter(|(id, _)| {
                self.topology
                    .channels
                    .get(*id)
                    .is_some_and(|channel| channel.call == Some(number))
            });
            let together: BTreeSet<Phone> = members.map(|(_, phone)| phone.clone()).collect();
            if together.len() >= 2
                && best
                    .as_ref()
                    .is_none_or(|(company, _)| together.len() > company.len())
            {
                best = Some((together, group.bridges));
            }
        }
        (found.present, found.bridges) = best.unwrap_or_default();
        let absent = parties.into_iter().map(|(phone, _)| phone);
        found.apart = absent
            .filter(|phone| !found.present.contains(phone) && !found.gone.contains(phone))
            .collect();
        found
    }

    /// The party of a call of two that sits alone in the bridge where the two met, if the other one
    /// has a living channel elsewhere.
    fn waits_at_home(&self, number: CallNumber) -> Option<Phone> {
        let call = self.calls.get(number)?;
        if call.parties.len() != 2 || call.parties.values().any(|party| party.channels.is_empty()) {
            return None;
        }
        let at_home = |party: &Party| {
            party
                .channels
                .iter()
                .filter_map(|id| self.topology.channels.get(id))
                .any(|channel| {
                    channel.call == Some(number)
                        && channel
                            .bridge
                            .as_ref()
                            .is_some_and(|bridge| call.home.contains(bridge))
                })
        };
        let mut waiting = call
            .parties
            .iter()
            .filter(|(_, party)| at_home(party))
            .map(|(phone, _)| phone.clone());
        waiting.next().filter(|_| waiting.next().is_none())
    }

    /// Whether the one that stays with new company left the other party waiting where they met.
    fn left_someone_waiting(&self, number: CallNumber, staying: &[Phone]) -> bool {
        self.waits_at_home(number)
            .is_some_and(|waiting| !staying.contains(&waiting))
    }

    /// The group is the call: every channel of it counts there.
    fn attach(&mut self, group: &Group, number: CallNumber) {
        for (id, phone) in &group.members {
            self.take_in(number, id, phone);
        }
        self.dirty.calls.insert(number);
    }

    fn take_in(&mut self, number: CallNumber, id: &ChannelId, phone: &Phone) {
        let Some(channel) = self.topology.channels.get_mut(id) else {
            return;
        };
        let before = channel.call.replace(number);
        let name = channel.info.caller.name.clone();
        if let Some(before) = before.filter(|before| *before != number) {
            self.left_behind.entry(id.clone()).or_default().insert(before);
            self.dirty.calls.insert(before);
        }
        if let Some(call) = self.calls.get_mut(number) {
            let party = call.parties.entry(phone.clone()).or_default();
            party.channels.insert(id.clone());
            if party.name.is_empty() {
                party.name = name;
            }
        }
    }

    fn name_of(&self, group: &Group, phone: &Phone) -> String {
        let mut channels = group.members.iter().filter(|(_, member)| *member == phone);
        let named = channels.find_map(|(id, _)| self.topology.channels.get(id));
        named
            .map(|channel| channel.info.caller.name.clone())
            .unwrap_or_default()
    }

    /// Tells what is to be kept of a call, if it changed without anything a party would notice.
    fn remember(&mut self, now: Moment, number: CallNumber) {
        let Some(call) = self.calls.get(number) else {
            return;
        };
        if call.remembered != call.memory(&self.topology) {
            self.conclude(now, number, What::Remember);
        }
    }

    /// Whether a change of company has waited long enough for an explanation.
    fn race_is_over(&mut self, now: Moment, group: &Group) -> bool {
        let Some(first) = group.bridges.first() else {
            return true;
        };
        let due = *self
            .races
            .entry(first.clone())
            .or_insert(now + self.patience.race);
        if now >= due || self.suspended {
            return true;
        }
        self.timers.insert((due, Timer::Race(first.clone())));
        false
    }

    fn forget_race(&mut self, group: &Group) {
        if let Some(first) = group.bridges.first() {
            self.races.remove(first);
        }
    }
}
