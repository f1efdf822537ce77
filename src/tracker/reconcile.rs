//! Compares the groups of phones that hear each other with the calls that stand, and concludes.
//!
//! A change that nothing contradicts is concluded at once. A change of company that a transfer could
//! explain waits for the PBX to say so, for [`super::Patience::race`]; after that the groups are
//! taken as they are, and nobody inherits anything.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ChannelId, Moment, Phone};

use super::calls::{Call, Party};
use super::conclusion::{CallNumber, What};
use super::topology::Group;
use super::{Timer, Tracker};

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
        let goes_on = |(number, phones): (&CallNumber, &BTreeSet<Phone>)| {
            phones.len() >= 2
                || self
                    .calls
                    .get(*number)
                    .is_some_and(|call| call.transfer.is_some())
        };
        if !owners.iter().any(goes_on) {
            return self.part_and_begin(now, group, owners);
        }
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
        let new: Vec<Phone> = group
            .phones()
            .into_iter()
            .filter(|phone| !call.parties.contains_key(phone))
            .collect();
        self.join(now, group, survivor, &new);
    }

    /// One party of each call: none of the calls goes on here. A party that waits where it was left
    /// hears nothing of the new company, and goes on waiting.
    fn part_and_begin(&mut self, now: Moment, group: &Group, owners: &BTreeMap<CallNumber, BTreeSet<Phone>>) {
        for (number, phones) in owners {
            let staying: Vec<Phone> = phones.iter().cloned().collect();
            if !self.left_someone_waiting(*number, &staying) {
                self.end(now, *number);
            }
        }
        self.begin(now, group);
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

    pub(super) fn release(&mut self, number: CallNumber, party: Option<Party>) {
        for id in party.into_iter().flat_map(|party| party.channels) {
            if let Some(channel) = self.topology.channels.get_mut(&id)
                && channel.call == Some(number)
            {
                channel.call = None;
            }
        }
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
        // The group may have had another first bridge when its race began.
        for bridge in &group.bridges {
            self.races.remove(bridge);
        }
    }
}
