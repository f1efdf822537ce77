//! Dial attempts: who is called by whom before anybody answers (semantics §2.5). How they end is in [`over`].

mod over;

use std::collections::BTreeMap;

use crate::model::{BridgeId, ChannelId, Moment, Phone};

use super::because::Because;
use super::calls::Call;
use super::conclusion::{CallNumber, NamedPhone, What};
use super::event::{ChannelInfo, ChannelState, DialProgress};
use super::topology::Group;
use super::{Timer, Tracker};

/// How many Local pairs a dial is followed through.
const HOPS_MAX: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Ringing {
    /// By the channel that is dialled.
    attempts: BTreeMap<ChannelId, Attempt>,
    /// The number a call will have, by the channel of the phone that calls; where none does, by the one that
    /// is dialled.
    pub(super) numbers: BTreeMap<ChannelId, CallNumber>,
}

#[derive(Debug, Default)]
struct Attempt {
    caller: Option<ChannelId>,
    told: Option<Told>,
    /// When it began to ring.
    rings_since: Option<Moment>,
    /// It rang, and was answered.
    answered: bool,
}

/// What was concluded of an attempt.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    call: CallNumber,
    from: Option<Phone>,
    /// Nobody, once it rings no more at the phone while its caller still calls.
    to: Option<Phone>,
}

/// The end of a chain of Local pairs at which the caller is.
enum NearEnd {
    /// This phone's channel dials.
    Phone(ChannelId),
    /// The last half sits in this bridge, with the caller or before it.
    Bridge(BridgeId),
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

    /// What was concluded of the attempts that are under way.
    fn told(&self) -> impl Iterator<Item = &Told> {
        self.attempts.values().filter_map(|attempt| attempt.told.as_ref())
    }

    /// The channels that ring, and nothing was concluded of it yet.
    fn untold(&self) -> Vec<ChannelId> {
        let untold = |attempt: &Attempt| attempt.rings_since.is_some() && attempt.told.is_none();
        let attempts = self.attempts.iter().filter(|(_, attempt)| untold(attempt));
        attempts.map(|(peer, _)| peer.clone()).collect()
    }

    /// The channels that were told to ring, or to be about to be called, for this call.
    fn for_call(&self, number: CallNumber) -> Vec<ChannelId> {
        let is_told = |attempt: &Attempt| attempt.told.as_ref().is_some_and(|told| told.call == number);
        let attempts = self.attempts.iter().filter(|(_, attempt)| is_told(attempt));
        attempts.map(|(peer, _)| peer.clone()).collect()
    }

    /// The channels that the PBX calls by itself for this call, and those that are dialled by one of them.
    fn called_by_the_pbx(&self, number: CallNumber) -> (Vec<ChannelId>, Vec<ChannelId>) {
        let caller_of = |peer: &ChannelId| {
            self.attempts
                .get(peer)
                .and_then(|attempt| attempt.caller.as_ref())
        };
        let (called, others): (Vec<ChannelId>, Vec<ChannelId>) = self
            .for_call(number)
            .into_iter()
            .partition(|peer| caller_of(peer).is_none());
        let by_them = |peer: &ChannelId| caller_of(peer).is_some_and(|dialling| called.contains(dialling));
        let dialled = others.into_iter().filter(by_them).collect();
        (called, dialled)
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
            let attempt = self.ringing.attempts.get(peer);
            // Whom nobody called, the PBX called to call the others.
            let attempt =
                attempt.filter(|attempt| attempt.told.as_ref().is_none_or(|told| told.from.is_some()));
            let dialling = attempt.and_then(|attempt| attempt.caller.clone());
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
        forwarded: Option<&ChannelId>,
    ) {
        if let Some(caller) = caller {
            self.topology.dialled(caller, peer);
        }
        if let Some(forwarded) = forwarded {
            self.calling_goes_on(caller, forwarded);
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
            // The bridge that follows says who talks; until then nothing is over. But it may be a machine
            // that was called, or that calls.
            DialProgress::Answered => {
                self.tell_what_rang(at, peer);
                self.calling_goes_on(caller, peer);
                let due = at + self.patience.settle;
                self.timers.insert((due, Timer::Calling(peer.clone())));
            }
            DialProgress::Failed => self.attempt_over(at, peer),
        }
    }

    /// A dialled channel may report its ringing itself, before or after the dial does.
    pub(super) fn note_ringing_channel(&mut self, at: Moment, info: &ChannelInfo) {
        if info.state == ChannelState::Ringing && self.ringing.attempts.contains_key(&info.id) {
            self.tell_ringing(at, &info.id);
        }
    }

    /// A call may go to another channel than was dialled: the phone that is dialled forwards it, or another
    /// one picks it up. When the first one stops ringing, the caller's calling has not come to nothing.
    fn calling_goes_on(&mut self, caller: Option<&ChannelId>, peer: &ChannelId) {
        if caller.is_none() || self.ringing.attempts.contains_key(peer) {
            return;
        }
        let of_caller = |attempt: &&Attempt| attempt.caller.as_ref() == caller;
        let told = self
            .ringing
            .attempts
            .values()
            .filter(of_caller)
            .find_map(|attempt| attempt.told.as_ref());
        let Some((call, from)) = told.map(|told| (told.call, told.from.clone())) else {
            return;
        };
        let attempt = Attempt {
            caller: caller.cloned(),
            told: Some(Told { call, from, to: None }),
            rings_since: None,
            answered: false,
        };
        self.ringing.attempts.insert(peer.clone(), attempt);
    }

    /// A transfer was completed while its target rings: it goes on ringing for the transferee, in the call that
    /// is transferred (semantics §6.5), and the transferer calls no more.
    ///
    /// `second_leg` is the channel by which the transferer consulted; the transferee takes its place.
    pub(super) fn rings_for_transferee(
        &mut self,
        at: Moment,
        from: &Phone,
        second_leg: &ChannelId,
        transferee: &ChannelId,
    ) {
        let mut theirs = Vec::new();
        for (peer, attempt) in &self.ringing.attempts {
            let told_of = attempt.told.as_ref().and_then(|told| told.from.as_ref());
            if let Some(dialling) = attempt.caller.clone().filter(|_| told_of == Some(from)) {
                theirs.push((peer.clone(), dialling));
            }
        }
        for (peer, dialling) in theirs {
            // By SIP the leg itself dials; by feature code a Local half does, and its other half is in the
            // transferee's bridge by now.
            let dialling = if dialling == *second_leg {
                transferee.clone()
            } else {
                dialling
            };
            if self.calling_phone(&dialling, &peer).as_ref() != Some(transferee) {
                continue;
            }
            let Some(attempt) = self.ringing.attempts.get_mut(&peer) else {
                continue;
            };
            attempt.caller = Some(dialling);
            if let Some(before) = attempt.told.take() {
                self.tell_ringing_over(at, before.call, before.to, before.from);
            }
            self.tell_ringing(at, &peer);
        }
    }

    pub(super) fn tell_ringing(&mut self, at: Moment, peer: &ChannelId) {
        let Some(attempt) = self.ringing.attempts.get_mut(peer) else {
            return;
        };
        let rings_since = *attempt.rings_since.get_or_insert(at);
        let answered = attempt.answered;
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
        let caller = match &dialling {
            Some(dialling) => self.calling_phone(dialling, peer),
            None => self.coming_back_to(&to.phone),
        };
        if let Some(dialling) = &dialling {
            let waits_until = match &caller {
                Some(_) if answered => None,
                Some(caller) => self.may_have_been_sent_on(dialling, caller),
                None => Some(self.caller_may_turn_out(rings_since, dialling)),
            };
            if let Some(due) = waits_until.filter(|due| at < *due) {
                self.timers.insert((due, Timer::Ringing(peer.clone())));
                return;
            }
        }
        let from = caller.as_ref().and_then(|caller| self.named(caller));
        // Behind Local channels each phone is dialled by a channel of its own, for one and the same caller.
        let calling = caller.as_ref().or(dialling.as_ref()).unwrap_or(peer).clone();
        let number = self.ringing_number(&calling);
        let told = Told {
            call: number,
            from: from.as_ref().map(|named| named.phone.clone()),
            to: Some(to.phone.clone()),
        };
        // Another device of the same phone is no news.
        let is_news = !self.ringing.told().any(|other| *other == told);
        if let Some(attempt) = self.ringing.attempts.get_mut(peer) {
            attempt.told = Some(told);
        }
        if !is_news {
            return;
        }
        self.conclude(at, number, Because::ItRings, What::Ringing { from, to });
    }

    /// A Local channel may dial before the phone for which it does sits at its other end: longer, if that end
    /// is in a bridge, where it waits for somebody. Tells until when.
    fn caller_may_turn_out(&mut self, rings_since: Moment, dialling: &ChannelId) -> Moment {
        match self.near_end(dialling) {
            Some(NearEnd::Bridge(_)) => rings_since + self.patience.report,
            _ => rings_since + self.patience.race,
        }
    }

    /// Who left a bridge and dials may have been transferred, and a busy PBX reports that after the ringing: then
    /// it rings for the call that was left. Tells until when that may turn out.
    fn may_have_been_sent_on(&self, dialling: &ChannelId, caller: &ChannelId) -> Option<Moment> {
        let channels = &self.topology.channels;
        let left_at = channels.get(dialling)?.left_at?;
        let left = self.calls.get(channels.get(caller)?.call?)?;
        let is_open = left.transfer.is_none();
        is_open.then_some(left_at + self.patience.report)
    }

    /// It is answered: if a transfer made it ring, that is not known yet, and the call that follows cannot wait.
    fn tell_what_rang(&mut self, at: Moment, peer: &ChannelId) {
        let attempt = self.ringing.attempts.get_mut(peer);
        if let Some(attempt) = attempt.filter(|attempt| attempt.rings_since.is_some()) {
            attempt.answered = true;
            self.tell_ringing(at, peer);
        }
    }

    /// Somebody entered a bridge, or a transfer was reported: that may be what the conclusion that a phone rings
    /// waited for.
    pub(super) fn tell_what_rings_untold(&mut self, at: Moment) {
        for peer in self.ringing.untold() {
            self.tell_ringing(at, &peer);
        }
    }

    /// The number of the call that this calling channel is about to make.
    fn ringing_number(&mut self, calling: &ChannelId) -> CallNumber {
        // The target of a transfer rings for the call that is being transferred, and whom the PBX calls into a
        // call where others talk on, rings for that one.
        let standing = self.topology.channels.get(calling).and_then(|known| known.call);
        let standing = standing.filter(|number| {
            let call = self.calls.get(*number);
            call.is_some_and(|call| call.transfer.is_some()) || self.is_together_with_others(calling, *number)
        });
        // A phone that was called to call does it in the same call.
        let called_first = || {
            self.ringing
                .attempts
                .get(calling)?
                .told
                .as_ref()
                .map(|told| told.call)
        };
        let known = || self.ringing.numbers.get(calling).copied().or_else(called_first);
        if let Some(number) = standing.or_else(known) {
            return number;
        }
        let number = self.calls.next_number();
        self.ringing.numbers.insert(calling.clone(), number);
        number
    }

    /// Whether a channel sits with another phone of its call.
    fn is_together_with_others(&mut self, channel: &ChannelId, number: CallNumber) -> bool {
        let bridge = self
            .topology
            .channels
            .get(channel)
            .and_then(|known| known.bridge.clone());
        let Some(group) = bridge.map(|bridge| self.topology.group(&bridge)) else {
            return false;
        };
        let own = group.members.get(channel);
        let is_of_call = |id| {
            self.topology
                .channels
                .get(id)
                .is_some_and(|known| known.call == Some(number))
        };
        group
            .members
            .iter()
            .any(|(id, phone)| Some(phone) != own && is_of_call(id))
    }

    /// The phone's channel that makes this dialling channel dial the peer, through any number of Local pairs.
    fn calling_phone(&mut self, dialling: &ChannelId, peer: &ChannelId) -> Option<ChannelId> {
        match self.near_end(dialling)? {
            NearEnd::Phone(caller) => Some(caller),
            // Once it is answered the peer is heard there too.
            NearEnd::Bridge(bridge) => {
                let members = self.topology.group(&bridge).members;
                members.into_keys().find(|member| member != peer)
            }
        }
    }

    /// Where one comes to from this dialling channel through any number of Local pairs.
    fn near_end(&mut self, dialling: &ChannelId) -> Option<NearEnd> {
        let mut current = dialling.clone();
        for _ in 0..HOPS_MAX {
            if self.topology.phone(&current).is_some() {
                return Some(NearEnd::Phone(current));
            }
            let half = self.topology.other_half(&current)?;
            let attempt = self.ringing.attempts.get(half);
            if let Some(caller) = attempt.and_then(|attempt| attempt.caller.clone()) {
                current = caller;
                continue;
            }
            let bridge = self.topology.channels.get(half)?.bridge.clone()?;
            return Some(NearEnd::Bridge(bridge));
        }
        None
    }

    /// A phone that is dialled on nobody's behalf is called by the PBX itself: if one call waits for the target of
    /// this phone's transfer, that call comes back. Tells who waits in it.
    fn coming_back_to(&self, phone: &Phone) -> Option<ChannelId> {
        let transferred = |call: &&Call| {
            let pending = call.transfer.as_ref();
            pending.is_some_and(|pending| pending.from == *phone)
        };
        let mut waiting = self.calls.standing.values().filter(transferred);
        let call = waiting.next().filter(|_| waiting.next().is_none())?;
        let mut channels = call.parties.values().flat_map(|party| &party.channels);
        channels.next().cloned()
    }

    fn named(&mut self, channel: &ChannelId) -> Option<NamedPhone> {
        let phone = self.topology.phone(channel)?;
        let name = self.topology.channels.get(channel)?.info.caller.name.clone();
        Some(NamedPhone { phone, name })
    }
}
