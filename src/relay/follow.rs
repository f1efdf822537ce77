//! Carrying out what the tracker concluded.

use std::collections::BTreeSet;

use crate::model::{CallId, Epoch, Moment, PbxName, Phone, SessionId};
use crate::tracker::{CallNumber, CallView, Conclusion, NamedPhone, What};

use super::Relay;
use super::call::Call;
use super::effect::{Direction, Notice, Peer, Status};
use super::input::Replay;
use super::log::Log;
use super::mailbox::Mailbox;
use super::record::Standing;
use super::session::Afterwards;

/// Phones that ring for a call that has not begun (or a transfer whose target has not answered).
#[derive(Debug)]
pub(super) struct Ringing {
    call: CallId,
    since: Moment,
    rings: Vec<Ring>,
}

#[derive(Debug)]
struct Ring {
    phone: Phone,
    direction: Direction,
    peer: Option<NamedPhone>,
}

impl Relay {
    pub(super) fn follow(&mut self, now: Moment, pbx: &PbxName, conclusion: Conclusion) {
        let key = (pbx.clone(), conclusion.call);
        let known = self.numbers.get(&key).cloned();
        match (conclusion.what, known) {
            (What::Ringing { from, to }, _) => self.ring(now, &key, from, to),
            (What::RingingOver { phones }, _) => self.ringing_over(&key, &phones),
            (What::Call { .. }, Some(id)) => self.come_back(now, &key, &id, conclusion.view),
            (What::Call { .. }, None) => self.begin(now, &key, conclusion.view),
            (_, None) => {}
            (What::Join { phone }, Some(id)) => self.join(now, &id, &phone, conclusion.view),
            (What::Merge { absorbed, joined }, Some(id)) => {
                self.absorb(now, &key, &id, absorbed, &joined, conclusion.view);
            }
            (What::Leave { phone }, Some(id)) => self.leave(now, &id, &phone, conclusion.view),
            (What::Transferring { from }, Some(id)) => self.set_out(now, &id, &from, conclusion.view),
            (What::Transfer { from, to }, Some(id)) => {
                self.hand_on(now, &key, &id, &from, &to, conclusion.view);
            }
            (What::HoldOn { .. } | What::HoldOff { .. } | What::Remember, Some(id)) => {
                self.apply_view(now, &id, conclusion.view);
            }
            (What::Bye, Some(id)) => self.end(now, &id),
        }
    }

    pub(super) fn pbx_lost(&mut self, pbx: PbxName) {
        if self.uncertain.insert(pbx.clone()) {
            self.tell_everyone(&Notice::Uncertain(pbx));
        }
    }

    pub(super) fn pbx_found(&mut self, pbx: &PbxName) {
        if self.uncertain.remove(pbx) {
            self.tell_everyone(&Notice::Certain(pbx.clone()));
        }
    }

    /// What a terminal that was just linked has to know besides its calls.
    pub(super) fn tell_what_is_going_on(&mut self, session: SessionId, phone: &Phone) {
        let rings: Vec<Notice> = self
            .ringing
            .values()
            .flat_map(|ringing| {
                ringing
                    .rings
                    .iter()
                    .filter(|ring| ring.phone == *phone)
                    .map(move |ring| (ringing, ring))
            })
            .map(|(ringing, ring)| self.ringing_notice(ringing, ring))
            .collect();
        let uncertain = self
            .uncertain
            .iter()
            .cloned()
            .map(Notice::Uncertain)
            .collect::<Vec<_>>();
        for notice in rings.into_iter().chain(uncertain) {
            self.tell(session, notice);
        }
    }

    fn tell_everyone(&mut self, notice: &Notice) {
        for session in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.tell(session, notice.clone());
        }
    }

    fn ring(&mut self, now: Moment, key: &Key, from: Option<NamedPhone>, to: NamedPhone) {
        let call = match (self.numbers.get(key), self.ringing.get(key)) {
            (Some(call), _) => call.clone(),
            (None, Some(ringing)) => ringing.call.clone(),
            (None, None) => CallId::new(self.random_name()),
        };
        // A party whose call is being transferred hears of that, not of calling.
        let calling = from.clone().filter(|_| !self.numbers.contains_key(key));
        let mut rings = vec![Ring {
            phone: to.phone.clone(),
            direction: Direction::In,
            peer: from,
        }];
        if let Some(calling) = calling {
            rings.push(Ring {
                phone: calling.phone,
                direction: Direction::Out,
                peer: Some(to),
            });
        }
        let ringing = self.ringing.entry(key.clone()).or_insert(Ringing {
            call,
            since: now,
            rings: Vec::new(),
        });
        let before = ringing.rings.len();
        ringing.rings.extend(rings);
        let Some(ringing) = self.ringing.get(key) else {
            return;
        };
        let news: Vec<(Phone, Notice)> = ringing.rings[before..]
            .iter()
            .map(|ring| (ring.phone.clone(), self.ringing_notice(ringing, ring)))
            .collect();
        for (phone, notice) in news {
            self.tell_phone(&phone, &notice);
        }
    }

    fn ringing_notice(&self, ringing: &Ringing, ring: &Ring) -> Notice {
        let peer = ring.peer.iter().map(|named| Peer {
            phone: named.phone.clone(),
            name: named.name.clone(),
            linked: self.links.contains_key(&named.phone),
        });
        Notice::Ringing {
            direction: ring.direction,
            call: ringing.call.clone(),
            peers: peer.collect(),
            since: ringing.since,
        }
    }

    fn ringing_over(&mut self, key: &Key, phones: &[Phone]) {
        let Some(ringing) = self.ringing.get_mut(key) else {
            return;
        };
        let (call, since) = (ringing.call.clone(), ringing.since);
        let told: BTreeSet<Phone> = ringing
            .rings
            .iter()
            .map(|ring| ring.phone.clone())
            .filter(|phone| phones.contains(phone))
            .collect();
        ringing.rings.retain(|ring| !phones.contains(&ring.phone));
        if ringing.rings.is_empty() {
            self.ringing.remove(key);
        }
        for phone in told {
            self.tell_phone(
                &phone,
                &Notice::RingingOver {
                    call: call.clone(),
                    since,
                },
            );
        }
    }

    /// The call is over, or part of another one: who still rings or calls for it does so no more.
    pub(super) fn all_ringing_over(&mut self, key: &Key) {
        if let Some(ringing) = self.ringing.get(key) {
            let phones: Vec<Phone> = ringing.rings.iter().map(|ring| ring.phone.clone()).collect();
            self.ringing_over(key, &phones);
        }
    }

    /// These phones talk now: their ringing ended well, and is no news.
    pub(super) fn answered(&mut self, key: &Key, phones: &[Phone]) {
        if let Some(ringing) = self.ringing.get_mut(key) {
            ringing.rings.retain(|ring| !phones.contains(&ring.phone));
            if ringing.rings.is_empty() {
                self.ringing.remove(key);
            }
        }
    }

    fn begin(&mut self, now: Moment, key: &Key, view: CallView) {
        let id = match self.ringing.get(key) {
            Some(ringing) => ringing.call.clone(),
            None => CallId::new(self.random_name()),
        };
        let call = Call {
            id: id.clone(),
            pbx: key.0.clone(),
            number: key.1,
            parties: view.parties.clone(),
            paused: BTreeSet::new(),
            transferring: false,
            memory: view.memory.clone(),
            mailboxes: std::collections::BTreeMap::new(),
            log: Log::default(),
            files: std::collections::BTreeMap::new(),
            started_at: now,
            ended_at: None,
            active_at: now,
            unwritten: false,
        };
        self.calls.insert(id.clone(), call);
        self.numbers.insert(key.clone(), id.clone());
        let phones: Vec<Phone> = view.parties.keys().cloned().collect();
        self.answered(key, &phones);
        for phone in &phones {
            self.add_mailbox(&id, phone);
        }
        self.write_call(&id);
        for phone in &phones {
            self.enter(&id, phone);
        }
        self.apply_view(now, &id, view);
    }

    pub(super) fn add_mailbox(&mut self, id: &CallId, phone: &Phone) {
        let epoch = Epoch::new(self.random_name());
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        let mailbox = Mailbox::new(epoch, phone, call.log.last());
        call.mailboxes.insert(phone.clone(), mailbox);
        self.calls_of.entry(phone.clone()).or_default().insert(id.clone());
    }

    /// The terminals of a phone that came into a call: `call`, the rows there are, `replayed`.
    fn enter(&mut self, id: &CallId, phone: &Phone) {
        self.tell_status(id, phone, Status::Call);
        for session in self.sessions_of(phone) {
            self.open_cursor(session, id, None, Replay::Unread);
        }
    }

    /// The terminals of a phone that went out of a call.
    pub(super) fn drop_out(&mut self, id: &CallId, phone: &Phone) {
        for session in self.sessions_of(phone) {
            if let Some(known) = self.sessions.get_mut(&session) {
                known.cursors.remove(id);
            }
        }
    }

    fn join(&mut self, now: Moment, id: &CallId, phone: &Phone, view: CallView) {
        self.set_parties(id, &view);
        let lingers = self
            .calls
            .get(id)
            .is_some_and(|call| call.mailboxes.contains_key(phone));
        if lingers {
            self.drop_out(id, phone);
        }
        self.add_mailbox(id, phone);
        if let Some(key) = self.calls.get(id).map(|call| (call.pbx.clone(), call.number)) {
            self.answered(&key, std::slice::from_ref(phone));
        }
        self.write_call(id);
        self.enter(id, phone);
        self.tell_others(id, phone, Status::Parties);
        self.apply_view(now, id, view);
    }

    fn leave(&mut self, now: Moment, id: &CallId, phone: &Phone, view: CallView) {
        self.set_parties(id, &view);
        if let Some(call) = self.calls.get_mut(id) {
            call.paused.remove(phone);
            let last = call.log.last();
            if let Some(mailbox) = call.mailboxes.get_mut(phone) {
                mailbox.close(last);
                mailbox.standing = Standing::Left;
            }
        }
        self.tell_status(id, phone, Status::Bye);
        self.hand_over_the_rest(id, phone);
        self.tell_others(id, phone, Status::Parties);
        self.apply_view(now, id, view);
        self.write_call(id);
    }

    /// The phone is out of the call: what was held is readable now, and the rest of what was under way.
    fn hand_over_the_rest(&mut self, id: &CallId, phone: &Phone) {
        for session in self.sessions_of(phone) {
            if let Some(cursor) = self
                .sessions
                .get_mut(&session)
                .and_then(|known| known.cursors.get_mut(id))
            {
                cursor.afterwards = Afterwards::Go;
                cursor.owes = None;
            }
            self.pump(session, id);
        }
    }

    /// A blind transfer or a park: who made it is out, and its mailbox waits for whoever arrives.
    fn set_out(&mut self, now: Moment, id: &CallId, from: &Phone, view: CallView) {
        self.set_parties(id, &view);
        if let Some(call) = self.calls.get_mut(id) {
            call.transferring = true;
            call.paused.clone_from(&view.paused);
            call.active_at = now;
            let last = call.log.last();
            if let Some(mailbox) = call.mailboxes.get_mut(from) {
                mailbox.close(last);
                mailbox.standing = Standing::Outgoing;
            }
        }
        self.write_call_with(id, view);
        self.tell_status(id, from, Status::Transfer);
        self.drop_out(id, from);
        self.tell_others(id, from, Status::Transferring);
        self.pump_others(id, from);
    }

    /// The target takes the transferer's place, and its mailbox (semantics §6.2).
    fn hand_on(&mut self, now: Moment, key: &Key, id: &CallId, from: &Phone, to: &Phone, view: CallView) {
        let epoch = Epoch::new(self.random_name());
        self.set_parties(id, &view);
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        let at_once = call
            .mailboxes
            .get(from)
            .is_some_and(|mailbox| mailbox.standing == Standing::Active);
        call.transferring = false;
        call.active_at = now;
        // A hold by the transferer ended with its channel, and is told to be over in the end.
        let paused_before = std::mem::replace(&mut call.paused, view.paused.clone());
        let last = call.log.last();
        if let Some(mailbox) = call.mailboxes.get_mut(from).filter(|_| at_once) {
            mailbox.close(last);
            mailbox.standing = Standing::Outgoing;
        }
        if at_once {
            self.tell_status(id, from, Status::Transfer);
        }
        self.drop_out(id, from);
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        if let Some(mailbox) = call.mailboxes.remove(from) {
            // What was sent since the transferer went is for whoever arrived.
            let mut target = mailbox.move_to(epoch, to);
            (target.rows, target.bytes) = call.log.weigh(&target);
            call.mailboxes.insert(to.clone(), target);
        }
        self.forget_call_of(from, id);
        self.calls_of.entry(to.clone()).or_default().insert(id.clone());
        self.answered(key, std::slice::from_ref(to));
        self.write_call_with(id, view.clone());
        self.enter(id, to);
        self.tell_others(id, to, Status::Parties);
        if let Some(call) = self.calls.get_mut(id) {
            let here = paused_before
                .into_iter()
                .filter(|phone| call.parties.contains_key(phone));
            call.paused.extend(here);
        }
        self.apply_view(now, id, view);
        self.pump_others(id, to);
    }

    /// The transferred call came back to its transferer, whose mailbox is as it was.
    fn come_back(&mut self, now: Moment, key: &Key, id: &CallId, view: CallView) {
        self.set_parties(id, &view);
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        call.transferring = false;
        call.active_at = now;
        let mut back = Vec::new();
        for (phone, mailbox) in &mut call.mailboxes {
            if mailbox.standing == Standing::Outgoing {
                mailbox.reopen(phone);
                (mailbox.rows, mailbox.bytes) = call.log.weigh(mailbox);
                back.push(phone.clone());
            }
        }
        // Who waited may hold, and then the one who is back comes into a hold.
        let held = back.iter().filter(|phone| view.paused.contains(*phone));
        call.paused.extend(held.cloned());
        self.answered(key, &back);
        self.write_call_with(id, view.clone());
        for phone in &back {
            self.enter(id, phone);
            self.tell_others(id, phone, Status::Parties);
            self.pump_others(id, phone);
        }
        self.apply_view(now, id, view);
    }

    fn end(&mut self, now: Moment, id: &CallId) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        let key = (call.pbx.clone(), call.number);
        let last = call.log.last();
        call.paused.clear();
        call.transferring = false;
        call.parties.clear();
        // The target of a transfer never came: its transferer hears that, and may not read what came since.
        let outgoing = |(phone, mailbox): (&Phone, &Mailbox)| {
            (mailbox.standing == Standing::Outgoing).then(|| phone.clone())
        };
        let abandoned: Vec<Phone> = call.mailboxes.iter().filter_map(outgoing).collect();
        for phone in &abandoned {
            self.tell_status(id, phone, Status::Bye);
            self.forget_call_of(phone, id);
        }
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        call.mailboxes.retain(|phone, _| !abandoned.contains(phone));
        let mut told = Vec::new();
        for (phone, mailbox) in &mut call.mailboxes {
            if mailbox.standing != Standing::Left {
                told.push(phone.clone());
            }
            mailbox.close(last);
        }
        call.ended_at = Some(now);
        self.numbers.remove(&key);
        self.all_ringing_over(&key);
        for phone in &told {
            self.tell_status(id, phone, Status::Bye);
            self.hand_over_the_rest(id, phone);
        }
        let unread = self.calls.get(id).is_some_and(Call::has_unread);
        if self.rules.linger.is_zero() || !unread && !self.is_awaited(id) {
            self.erase_call(id);
        } else {
            self.lingering.insert((now + self.rules.linger, id.clone()));
            self.write_call(id);
        }
    }

    pub(super) fn set_parties(&mut self, id: &CallId, view: &CallView) {
        if let Some(call) = self.calls.get_mut(id) {
            call.parties.clone_from(&view.parties);
        }
    }

    pub(super) fn write_call_with(&mut self, id: &CallId, view: CallView) {
        if let Some(call) = self.calls.get_mut(id) {
            call.memory = view.memory;
        }
        self.write_call(id);
    }

    /// Takes over who is on hold and what is to be remembered, and tells those for whom it changed.
    pub(super) fn apply_view(&mut self, now: Moment, id: &CallId, view: CallView) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        let before = std::mem::replace(&mut call.paused, view.paused.clone());
        let changed = call.memory != view.memory;
        call.memory = view.memory;
        if before != view.paused {
            call.active_at = now;
        }
        if changed {
            self.write_call(id);
        }
        for phone in view.paused.difference(&before) {
            self.tell_status(id, phone, Status::HoldOn);
        }
        for phone in before.difference(&view.paused) {
            self.tell_status(id, phone, Status::HoldOff);
            self.pump_phone(phone, id);
        }
    }

    fn tell_others(&mut self, id: &CallId, phone: &Phone, status: Status) {
        for other in self.other_parties(id, phone) {
            self.tell_status(id, &other, status);
        }
    }

    fn pump_others(&mut self, id: &CallId, phone: &Phone) {
        for other in self.other_parties(id, phone) {
            self.pump_phone(&other, id);
        }
    }

    fn other_parties(&self, id: &CallId, phone: &Phone) -> Vec<Phone> {
        let Some(call) = self.calls.get(id) else {
            return Vec::new();
        };
        call.mailboxes
            .keys()
            .filter(|other| *other != phone && call.has_party(other))
            .cloned()
            .collect()
    }
}

/// What the tracker of a PBX calls a call.
pub(super) type Key = (PbxName, CallNumber);
