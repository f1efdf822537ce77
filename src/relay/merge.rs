//! Two calls that become one (semantics §7.2): a three-way call out of two, or two calls moved into
//! one conference.
//!
//! The messages of the call that is absorbed move to the end of the other one's log, where only the
//! mailboxes that had them show them. So each phone keeps its rows, their numbers and its mailbox's
//! epoch, and nobody sees rows from before they came.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{CallId, Moment, Phone, SessionId};
use crate::tracker::{CallNumber, CallView};

use super::Relay;
use super::call::Call;
use super::effect::{Effect, Status, Write};
use super::follow::Key;
use super::input::Replay;
use super::mailbox::Mailbox;
use super::record::Standing;
use super::session::{Afterwards, Cursor, Owed, Session};

impl Relay {
    /// The call `absorbed` becomes part of this one, and its parties join with what they have.
    pub(super) fn absorb(
        &mut self,
        now: Moment,
        key: &Key,
        id: &CallId,
        absorbed: CallNumber,
        joined: &[Phone],
        view: CallView,
    ) {
        let gone_key = (key.0.clone(), absorbed);
        let gone = self.numbers.get(&gone_key).cloned();
        self.all_ringing_over(&gone_key);
        if let Some(gone) = &gone {
            self.say_bye_of(gone);
        }
        self.set_parties(id, &view);
        let cursors = match gone.and_then(|gone| self.take_apart(&gone_key, &gone)) {
            Some((call, cursors)) => self.take_over(id, call, cursors),
            None => BTreeMap::new(),
        };
        self.make_sure_of_mailboxes(id, joined);
        self.answered(key, joined);
        if let Some(call) = self.calls.get_mut(id) {
            call.active_at = now;
        }
        self.write_call_with(id, view.clone());
        for phone in joined {
            self.enter_with(id, phone, &cursors);
        }
        for phone in self.parties_but(id, joined) {
            self.tell_status(id, &phone, Status::Parties);
            self.pump_phone(&phone, id);
        }
        self.apply_view(now, id, view);
    }

    /// The absorbed call is over for its terminals, before they hear of the one it is part of.
    fn say_bye_of(&mut self, gone: &CallId) {
        let Some(call) = self.calls.get_mut(gone) else {
            return;
        };
        call.parties.clear();
        call.paused.clear();
        call.transferring = false;
        let told: Vec<Phone> = call
            .mailboxes
            .iter()
            .filter(|(_, mailbox)| mailbox.standing != Standing::Left)
            .map(|(phone, _)| phone.clone())
            .collect();
        for phone in told {
            self.tell_status(gone, &phone, Status::Bye);
        }
    }

    /// Takes a call out of everything that knows it. Gives back how far its sessions were.
    fn take_apart(&mut self, key: &Key, gone: &CallId) -> Option<(Call, BTreeMap<SessionId, Cursor>)> {
        let call = self.calls.remove(gone)?;
        self.numbers.remove(key);
        for phone in call.mailboxes.keys() {
            self.forget_call_of(phone, gone);
        }
        let cursors = self
            .sessions
            .iter_mut()
            .filter_map(|(session, known)| Some((*session, known.cursors.remove(gone)?)))
            .collect();
        Some((call, cursors))
    }

    /// Moves messages and mailboxes of a call that was taken apart into this one. Gives back the cursors
    /// of those that have one mailbox now as before.
    fn take_over(
        &mut self,
        id: &CallId,
        gone: Call,
        mut cursors: BTreeMap<SessionId, Cursor>,
    ) -> BTreeMap<SessionId, Cursor> {
        let Some(call) = self.calls.get_mut(id) else {
            return BTreeMap::new();
        };
        let rows = gone.log.rows();
        let last = call.log.last();
        for mailbox in call.mailboxes.values_mut() {
            mailbox.close(last);
        }
        let gone_last = gone.log.last();
        let offset = call.log.import(gone.log, id);
        let mut known_to = Vec::new();
        for (phone, mut mailbox) in gone.mailboxes {
            mailbox.close(gone_last);
            mailbox.renumber(offset);
            // Nobody arrives any more to whom the rows of a transferer could go.
            if mailbox.standing == Standing::Outgoing {
                continue;
            }
            match call.mailboxes.get_mut(&phone) {
                // Of a phone that is in both calls what is unread of the one that goes.
                Some(own) if own.standing == Standing::Active || mailbox.standing == Standing::Left => {
                    own.append_unread(&mailbox);
                    known_to.extend(unread_but_handed(&mailbox, &phone, &self.sessions, &cursors));
                }
                Some(_) | None => drop(call.mailboxes.insert(phone.clone(), mailbox)),
            }
            self.calls_of.entry(phone).or_default().insert(id.clone());
        }
        let last = call.log.last();
        for (phone, mailbox) in &mut call.mailboxes {
            if mailbox.standing == Standing::Active {
                mailbox.go_on_after(phone, last);
            }
            (mailbox.rows, mailbox.bytes) = call.log.weigh(mailbox);
        }
        for pending in self
            .storage
            .pending
            .iter_mut()
            .filter(|pending| pending.call == gone.id)
        {
            pending.call = id.clone();
            pending.number += offset;
        }
        if !rows.is_empty() {
            let into = id.clone();
            self.effects
                .push_back(Effect::Write(Write::MoveMessages { rows, into, offset }));
        }
        for (file, mut known) in gone.files {
            known.record.call = id.clone();
            self.effects
                .push_back(Effect::Write(Write::PutFile(known.record.clone())));
            call.files.insert(file, known);
        }
        self.effects.push_back(Effect::Write(Write::EraseCall(gone.id)));
        for (session, cursor) in &mut cursors {
            cursor.own = cursor.own.iter().map(|number| number + offset).collect();
            known_to.push((*session, cursor.own.clone()));
        }
        self.spare_sessions(id, known_to);
        cursors
    }

    /// What a session knows already is not handed to it a second time under another number.
    fn spare_sessions(&mut self, id: &CallId, known_to: Vec<(SessionId, BTreeSet<u64>)>) {
        for (session, numbers) in known_to {
            let cursor = self
                .sessions
                .get_mut(&session)
                .and_then(|known| known.cursors.get_mut(id));
            if let Some(cursor) = cursor {
                cursor.own.extend(numbers);
            }
        }
    }

    /// A phone that came with the call without having been party to it has a mailbox too.
    fn make_sure_of_mailboxes(&mut self, id: &CallId, joined: &[Phone]) {
        for phone in joined {
            let has_one = self.calls.get(id).is_some_and(|call| call.has_party(phone));
            if !has_one {
                self.drop_out(id, phone);
                self.add_mailbox(id, phone);
            }
        }
    }

    /// The terminals of a phone that came with its mailbox: `call`, the rows they were not handed yet,
    /// `replayed`.
    fn enter_with(&mut self, id: &CallId, phone: &Phone, cursors: &BTreeMap<SessionId, Cursor>) {
        self.tell_status(id, phone, Status::Call);
        let Some(call) = self.calls.get(id) else { return };
        let committed = call.log.committed();
        let until = call
            .mailboxes
            .get(phone)
            .map_or(0, |mailbox| mailbox.last_seq(committed));
        for session in self.sessions_of(phone) {
            let Some(before) = cursors.get(&session) else {
                self.open_cursor(session, id, None, Replay::Unread);
                continue;
            };
            let cursor = Cursor {
                next: before.next,
                reading: None,
                owes: Some(Owed { until, reset: false }),
                own: before.own.clone(),
                afterwards: Afterwards::Wait,
            };
            if let Some(known) = self.sessions.get_mut(&session) {
                known.cursors.insert(id.clone(), cursor);
            }
            self.pump(session, id);
        }
    }

    fn parties_but(&self, id: &CallId, joined: &[Phone]) -> Vec<Phone> {
        let Some(call) = self.calls.get(id) else {
            return Vec::new();
        };
        let stayed = |phone: &&Phone| !joined.contains(phone) && call.has_party(phone);
        call.mailboxes.keys().filter(stayed).cloned().collect()
    }
}

/// The messages of a mailbox that nobody acknowledged, but that these sessions of its phone were handed.
fn unread_but_handed(
    mailbox: &Mailbox,
    phone: &Phone,
    sessions: &BTreeMap<SessionId, Session>,
    cursors: &BTreeMap<SessionId, Cursor>,
) -> Vec<(SessionId, BTreeSet<u64>)> {
    let of_phone = |session: &SessionId| sessions.get(session).is_some_and(|known| known.phone == *phone);
    let handed = |cursor: &Cursor| {
        let unread = mailbox.acked + 1..cursor.next;
        unread.filter_map(|seq| mailbox.number_of(seq)).collect()
    };
    let cursors = cursors.iter().filter(|(session, _)| of_phone(session));
    cursors
        .map(|(session, cursor)| (*session, handed(cursor)))
        .collect()
}
