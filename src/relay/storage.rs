//! What is under way to the store, and what to do when it fails.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use crate::model::{CallId, Moment, PbxName, SessionId};
use crate::tracker::CallNumber;

use super::Relay;
use super::call::Call;
use super::effect::{Effect, Notice, SendRefusal, SentState, Write};
use super::record::RestoredCall;

/// How long positions may wait to be written: they are not worth a sync of their own.
const POSITIONS_WAIT: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
pub(super) struct Storage {
    /// Accepted messages that wait for the store, in the order of their rows.
    pub(super) pending: VecDeque<Pending>,
    /// The store does not write: nothing is accepted.
    pub(super) down: bool,
    /// Calls of which positions changed just now.
    changed: Vec<CallId>,
    /// Calls of which they changed, and when they are to be written, in that order: each by itself, so that they go
    /// along with messages, a few at a time, and no message waits for those of many calls.
    positions: VecDeque<(Moment, CallId)>,
    last_row: u64,
}

#[derive(Debug)]
pub(super) struct Pending {
    pub(super) row: u64,
    pub(super) call: CallId,
    pub(super) number: u64,
    pub(super) session: SessionId,
    pub(super) reference: String,
    /// Sessions that sent the same reference meanwhile.
    pub(super) also: Vec<SessionId>,
}

impl Storage {
    pub(super) fn next_row(&mut self) -> u64 {
        self.last_row += 1;
        self.last_row
    }

    /// When positions are to be written next.
    pub(super) fn positions_due(&self) -> Option<Moment> {
        self.positions.front().map(|(due, _)| *due)
    }
}

impl Relay {
    /// Takes up a call that an earlier process kept. `number` is what its tracker calls it.
    pub fn restore(&mut self, restored: &RestoredCall, number: CallNumber) {
        let call = Call::restore(restored, number);
        for phone in call.mailboxes.keys() {
            self.calls_of
                .entry(phone.clone())
                .or_default()
                .insert(call.id.clone());
        }
        let replaced = call.replaced_rows(&restored.messages);
        let last_row = restored.messages.iter().map(|head| head.row).max().unwrap_or(0);
        self.storage.last_row = self.storage.last_row.max(last_row);
        if call.ended_at.is_none() {
            self.numbers.insert((call.pbx.clone(), number), call.id.clone());
        }
        self.calls.insert(call.id.clone(), call);
        if !replaced.is_empty() {
            // The process ended between the message that took their places and their blanking.
            self.effects
                .push_back(Effect::Write(Write::BlankMessages(replaced)));
            self.sweep_files(&restored.record.call);
        }
    }

    /// Takes up a call that had ended when an earlier process kept it: what is unread of it lingers.
    pub fn restore_ended(&mut self, restored: &RestoredCall) {
        // It has no number: the tracker knows nothing of it.
        self.restore(restored, CallNumber(0));
        if let Some(ended) = restored.record.ended_at {
            self.lingering
                .insert((ended + self.rules.linger, restored.record.call.clone()));
        }
    }

    /// Writes the positions of all calls, as before an orderly stop.
    pub fn write_all_positions(&mut self) {
        let standing: Vec<CallId> = self
            .calls
            .values()
            .filter(|call| call.unwritten)
            .map(|call| call.id.clone())
            .collect();
        for id in standing {
            self.write_call(&id);
        }
    }

    /// The store wrote nothing since it failed, or writes again.
    #[must_use]
    pub fn is_store_down(&self) -> bool {
        self.storage.down
    }

    /// Whether something accepted in this call is not stored yet.
    pub(super) fn is_awaited(&self, id: &CallId) -> bool {
        self.storage.pending.iter().any(|pending| pending.call == *id)
    }

    /// Rows up to this one are safe: confirm them, and hand them over.
    pub(super) fn committed(&mut self, row: u64) {
        self.storage.down = false;
        while self
            .storage
            .pending
            .front()
            .is_some_and(|pending| pending.row <= row)
        {
            let Some(pending) = self.storage.pending.pop_front() else {
                break;
            };
            self.confirm(pending);
        }
    }

    fn confirm(&mut self, pending: Pending) {
        let Pending {
            call: id,
            number,
            session,
            reference,
            also,
            ..
        } = pending;
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let mut names_no_more = false;
        if let Some((replaced, entry)) = call.log.commit(number) {
            self.effects
                .push_back(Effect::Write(Write::BlankMessages(vec![entry.row])));
            call.lose(replaced, entry.size);
            if entry.file.is_some() {
                names_no_more = true;
            }
            for session in self.links.get(&entry.from).into_iter().flatten() {
                let known = self.sessions.get_mut(session);
                if let Some(cursor) = known.and_then(|known| known.cursors.get_mut(&id)) {
                    cursor.own.remove(&replaced);
                }
            }
        }
        let Some(message) = call.log.get(number).and_then(|entry| entry.fresh.clone()) else {
            return;
        };
        call.note_named(message.file.as_ref());
        let notice = |duplicate| Notice::Sent {
            reference: reference.clone(),
            call: id.clone(),
            id: message.id.clone(),
            seq: call.mailboxes.values().find_map(|mailbox| {
                mailbox
                    .segment_of(number)
                    .filter(|segment| segment.owner == message.from)?;
                mailbox.seq_of(number)
            }),
            state: if message.held {
                SentState::Held
            } else {
                SentState::Stored
            },
            duplicate,
        };
        let (first, again) = (notice(false), notice(true));
        self.tell(session, first);
        for other in also {
            self.tell(other, again.clone());
        }
        self.pump_everybody(&id);
        if let Some(call) = self.calls.get_mut(&id) {
            call.log.settle(number);
        }
        if names_no_more {
            self.sweep_files(&id);
        }
    }

    /// Nothing of this was stored: what was accepted on trust is refused, the rest is asked for again.
    pub(super) fn store_failed(&mut self, unwritten: Vec<Write>) {
        self.storage.down = true;
        let refused_in = self.refuse_from(0);
        for id in &refused_in {
            if let Some(call) = self.calls.get_mut(id) {
                call.reuse_refused();
            }
            // What waited behind them has nothing to wait for any more.
            self.pump_everybody(id);
            self.sweep_files(id);
        }
        let mut rewritten = BTreeSet::new();
        for write in unwritten {
            match write {
                Write::Append(_) => {}
                Write::PutCall(record) => {
                    // The present state, once, if the call still stands.
                    if self.calls.contains_key(&record.call) && rewritten.insert(record.call.clone()) {
                        self.write_call(&record.call);
                    }
                }
                Write::PutFile(record) => self.refuse_file(&record),
                Write::MoveMessages { .. }
                | Write::BlankMessages(_)
                | Write::EraseMessages(_)
                | Write::EraseCall(_)
                | Write::EraseFile(_) => {
                    self.effects.push_back(Effect::Write(write));
                }
            }
        }
    }

    /// The store is broken, and this process ends. What was under way to it may be there after all; what is from
    /// this row on was never handed to it.
    pub(super) fn store_broke(&mut self, unsubmitted: u64) {
        self.storage.down = true;
        self.refuse_from(unsubmitted);
    }

    /// Refuses what was accepted on trust from this row on. Tells in which calls that was.
    fn refuse_from(&mut self, row: u64) -> BTreeSet<CallId> {
        let mut refused_in = BTreeSet::new();
        let first = self.storage.pending.partition_point(|pending| pending.row < row);
        for pending in self.storage.pending.split_off(first) {
            let Some(call) = self.calls.get_mut(&pending.call) else {
                continue;
            };
            if let Some(entry) = call.log.refuse(pending.number) {
                call.lose(pending.number, entry.size);
            }
            refused_in.insert(pending.call.clone());
            for session in std::iter::once(pending.session).chain(pending.also) {
                let reason = SendRefusal::Unavailable;
                let cursors = self.sessions.get_mut(&session).map(|known| &mut known.cursors);
                if let Some(cursor) = cursors.and_then(|cursors| cursors.get_mut(&pending.call)) {
                    cursor.own.remove(&pending.number);
                }
                self.tell(
                    session,
                    Notice::SendFailed {
                        reference: pending.reference.clone(),
                        reason,
                    },
                );
            }
        }
        refused_in
    }

    /// Keeps the state of a call.
    pub(super) fn write_call(&mut self, id: &CallId) {
        if let Some(call) = self.calls.get_mut(id) {
            call.unwritten = false;
            let record = Box::new(call.record());
            self.effects.push_back(Effect::Write(Write::PutCall(record)));
        }
    }

    /// Forgets a call for good.
    pub(super) fn erase_call(&mut self, id: &CallId) {
        let Some(call) = self.calls.remove(id) else { return };
        if let Some(ended) = call.ended_at {
            self.lingering.remove(&(ended + self.rules.linger, id.clone()));
        }
        for phone in call.mailboxes.keys() {
            self.forget_call_of(phone, id);
        }
        for session in self.sessions.values_mut() {
            session.cursors.remove(id);
        }
        let key = (call.pbx.clone(), call.number);
        if self.numbers.get(&key) == Some(id) {
            self.numbers.remove(&key);
        }
        self.refuse_pending_of(id);
        self.erase_files(&call);
        let rows = call.log.rows();
        if !rows.is_empty() {
            self.effects.push_back(Effect::Write(Write::EraseMessages(rows)));
        }
        self.effects
            .push_back(Effect::Write(Write::EraseCall(id.clone())));
    }

    /// What was not stored before its call was forgotten is not confirmed any more.
    fn refuse_pending_of(&mut self, id: &CallId) {
        let pending = std::mem::take(&mut self.storage.pending).into_iter();
        let (over, stands): (VecDeque<_>, VecDeque<_>) = pending.partition(|pending| pending.call == *id);
        self.storage.pending = stands;
        for pending in over {
            for session in std::iter::once(pending.session).chain(pending.also) {
                let reference = pending.reference.clone();
                let reason = SendRefusal::NotInCall;
                self.tell(session, Notice::SendFailed { reference, reason });
            }
        }
    }

    pub(super) fn forget_call_of(&mut self, phone: &crate::model::Phone, id: &CallId) {
        if let Some(calls) = self.calls_of.get_mut(phone) {
            calls.remove(id);
            if calls.is_empty() {
                self.calls_of.remove(phone);
            }
        }
    }

    pub(super) fn positions_changed(&mut self, id: &CallId) {
        if let Some(call) = self.calls.get_mut(id)
            && !std::mem::replace(&mut call.unwritten, true)
        {
            self.storage.changed.push(id.clone());
        }
    }

    /// Writes the positions of calls in which they changed a while ago.
    pub(super) fn write_positions(&mut self, now: Moment) {
        let changed = self.storage.changed.drain(..);
        let changed = changed.map(|id| (now + POSITIONS_WAIT, id));
        self.storage.positions.extend(changed);
        if self.storage.down {
            return;
        }
        while let Some((_, id)) = self.storage.positions.pop_front_if(|(due, _)| *due <= now) {
            // It may have been written as a whole meanwhile, or be over.
            if self.calls.get(&id).is_some_and(|call| call.unwritten) {
                self.write_call(&id);
            }
        }
    }

    /// The calls of a PBX that stand, with what finds them again.
    #[must_use]
    pub fn standing_of(&self, pbx: &PbxName) -> usize {
        self.calls
            .values()
            .filter(|call| call.pbx == *pbx && call.ended_at.is_none())
            .count()
    }
}
