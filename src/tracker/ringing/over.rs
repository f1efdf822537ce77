//! How ringing ends: in a call, in another call, or in nothing.

use crate::model::{ChannelId, Moment, Phone};

use super::Attempt;
use crate::tracker::because::Because;
use crate::tracker::conclusion::{CallNumber, What};
use crate::tracker::topology::Group;
use crate::tracker::{Timer, Tracker};

impl Tracker {
    /// A call began with this group: what rang for it rings no more, and is no news.
    ///
    /// Other phones of a ring group go on ringing until their own attempts are over.
    pub(in crate::tracker) fn ringing_became_call(&mut self, at: Moment, group: &Group, number: CallNumber) {
        self.answered_into(at, group, number);
        for id in &group.locals {
            self.answered(at, id, number);
        }
        self.ringing.numbers.retain(|_, known| *known != number);
    }

    /// Who rang came into a call that stands.
    pub(in crate::tracker) fn answered_into(&mut self, at: Moment, group: &Group, number: CallNumber) {
        for id in group.members.keys() {
            self.answered(at, id, number);
        }
    }

    /// If it rang for another call, that one never begins.
    fn answered(&mut self, at: Moment, peer: &ChannelId, number: CallNumber) {
        let attempt = self.ringing.attempts.get(peer);
        let told = attempt.and_then(|attempt| attempt.told.as_ref());
        if told.is_some_and(|told| told.call != number) {
            self.attempt_over(at, peer);
        } else {
            self.ringing.attempts.remove(peer);
        }
    }

    pub(in crate::tracker) fn ringing_channel_gone(&mut self, at: Moment, channel: &ChannelId) {
        self.dialled_channel_gone(at, channel);
        // A Local channel that dialled goes when it is optimised away; whom it dialled has answered then.
        let answered = |peer: &ChannelId| {
            let known = self.topology.channels.get(peer);
            known.is_some_and(|known| known.bridge.is_some())
        };
        let dialled: Vec<ChannelId> = self
            .ringing
            .attempts
            .iter()
            .filter(|(peer, attempt)| attempt.caller.as_ref() == Some(channel) && !answered(peer))
            .map(|(peer, _)| peer.clone())
            .collect();
        for peer in dialled {
            self.attempt_over(at, &peer);
        }
        self.ringing.numbers.remove(channel);
    }

    /// The phone rings no more. Why, its caller hears in a report of its own: that nobody answered, or that
    /// somebody else did, who picked the call up.
    fn dialled_channel_gone(&mut self, at: Moment, peer: &ChannelId) {
        let caller = self
            .ringing
            .attempts
            .get(peer)
            .and_then(|attempt| attempt.caller.as_ref());
        if caller.is_none_or(|caller| !self.topology.channels.contains_key(caller)) {
            return self.attempt_over(at, peer);
        }
        let told = self
            .ringing
            .attempts
            .get_mut(peer)
            .and_then(|attempt| attempt.told.as_mut());
        let Some(told) = told else {
            self.ringing.attempts.remove(peer);
            return;
        };
        let (call, rang) = (told.call, told.to.take());
        let due = at + self.patience.report;
        self.timers.insert((due, Timer::Calling(peer.clone())));
        self.tell_ringing_over(at, call, rang, None);
    }

    /// No call came of it in time.
    pub(in crate::tracker) fn on_calling_due(&mut self, at: Moment, peer: &ChannelId) {
        if !self.topology.channels.contains_key(peer) {
            return self.attempt_over(at, peer);
        }
        // Who called whom is still known, should they meet after all.
        self.rings_for_it_no_more(at, peer);
    }

    /// Nobody waits for a target in this call any more: whom the PBX calls by itself rings for another one, that
    /// is still to begin.
    pub(in crate::tracker) fn nothing_comes_back(&mut self, at: Moment, number: CallNumber) {
        let (called, dialled) = self.ringing.called_by_the_pbx(number);
        for peer in called.iter().chain(&dialled) {
            self.rings_for_it_no_more(at, peer);
        }
        for peer in called.into_iter().chain(dialled) {
            let attempt = self.ringing.attempts.get(&peer);
            if attempt.is_none_or(|attempt| attempt.answered) {
                continue;
            }
            if self.suspended {
                self.timers.insert((at, Timer::Ringing(peer)));
            } else {
                self.tell_ringing(at, &peer);
            }
        }
    }

    /// This call is over, and its number is never given again: whoever rings for it does so no more.
    pub(in crate::tracker) fn nobody_rings_for(&mut self, at: Moment, number: CallNumber) {
        self.nothing_comes_back(at, number);
        for peer in self.ringing.for_call(number) {
            self.rings_for_it_no_more(at, &peer);
        }
        self.ringing.numbers.retain(|_, known| *known != number);
    }

    fn rings_for_it_no_more(&mut self, at: Moment, peer: &ChannelId) {
        let Some(attempt) = self.ringing.attempts.get_mut(peer) else {
            return;
        };
        if attempt.answered {
            attempt.rings_since = None;
        }
        if let Some(over) = attempt.told.take() {
            self.tell_ringing_over(at, over.call, over.to, over.from);
        }
    }

    /// An attempt ended without a call: its phone stops ringing, and with the last one its caller calling.
    pub(in crate::tracker) fn attempt_over(&mut self, at: Moment, peer: &ChannelId) {
        if let Some(Attempt { told: Some(over), .. }) = self.ringing.attempts.remove(peer) {
            self.tell_ringing_over(at, over.call, over.to, over.from);
        }
    }

    /// Concludes that it is over at the phone that rang and at the caller's, unless the one rings on, calls or
    /// talks, and the other one still calls or talks. Also if it turns out while a snapshot is taken in: it is not told
    /// again.
    pub(in crate::tracker) fn tell_ringing_over(
        &mut self,
        at: Moment,
        number: CallNumber,
        rang: Option<Phone>,
        calling: Option<Phone>,
    ) {
        let begun = self.calls.get(number);
        let told = || self.ringing.told().filter(|told| told.call == number);
        let talks = |phone: &Phone| begun.is_some_and(|call| call.parties.contains_key(phone));
        // Who was called first, to be called for, calls in the same call.
        let is_told = |phone: &Phone| {
            let mut told = told();
            told.any(|told| [&told.to, &told.from].contains(&&Some(phone.clone())))
        };
        let rang = rang.filter(|phone| !talks(phone) && !is_told(phone));
        let calling = calling.filter(|phone| begun.is_none() && !is_told(phone));
        let phones: Vec<Phone> = rang.into_iter().chain(calling).collect();
        if !phones.is_empty() {
            self.conclude(at, number, Because::NobodyAnswered, What::RingingOver { phones });
        }
    }
}
