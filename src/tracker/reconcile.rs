//! Compares the groups of phones that hear each other with the calls that stand, and concludes.
//!
//! A change that nothing contradicts is concluded at once. A change of company that a transfer could
//! explain waits for the PBX to say so, for [`super::Patience::race`]; after that the groups are
//! taken as they are, and nobody inherits anything.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::{ChannelId, Moment, Phone};

use super::because::Because;
use super::calls::{Call, Party, PendingTransfer};
use super::conclusion::{CallNumber, What};
use super::topology::Group;
use super::{Timer, Tracker};

impl Tracker {
    /// Looks again at everything that was touched.
    pub(super) fn reconcile(&mut self, now: Moment) {
        loop {
            self.judge_bridges(now);
            let Some(number) = self.dirty.calls.pop_first() else {
                return;
            };
            self.settle(now, number);
        }
    }

    fn judge_bridges(&mut self, now: Moment) {
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
            self.answered_into(now, group, number);
            for other in owners.into_keys().filter(|other| *other != number) {
                if self.is_all_here(group, other) {
                    self.absorb(now, group, number, other);
                }
            }
            self.attach(group, number);
        } else if owners.is_empty() {
            self.begin(now, group, Because::TheyMet);
        } else if owners.len() == 1 {
            if let Some(number) = owners.keys().next().copied()
                && !self.welcome(now, group, &phones, number)
            {
                return;
            }
        } else {
            let patience = if self.someone_may_have_transferred(&phones, &owners)
                || self.someone_may_follow(&phones, &owners)
            {
                self.patience.report
            } else {
                self.patience.race
            };
            if !self.race_is_over(now, group, patience) {
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
    fn begin(&mut self, now: Moment, group: &Group, because: Because) {
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
        self.conclude(now, number, because, What::Call { from, to });
        self.ringing_became_call(now, group, number);
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
            self.complete_transfer(now, group, number, &pending, &new);
            return true;
        }
        if staying.len() >= 2 {
            if !group.conference && !self.race_is_over(now, group, self.patience.race) {
                return false;
            }
            self.join(now, group, number, &new);
            return true;
        }
        if self.left_someone_waiting(number, &staying) {
            // A consultation on the same channel: a call of its own, while the first one waits.
            self.begin(now, group, Because::Consults);
            return true;
        }
        if !self.race_is_over(now, group, self.patience.race) {
            return false;
        }
        // The company changed and no transfer explains it: nobody inherits (semantics §6.8).
        self.part(now, number, &staying, Because::CompanyChanged);
        self.begin(now, group, Because::CompanyChanged);
        true
    }

    /// The transferee of a pending transfer talks to someone again.
    fn complete_transfer(
        &mut self,
        now: Moment,
        group: &Group,
        number: CallNumber,
        pending: &PendingTransfer,
        new: &[Phone],
    ) {
        let from = &pending.from;
        match new {
            [back] if back == from => {
                self.ringing_became_call(now, group, number);
                if let Some(call) = self.calls.get_mut(number) {
                    call.transfer = None;
                }
                self.attach(group, number);
                self.carry_holds(number, Some(from));
                self.conclude(
                    now,
                    number,
                    Because::CameBack,
                    What::Call { from: None, to: None },
                );
                self.nothing_comes_back(now, number);
            }
            [target] if !group.conference && (!pending.unsure || pending.names(target)) => {
                self.ringing_became_call(now, group, number);
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
                self.arrive(now, number, from, target, party, Because::TargetAnswered);
                self.attach(group, number);
            }
            // Transferred into a conference, where no phone takes the transferer's place; or nobody saw whether
            // this is the target (semantics §6.8).
            _ => {
                self.end(now, number, Because::TransferredToMany);
                self.begin(now, group, Because::TransferredToMany);
            }
        }
    }

    /// Phones join a call that goes on.
    fn join(&mut self, now: Moment, group: &Group, number: CallNumber, new: &[Phone]) {
        self.answered_into(now, group, number);
        for phone in new {
            for (id, _) in group.members.iter().filter(|(_, member)| *member == phone) {
                self.take_in(number, id, phone);
            }
            self.conclude(
                now,
                number,
                Because::OneMoreMet,
                What::Join { phone: phone.clone() },
            );
        }
        self.attach(group, number);
    }

    /// Parties of several calls sit together, and no transfer explained it (semantics §7.2).
    fn merge(&mut self, now: Moment, group: &Group, owners: &BTreeMap<CallNumber, BTreeSet<Phone>>) {
        let present = group.phones();
        let here = |number: &CallNumber| {
            let parties = self.calls.get(*number).map(|call| call.parties.keys());
            let here = parties.into_iter().flatten();
            here.filter(|phone| present.contains(*phone)).count()
        };
        // The one with the largest company goes on, and of equals the oldest.
        let survivor = owners
            .keys()
            .map(|number| (here(number), std::cmp::Reverse(*number)))
            .filter(|(parties, _)| *parties >= 2)
            .max();
        let Some((_, std::cmp::Reverse(survivor))) = survivor else {
            return self.part_and_begin(now, group, owners);
        };
        for (number, phones) in owners {
            if *number == survivor {
                continue;
            }
            let is_here = |call: &Call| call.parties.keys().all(|phone| present.contains(phone));
            if self.calls.get(*number).is_some_and(is_here) {
                self.absorb(now, group, survivor, *number);
            } else {
                self.move_out(now, *number, phones);
            }
        }
        let Some(call) = self.calls.get(survivor) else {
            return;
        };
        let new: Vec<Phone> = present
            .into_iter()
            .filter(|phone| !call.parties.contains_key(phone))
            .collect();
        self.join(now, group, survivor, &new);
    }

    /// Whether a call has moved here as a whole, and not only phones that are in it too.
    fn is_all_here(&self, group: &Group, number: CallNumber) -> bool {
        self.calls.get(number).is_some_and(|call| {
            let mut parties = call.parties.values();
            parties.all(|party| party.channels.iter().any(|id| group.members.contains_key(id)))
        })
    }

    /// Everybody of this call is here: it becomes part of the other one.
    fn absorb(&mut self, now: Moment, group: &Group, survivor: CallNumber, absorbed: CallNumber) {
        let Some(gone) = self.calls.standing.remove(&absorbed) else {
            return;
        };
        let Some(call) = self.calls.get(survivor) else {
            return;
        };
        let joined: Vec<Phone> = gone
            .parties
            .into_keys()
            .filter(|phone| !call.parties.contains_key(phone))
            .collect();
        for (id, phone) in &group.members {
            if joined.contains(phone) {
                self.take_in(survivor, id, phone);
            }
        }
        self.conclude(
            now,
            survivor,
            Because::TwoCallsMet,
            What::Merge { absorbed, joined },
        );
        self.nobody_rings_for(now, absorbed);
    }

    /// These parties of a call are with another one now, and others are not.
    fn move_out(&mut self, now: Moment, number: CallNumber, phones: &BTreeSet<Phone>) {
        let Some(call) = self.calls.get_mut(number) else {
            return;
        };
        for phone in phones {
            call.lose(phone);
        }
        if call.parties.len() < 2 {
            self.end(now, number, Because::MovedToOthers);
            return;
        }
        for phone in phones {
            self.conclude(
                now,
                number,
                Because::MovedToOthers,
                What::Leave { phone: phone.clone() },
            );
        }
        self.dirty.calls.insert(number);
    }

    /// One party of each call: none of the calls goes on here. A party that waits where it was left
    /// hears nothing of the new company, and goes on waiting.
    fn part_and_begin(&mut self, now: Moment, group: &Group, owners: &BTreeMap<CallNumber, BTreeSet<Phone>>) {
        for (number, phones) in owners {
            let staying: Vec<Phone> = phones.iter().cloned().collect();
            if !self.left_someone_waiting(*number, &staying) {
                self.part(now, *number, &staying, Because::StrangersMet);
            }
        }
        self.begin(now, group, Because::StrangersMet);
    }

    /// These parties of a call are in other company. The call goes on if at least two others still sit
    /// together.
    fn part(&mut self, now: Moment, number: CallNumber, gone: &[Phone], because: Because) {
        let together = self.together(number);
        if together.is_empty() {
            return self.end(now, number, because);
        }
        // A phone may be here with one device and there with another.
        for phone in gone.iter().filter(|phone| !together.contains(*phone)) {
            self.leave(now, number, phone, Because::MovedToOthers);
        }
        self.dirty.calls.insert(number);
    }

    /// The call is over.
    pub(super) fn end(&mut self, now: Moment, number: CallNumber, because: Because) {
        let Some(call) = self.calls.standing.remove(&number) else {
            return;
        };
        for party in call.parties.into_values() {
            self.release(number, Some(party));
        }
        self.conclude(now, number, because, What::Bye);
        self.nobody_rings_for(now, number);
    }

    pub(super) fn release(&mut self, number: CallNumber, party: Option<Party>) {
        for id in party.into_iter().flat_map(|party| party.channels) {
            if let Some(channel) = self.topology.channels.get_mut(&id)
                && channel.call == Some(number)
            {
                channel.call = None;
                // Whom it sits with may be a call of their own now.
                self.dirty.bridges.extend(channel.bridge.clone());
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
        let stands = |before: &CallNumber| *before != number && self.calls.get(*before).is_some();
        if let Some(before) = before.filter(stands) {
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

    /// Whether the calls of those who met have a party in common that is not among them: who consulted one of
    /// them, and may have left the other one to it.
    fn someone_may_have_transferred(
        &self,
        present: &BTreeSet<Phone>,
        owners: &BTreeMap<CallNumber, BTreeSet<Phone>>,
    ) -> bool {
        let mut missing = BTreeSet::new();
        owners
            .keys()
            .filter_map(|number| self.calls.get(*number))
            .flat_map(|call| call.parties.keys())
            .any(|phone| !present.contains(phone) && !missing.insert(phone))
    }

    /// Whether someone came here alone and left a party of its call with nobody, who may be on its way: the PBX
    /// moves a whole call one by one.
    fn someone_may_follow(
        &mut self,
        present: &BTreeSet<Phone>,
        owners: &BTreeMap<CallNumber, BTreeSet<Phone>>,
    ) -> bool {
        let mut missing = Vec::new();
        for (number, here) in owners.iter().filter(|(_, here)| here.len() < 2) {
            let parties = self.calls.get(*number).into_iter().flat_map(|call| &call.parties);
            let absent = parties.filter(|(phone, _)| !present.contains(*phone) && !here.contains(*phone));
            missing
                .extend(absent.flat_map(|(_, party)| party.channels.iter().map(|id| (*number, id.clone()))));
        }
        missing.into_iter().any(|(number, id)| {
            let known = self.topology.channels.get(&id);
            let known = known.filter(|known| known.call == Some(number));
            match known.map(|known| known.bridge.clone()) {
                Some(Some(bridge)) => self.topology.group(&bridge).phones().len() < 2,
                Some(None) => true,
                None => false,
            }
        })
    }

    /// Whether a change of company has waited long enough for an explanation.
    fn race_is_over(&mut self, now: Moment, group: &Group, patience: Duration) -> bool {
        let Some(first) = group.bridges.first() else {
            return true;
        };
        // How long it may take depends on who has met by now, so what is kept is when it began.
        let due = *self.races.entry(first.clone()).or_insert(now) + patience;
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
