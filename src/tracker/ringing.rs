//! Dial attempts: who is called by whom before anybody answers (semantics §2.5).

use std::collections::BTreeMap;

use crate::model::{ChannelId, Moment, Phone};

use super::Tracker;
use super::conclusion::{CallNumber, NamedPhone, What};
use super::event::{ChannelInfo, ChannelState, DialProgress};
use super::topology::Group;

/// How many Local pairs a dial is followed through.
const HOPS_MAX: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Ringing {
    /// By the channel that is dialled.
    attempts: BTreeMap<ChannelId, Attempt>,
    /// The number a call will have, by the channel whose dialling made it.
    numbers: BTreeMap<ChannelId, CallNumber>,
}

#[derive(Debug, Default)]
struct Attempt {
    caller: Option<ChannelId>,
    told: Option<Told>,
}

/// What was concluded of an attempt.
#[derive(Debug)]
struct Told {
    call: CallNumber,
    from: Option<Phone>,
    to: Phone,
}

impl Ringing {
    /// The number that ringing already gave to the call of this group.
    pub(super) fn number_for(&self, group: &Group) -> Option<CallNumber> {
        let channels = || group.members.keys().chain(&group.locals);
        let told = channels()
            .filter_map(|id| self.attempts.get(id)?.told.as_ref())
            .map(|told| told.call);
        told.chain(channels().filter_map(|id| self.numbers.get(id).copied()))
            .min()
    }

    /// The channels that are being dialled.
    pub(super) fn dialled(&self) -> Vec<ChannelId> {
        self.attempts.keys().cloned().collect()
    }
}

impl Tracker {
    /// Who called whom in this group, as far as dialling tells.
    pub(super) fn caller_and_callee(&mut self, group: &Group) -> (Option<Phone>, Option<Phone>) {
        for (peer, to) in &group.members {
            let dialling = self
                .ringing
                .attempts
                .get(peer)
                .and_then(|attempt| attempt.caller.clone());
            let caller = dialling.and_then(|dialling| self.calling_phone(&dialling, peer));
            if let Some(from) = caller.and_then(|caller| group.members.get(&caller)) {
                return (Some(from.clone()), Some(to.clone()));
            }
        }
        (None, None)
    }

    pub(super) fn on_dial(
        &mut self,
        at: Moment,
        caller: Option<&ChannelId>,
        peer: &ChannelId,
        progress: DialProgress,
    ) {
        if let Some(caller) = caller {
            self.topology.dialled(caller, peer);
        }
        match progress {
            DialProgress::Begun | DialProgress::Ringing => {
                if !self.topology.channels.contains_key(peer) {
                    return;
                }
                let attempt = self.ringing.attempts.entry(peer.clone()).or_default();
                if attempt.caller.is_none() {
                    attempt.caller = caller.cloned();
                }
                let rings = self
                    .topology
                    .channels
                    .get(peer)
                    .is_some_and(|known| known.info.state == ChannelState::Ringing);
                if rings || progress == DialProgress::Ringing {
                    self.tell_ringing(at, peer);
                }
            }
            // The bridge that follows says who talks; until then nothing is over.
            DialProgress::Answered => {}
            DialProgress::Failed => self.attempt_over(at, peer),
        }
    }

    /// A dialled channel may report its ringing itself, before or after the dial does.
    pub(super) fn note_ringing_channel(&mut self, at: Moment, info: &ChannelInfo) {
        if info.state == ChannelState::Ringing && self.ringing.attempts.contains_key(&info.id) {
            self.tell_ringing(at, &info.id);
        }
    }

    fn tell_ringing(&mut self, at: Moment, peer: &ChannelId) {
        let Some(attempt) = self.ringing.attempts.get(peer) else {
            return;
        };
        let in_a_bridge = self
            .topology
            .channels
            .get(peer)
            .is_some_and(|known| known.bridge.is_some());
        if self.suspended || attempt.told.is_some() || in_a_bridge {
            return;
        }
        let dialling = attempt.caller.clone();
        let Some(to) = self.named(peer) else { return };
        let caller = dialling
            .as_ref()
            .and_then(|dialling| self.calling_phone(dialling, peer));
        let from = caller.as_ref().and_then(|caller| self.named(caller));
        let number = self.ringing_number(dialling.as_ref().unwrap_or(peer), caller.as_ref());
        if let Some(attempt) = self.ringing.attempts.get_mut(peer) {
            attempt.told = Some(Told {
                call: number,
                from: from.as_ref().map(|named| named.phone.clone()),
                to: to.phone.clone(),
            });
        }
        self.conclude(at, number, What::Ringing { from, to });
    }

    /// The number of the call that this dialling is about to make.
    fn ringing_number(&mut self, dialling: &ChannelId, caller: Option<&ChannelId>) -> CallNumber {
        // The target of a transfer rings for the call that is being transferred.
        let transferred = caller.and_then(|caller| self.topology.channels.get(caller)?.call);
        let transferred = transferred.filter(|number| {
            self.calls
                .get(*number)
                .is_some_and(|call| call.transfer.is_some())
        });
        if let Some(number) = transferred.or_else(|| self.ringing.numbers.get(dialling).copied()) {
            return number;
        }
        let number = self.calls.next_number();
        self.ringing.numbers.insert(dialling.clone(), number);
        number
    }

    /// The phone's channel that makes this dialling channel dial the peer, through any number of Local pairs.
    fn calling_phone(&mut self, dialling: &ChannelId, peer: &ChannelId) -> Option<ChannelId> {
        let mut current = dialling.clone();
        for _ in 0..HOPS_MAX {
            if self.topology.phone(&current).is_some() {
                return Some(current);
            }
            let half = self.topology.other_half(&current)?.clone();
            if let Some(caller) = self
                .ringing
                .attempts
                .get(&half)
                .and_then(|attempt| attempt.caller.clone())
            {
                current = caller;
                continue;
            }
            let bridge = self.topology.channels.get(&half)?.bridge.clone()?;
            // Once it is answered the peer is heard there too.
            return self
                .topology
                .group(&bridge)
                .members
                .into_keys()
                .find(|member| member != peer);
        }
        None
    }

    fn named(&mut self, channel: &ChannelId) -> Option<NamedPhone> {
        let phone = self.topology.phone(channel)?;
        let name = self.topology.channels.get(channel)?.info.caller.name.clone();
        Some(NamedPhone { phone, name })
    }

    /// A call began with this group: what rang for it rings no more, and is no news.
    ///
    /// Other phones of a ring group go on ringing until their own attempts are over.
    pub(super) fn ringing_became_call(&mut self, group: &Group, number: CallNumber) {
        for id in group.members.keys().chain(&group.locals) {
            self.ringing.attempts.remove(id);
        }
        self.ringing.numbers.retain(|_, known| *known != number);
    }

    pub(super) fn ringing_channel_gone(&mut self, at: Moment, channel: &ChannelId) {
        self.attempt_over(at, channel);
        let dialled: Vec<ChannelId> = self
            .ringing
            .attempts
            .iter()
            .filter(|(_, attempt)| attempt.caller.as_ref() == Some(channel))
            .map(|(peer, _)| peer.clone())
            .collect();
        for peer in dialled {
            self.attempt_over(at, &peer);
        }
        self.ringing.numbers.remove(channel);
    }

    /// An attempt ended without a call: its phone stops ringing, and with the last one its caller calling.
    fn attempt_over(&mut self, at: Moment, peer: &ChannelId) {
        let Some(Attempt { told: Some(over), .. }) = self.ringing.attempts.remove(peer) else {
            return;
        };
        let begun = self.calls.get(over.call);
        let in_call = |phone: &Phone| begun.is_some_and(|call| call.parties.contains_key(phone));
        let rings_on = |of: &dyn Fn(&Told) -> bool| {
            self.ringing
                .attempts
                .values()
                .filter_map(|attempt| attempt.told.as_ref())
                .any(|told| told.call == over.call && of(told))
        };
        let mut phones = Vec::new();
        if !in_call(&over.to) && !rings_on(&|told| told.to == over.to) {
            phones.push(over.to.clone());
        }
        if let Some(from) = &over.from
            && begun.is_none()
            && !rings_on(&|_| true)
        {
            phones.push(from.clone());
        }
        if !phones.is_empty() && !self.suspended {
            self.conclude(at, over.call, What::RingingOver { phones });
        }
    }
}
