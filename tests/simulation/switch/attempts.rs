//! Dialling: who rings, who answers, who does not.

use std::collections::BTreeSet;

use callrelay::model::{ChannelId, Moment, Phone};
use callrelay::tracker::event::{BridgeKind, ChannelState, DialProgress, NumberAndName};

use super::{DESKS, FollowUp, LEGS_MAX, Switch, TRUNK};
use crate::truth::{Lag, TalkId};

/// Channels that ring until one of them answers, or none.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    /// Who dials; nobody when the PBX itself does.
    pub(super) caller: Option<ChannelId>,
    pub(super) peers: Vec<ChannelId>,
    /// The Local pair it goes through.
    pub(super) front: Option<(ChannelId, ChannelId)>,
    pub(super) purpose: Purpose,
    begun_at: Moment,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Call,
    /// The caller was transferred, and somebody is to take the transferer's place.
    Arrival(TalkId),
    /// A feature-code transfer of this channel.
    Consult(ChannelId),
    /// Click to dial: who answers is to be connected to this phone.
    Originate(Phone),
}

impl Switch {
    /// A phone of the house that can take one more channel, and is none of these.
    pub(super) fn some_phone(&mut self, but: &BTreeSet<Phone>) -> Option<Phone> {
        let free = |phone: &Phone| !but.contains(phone) && self.legs_of(phone).len() < LEGS_MAX;
        let phones: Vec<Phone> = super::phones().into_iter().filter(free).collect();
        self.dice.pick(&phones)
    }

    /// One phone, sometimes two or three at once, sometimes one outside.
    fn some_targets(&mut self, but: &BTreeSet<Phone>) -> Vec<Phone> {
        let mut but = but.clone();
        let count = match self.dice.between(0, 9) {
            0 => {
                let outside = Phone::new(format!("+4930{}", self.dice.between(100, 999)));
                // Who is sent to its own number would talk to itself, which is no call.
                return if but.contains(&outside) {
                    Vec::new()
                } else {
                    vec![outside]
                };
            }
            1 => 3,
            2 => 2,
            _ => 1,
        };
        let mut targets = Vec::new();
        for _ in 0..count {
            let Some(phone) = self.some_phone(&but) else { break };
            but.insert(phone.clone());
            targets.push(phone);
        }
        targets
    }

    /// Somebody lifts the receiver and dials, inside or from outside.
    pub(super) fn new_call(&mut self) -> Option<String> {
        let inbound = self.dice.chance(15);
        let from = if inbound {
            None
        } else {
            Some(self.some_phone(&BTreeSet::new())?)
        };
        // Now and then one device of a phone calls the other, which is no call.
        let itself = self.dice.chance(3);
        let but = from.iter().filter(|_| !itself).cloned().collect();
        let targets = self.some_targets(&but);
        if targets.is_empty() || inbound && targets.iter().any(|phone| phone.as_str().starts_with('+')) {
            return None;
        }
        let caller = match &from {
            Some(phone) => self.leg(phone),
            None => self.outside_leg(),
        };
        let local = self.dice.chance(15);
        self.dials(&caller, &targets, Purpose::Call, local);
        let way = if local { " through a Local pair" } else { "" };
        Some(format!(
            "{} dials {targets:?}{way} ({caller})",
            self.phone_of(&caller)?
        ))
    }

    /// The PBX calls a phone, to connect it to another one when it answers.
    pub(super) fn originate(&mut self) -> Option<String> {
        let first = self.some_phone(&BTreeSet::new())?;
        let then = self.some_phone(&BTreeSet::from([first.clone()]))?;
        let peer = self.leg(&first);
        self.says_dial(None, &peer, DialProgress::Begun);
        self.changes_state(&peer, ChannelState::Ringing);
        self.says_dial(None, &peer, DialProgress::Ringing);
        let told = format!("the PBX calls {first}, to connect it to {then} ({peer})");
        self.attempts.push(Attempt {
            caller: None,
            peers: vec![peer],
            front: None,
            purpose: Purpose::Originate(then),
            begun_at: self.clock,
        });
        Some(told)
    }

    pub(super) fn dials(&mut self, caller: &ChannelId, targets: &[Phone], purpose: Purpose, local: bool) {
        let exten = targets.first().map_or("s", Phone::as_str).to_owned();
        let front = local.then(|| self.local_pair(&exten));
        self.set_app(caller, targets);
        let mut dialling = caller.clone();
        if let Some((first, second)) = &front {
            self.says_dial(Some(caller), first, DialProgress::Begun);
            self.set_app(second, targets);
            dialling = second.clone();
        }
        let mut peers = Vec::new();
        for target in targets {
            for endpoint in self.devices(target) {
                peers.push(self.dials_device(&dialling, target, endpoint));
            }
        }
        for peer in &peers {
            self.rings(&dialling, peer);
        }
        if let Some((first, _)) = &front {
            self.rings(caller, first);
        }
        self.attempts.push(Attempt {
            caller: Some(caller.clone()),
            peers,
            front,
            purpose,
            begun_at: self.clock,
        });
    }

    /// The endpoints that ring for a phone: sometimes all of its devices.
    fn devices(&mut self, phone: &Phone) -> Vec<&'static str> {
        let Some((_, endpoints)) = DESKS.iter().find(|(known, _)| *known == phone.as_str()) else {
            return vec![TRUNK];
        };
        if endpoints.len() > 1 && self.dice.chance(50) {
            return endpoints.to_vec();
        }
        self.dice.pick(endpoints).into_iter().collect()
    }

    fn set_app(&mut self, caller: &ChannelId, targets: &[Phone]) {
        let target = |phone: &Phone| {
            if phone.as_str().starts_with('+') {
                format!("PJSIP/{phone}@trunk-a")
            } else {
                format!("PJSIP/{phone}")
            }
        };
        let list: Vec<String> = targets.iter().map(target).collect();
        if let Some(channel) = self.channels.get_mut(caller) {
            channel.app = ("Dial".to_owned(), format!("{},20,TtKk", list.join("&")));
        }
    }

    fn dials_device(&mut self, dialling: &ChannelId, target: &Phone, endpoint: &str) -> ChannelId {
        let peer = self.leg_of(target, endpoint);
        let connected = self.channels[dialling].caller.clone();
        if let Some(channel) = self.channels.get_mut(&peer) {
            channel.connected = connected;
        }
        self.seen(&peer);
        self.says_dial(Some(dialling), &peer, DialProgress::Begun);
        let number = NumberAndName {
            number: target.to_string(),
            name: String::new(),
        };
        if let Some(channel) = self.channels.get_mut(dialling) {
            channel.connected = number;
        }
        self.seen(dialling);
        peer
    }

    /// The state and the dial are told on topics of their own, in either order.
    fn rings(&mut self, dialling: &ChannelId, peer: &ChannelId) {
        if self.dice.chance(50) {
            self.changes_state(peer, ChannelState::Ringing);
            self.says_dial(Some(dialling), peer, DialProgress::Ringing);
        } else {
            self.says_dial(Some(dialling), peer, DialProgress::Ringing);
            self.changes_state(peer, ChannelState::Ringing);
        }
    }

    /// One of those that ring answers.
    pub(super) fn answer(&mut self) -> Option<String> {
        let index = self.some_attempt()?;
        let attempt = self.attempts.remove(index);
        let winner = self.dice.pick(&attempt.peers)?;
        let phone = self.phone_of(&winner)?;
        self.answers(&attempt, &winner);
        Some(format!("{phone} answers ({winner})"))
    }

    fn some_attempt(&mut self) -> Option<usize> {
        let calm = |attempt: &Attempt| {
            let consults = match &attempt.purpose {
                Purpose::Consult(leg) => Some(leg),
                Purpose::Call | Purpose::Arrival(_) | Purpose::Originate(_) => None,
            };
            let concerned = attempt.peers.iter().chain(&attempt.caller).chain(consults);
            concerned.into_iter().all(|id| self.is_calm(id))
        };
        let indices: Vec<usize> = (0..self.attempts.len())
            .filter(|index| calm(&self.attempts[*index]))
            .collect();
        self.dice.pick(&indices)
    }

    fn answers(&mut self, attempt: &Attempt, winner: &ChannelId) {
        let dialling = match (&attempt.purpose, &attempt.front) {
            (_, Some((_, second))) => Some(second),
            (_, None) => attempt.caller.as_ref(),
        };
        self.changes_state(winner, ChannelState::Up);
        self.says_dial(dialling, winner, DialProgress::Answered);
        for loser in attempt.peers.iter().filter(|peer| *peer != winner) {
            self.says_dial(dialling, loser, DialProgress::Failed);
            self.destroys(loser);
        }
        let Some(caller) = &attempt.caller else {
            self.connects_originated(winner, &attempt.purpose);
            return;
        };
        if let Some((first, second)) = &attempt.front {
            self.changes_state(first, ChannelState::Up);
            self.says_dial(
                (caller != second).then_some(caller),
                first,
                DialProgress::Answered,
            );
            self.changes_state(second, ChannelState::Up);
            let bridge = self.new_bridge(BridgeKind::Mixing, false);
            self.enters(winner, &bridge);
            self.enters(second, &bridge);
            if let Purpose::Consult(leg) = &attempt.purpose {
                self.consultation_begins(leg, winner);
                return;
            }
            self.meets(caller, first, attempt, winner);
            if self.dice.chance(60) {
                self.later(400, 900, FollowUp::Optimise(first.clone()));
            }
        } else {
            self.meets(caller, winner, attempt, winner);
        }
    }

    /// The caller meets what answered, in a new bridge; beyond it is the phone.
    fn meets(&mut self, caller: &ChannelId, answered: &ChannelId, attempt: &Attempt, winner: &ChannelId) {
        if self.channels[caller].state != ChannelState::Up {
            self.changes_state(caller, ChannelState::Up);
        }
        let bridge = self.new_bridge(BridgeKind::Mixing, false);
        self.enters(answered, &bridge);
        self.enters(caller, &bridge);
        match &attempt.purpose {
            Purpose::Arrival(talk) => {
                if let Some(phone) = self.phone_of(winner) {
                    self.truth.arrives(self.clock, *talk, &phone, winner);
                    self.set_talk(winner, Some(*talk));
                    self.truth.talk_mut(*talk).doubtful = false;
                }
            }
            Purpose::Call | Purpose::Consult(_) | Purpose::Originate(_) => {
                self.talk_begins(&[caller.clone(), winner.clone()]);
            }
        }
    }

    fn connects_originated(&mut self, winner: &ChannelId, purpose: &Purpose) {
        if let Purpose::Originate(then) = purpose {
            self.dials(winner, std::slice::from_ref(then), Purpose::Call, false);
        }
    }

    /// One of those that ring refuses, or nobody answers in time.
    pub(super) fn refuse(&mut self) -> Option<String> {
        let index = self.some_attempt()?;
        let all = self.dice.chance(40);
        let refused = if all {
            std::mem::take(&mut self.attempts[index].peers)
        } else {
            let peers = self.attempts[index].peers.clone();
            let one = self.dice.pick(&peers)?;
            self.attempts[index].peers.retain(|peer| *peer != one);
            vec![one]
        };
        let attempt = self.attempts[index].clone();
        let phones: Vec<_> = refused.iter().filter_map(|id| self.phone_of(id)).collect();
        self.fails(&attempt, &refused);
        if attempt.peers.is_empty() {
            self.attempts.remove(index);
            self.nobody_answered(&attempt);
        }
        Some(format!("{phones:?} do not answer"))
    }

    fn fails(&mut self, attempt: &Attempt, peers: &[ChannelId]) {
        let dialling = attempt
            .front
            .as_ref()
            .map(|(_, second)| second)
            .or(attempt.caller.as_ref());
        for peer in peers {
            self.says_dial(dialling, peer, DialProgress::Failed);
            self.destroys(peer);
        }
    }

    pub(super) fn fails_all(&mut self, attempt: &Attempt) {
        self.fails(attempt, &attempt.peers);
    }

    fn drop_front(&mut self, attempt: &Attempt) {
        if let (Some((first, second)), Some(caller)) = (&attempt.front, &attempt.caller) {
            self.destroys(second);
            self.says_dial(Some(caller), first, DialProgress::Failed);
            self.destroys(first);
        }
    }

    fn nobody_answered(&mut self, attempt: &Attempt) {
        if let Purpose::Consult(leg) = &attempt.purpose {
            self.consultation_fails(&leg.clone());
            return;
        }
        self.drop_front(attempt);
        let Some(caller) = attempt.caller.clone() else {
            return;
        };
        match (&attempt.purpose, self.dice.between(0, 2)) {
            (Purpose::Arrival(talk), 0) => self.recall(*talk, &caller),
            (_, 1) => self.goes_on_alone(&caller, "VoiceMail"),
            _ => self.hang_up(&caller, false),
        }
    }

    /// The call comes back to who transferred it, if that is a phone of the house.
    pub(super) fn recall(&mut self, talk: TalkId, transferee: &ChannelId) {
        let from = self
            .truth
            .talk(talk)
            .transfer
            .as_ref()
            .map(|out| out.from.clone());
        match from.filter(|phone| super::phones().contains(phone)) {
            Some(from) => self.dials(transferee, &[from], Purpose::Arrival(talk), false),
            None => self.hang_up(transferee, false),
        }
    }

    /// A channel listens to a machine for a while, and hangs up.
    pub(super) fn goes_on_alone(&mut self, id: &ChannelId, app: &str) {
        if let Some(channel) = self.channels.get_mut(id) {
            channel.app = (app.to_owned(), String::new());
        }
        if self.channels[id].state != ChannelState::Up {
            self.changes_state(id, ChannelState::Up);
        }
        self.later(500, 9_000, FollowUp::HangUp(id.clone()));
    }

    /// Who dials hangs up before anybody answered.
    pub(super) fn cancel(&mut self) -> Option<String> {
        let index = self.some_attempt()?;
        let attempt = &self.attempts[index];
        if matches!(attempt.purpose, Purpose::Consult(_)) {
            return None;
        }
        let caller = attempt.caller.clone()?;
        let phone = self.phone_of(&caller)?;
        self.hang_up(&caller, false);
        Some(format!("{phone} gives up dialling ({caller})"))
    }

    /// The attempts of a channel that hangs up come to nothing.
    pub(super) fn stops_dialling(&mut self, caller: &ChannelId) {
        while let Some(index) = self
            .attempts
            .iter()
            .position(|attempt| attempt.caller.as_ref() == Some(caller))
        {
            let attempt = self.attempts.remove(index);
            self.fails(&attempt, &attempt.peers);
            self.drop_front(&attempt);
        }
    }

    /// Somebody else takes a ringing call.
    pub(super) fn pick_up(&mut self) -> Option<String> {
        let index = self.some_attempt()?;
        let attempt = self.attempts[index].clone();
        let caller = attempt.caller.clone()?;
        if attempt.purpose != Purpose::Call || attempt.front.is_some() {
            return None;
        }
        let mut but: BTreeSet<Phone> = attempt.peers.iter().filter_map(|id| self.phone_of(id)).collect();
        but.extend(self.phone_of(&caller));
        let by = self.some_phone(&but)?;
        self.attempts.remove(index);
        let leg = self.leg(&by);
        self.changes_state(&leg, ChannelState::Up);
        self.fails(&attempt, &attempt.peers);
        self.meets(&caller, &leg, &attempt, &leg);
        Some(format!("{by} picks up what rings elsewhere ({leg})"))
    }

    /// The phones that ring, and whether the product must know: it saw the dialling begin.
    pub(crate) fn ringing(&self, in_sight_since: Moment) -> Vec<(Phone, bool)> {
        let mut ringing = Vec::new();
        for attempt in &self.attempts {
            let known = attempt.begun_at > in_sight_since;
            ringing.extend(
                attempt
                    .peers
                    .iter()
                    .filter_map(|id| Some((self.phone_of(id)?, known))),
            );
        }
        ringing
    }

    /// The phones that dial.
    pub(crate) fn dialling(&self) -> BTreeSet<Phone> {
        let consulting = |attempt: &Attempt| match &attempt.purpose {
            Purpose::Consult(leg) => Some(leg.clone()),
            Purpose::Call | Purpose::Arrival(_) | Purpose::Originate(_) => attempt.caller.clone(),
        };
        let callers = self.attempts.iter().filter_map(consulting);
        callers.filter_map(|id| self.phone_of(&id)).collect()
    }

    /// Nobody rings any more.
    pub(crate) fn all_ringing_stops(&mut self) {
        while let Some(attempt) = self.attempts.pop() {
            self.fails(&attempt, &attempt.peers);
            self.nobody_answered(&attempt);
        }
        self.settle_truth();
    }

    /// Where a transfer goes: to phones, or (no phones) to an extension that is unknown or busy.
    pub(super) fn some_destination(&mut self, talk: TalkId, from: &Phone) -> Vec<Phone> {
        let members = self.truth.talk(talk).members.keys();
        let back = self.dice.chance(15);
        let but: BTreeSet<Phone> = members.filter(|phone| *phone != from || !back).cloned().collect();
        if self.dice.chance(8) {
            return Vec::new();
        }
        self.some_targets(&but)
    }

    pub(super) fn sent_away(&mut self, talk: TalkId, leg: &ChannelId, targets: &[Phone]) {
        if !targets.is_empty() {
            self.dials(leg, targets, Purpose::Arrival(talk), false);
        } else if self.dice.chance(50) {
            self.hang_up(leg, false);
        } else {
            self.goes_on_alone(leg, "Playback");
        }
    }

    pub(super) fn ends_with(&mut self, talk: TalkId) {
        self.talk_over(talk, Lag::Told);
    }
}
