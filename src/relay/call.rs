//! A call as the relay sees it: its parties, their mailboxes, and its messages.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{CallId, Moment, PbxName, Phone};
use crate::tracker::{CallMemory, CallNumber};

use super::effect::CallState;
use super::log::Log;
use super::mailbox::{Mailbox, Place};
use super::record::{CallRecord, MessageHead, RestoredCall, Standing};

#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: CallId,
    pub(super) pbx: PbxName,
    pub(super) number: CallNumber,
    /// The parties and their names.
    pub(super) parties: BTreeMap<Phone, String>,
    pub(super) paused: BTreeSet<Phone>,
    pub(super) transferring: bool,
    pub(super) memory: CallMemory,
    pub(super) mailboxes: BTreeMap<Phone, Mailbox>,
    pub(super) log: Log,
    pub(super) started_at: Moment,
    pub(super) ended_at: Option<Moment>,
    /// When it last changed its state or carried a message.
    pub(super) active_at: Moment,
    /// Positions changed since it was last written.
    pub(super) unwritten: bool,
}

impl Call {
    pub(super) fn restore(restored: &RestoredCall, number: CallNumber) -> Self {
        let record = &restored.record;
        let ends = record.mailboxes.iter().flat_map(|mailbox| &mailbox.segments);
        let ended_at_least =
            ends.map(|segment| segment.last.unwrap_or(0).max(segment.first.saturating_sub(1)));
        let log = Log::restore(&restored.messages, ended_at_least.max().unwrap_or(0));
        let mut mailboxes: BTreeMap<Phone, Mailbox> = record
            .mailboxes
            .iter()
            .map(|mailbox| (mailbox.phone.clone(), Mailbox::restore(mailbox)))
            .collect();
        for mailbox in mailboxes.values_mut() {
            for (number, entry) in log.entries() {
                if mailbox.segment_of(number).is_some() {
                    mailbox.rows += 1;
                    mailbox.bytes += entry.size;
                }
            }
        }
        let parties = record
            .memory
            .parties
            .iter()
            .map(|party| (party.phone.clone(), party.name.clone()));
        Self {
            id: record.call.clone(),
            pbx: record.pbx.clone(),
            number,
            parties: if record.ended_at.is_some() {
                BTreeMap::new()
            } else {
                parties.collect()
            },
            paused: record.memory.paused.iter().cloned().collect(),
            transferring: record.memory.transfer.is_some(),
            memory: record.memory.clone(),
            mailboxes,
            log,
            started_at: record.started_at,
            ended_at: record.ended_at,
            active_at: record.started_at,
            unwritten: false,
        }
    }

    pub(super) fn record(&self) -> CallRecord {
        CallRecord {
            call: self.id.clone(),
            pbx: self.pbx.clone(),
            started_at: self.started_at,
            ended_at: self.ended_at,
            memory: self.memory.clone(),
            mailboxes: self
                .mailboxes
                .iter()
                .map(|(phone, mailbox)| mailbox.record(phone))
                .collect(),
        }
    }

    /// Whether this phone can send and receive in the call now.
    pub(super) fn has_party(&self, phone: &Phone) -> bool {
        self.ended_at.is_none()
            && self
                .mailboxes
                .get(phone)
                .is_some_and(|mailbox| mailbox.standing == Standing::Active)
    }

    /// The state of the call for a phone.
    pub(super) fn state_for(&self, phone: &Phone) -> CallState {
        if self.transferring {
            CallState::Transferring
        } else if self.paused.contains(phone) {
            CallState::Held
        } else {
            CallState::Talking
        }
    }

    /// The last row of a mailbox that may be handed out now.
    ///
    /// On hold: what was received before counts, and what a transfer brought is history; the rest
    /// waits (semantics §5.1).
    pub(super) fn open_until(&self, phone: &Phone) -> u64 {
        let Some(mailbox) = self.mailboxes.get(phone) else {
            return 0;
        };
        let last = self.log.committed();
        if self.paused.contains(phone) && self.ended_at.is_none() {
            mailbox.acked.max(mailbox.moved_seq(last))
        } else {
            mailbox.last_seq(last)
        }
    }

    /// The rows of a mailbox from `from` to `until`, at most `max`, without those that were replaced.
    pub(super) fn places(&self, phone: &Phone, from: u64, until: u64, max: usize) -> Vec<Place> {
        let Some(mailbox) = self.mailboxes.get(phone) else {
            return Vec::new();
        };
        (from..=until)
            .filter_map(|seq| {
                Some(Place {
                    seq,
                    number: mailbox.number_of(seq)?,
                })
            })
            .filter(|place| self.log.get(place.number).is_some())
            .take(max)
            .collect()
    }

    /// Whether some mailbox has received rows that its phone has not read.
    pub(super) fn has_unread(&self) -> bool {
        self.mailboxes.keys().any(|phone| self.has_unread_for(phone))
    }

    pub(super) fn has_unread_for(&self, phone: &Phone) -> bool {
        self.unread_of(phone).next().is_some()
    }

    /// The messages that this phone received and no terminal of it has acknowledged.
    pub(super) fn unread_of(&self, phone: &Phone) -> impl Iterator<Item = u64> {
        let mailbox = self.mailboxes.get(phone);
        self.log.entries().filter_map(move |(number, entry)| {
            let mailbox = mailbox?;
            let received = mailbox.segment_of(number)?.owner != entry.from;
            (received && mailbox.seq_of(number)? > mailbox.acked).then_some(number)
        })
    }

    /// The rows of these messages that are not in the log: later ones with the same key replaced them.
    pub(super) fn missing_rows(&self, heads: &[MessageHead]) -> Vec<u64> {
        let missing = heads.iter().filter(|head| self.log.get(head.number).is_none());
        missing.map(|head| head.row).collect()
    }

    /// All row numbers of its messages in the store.
    pub(super) fn rows(&self) -> Vec<u64> {
        self.log.entries().map(|(_, entry)| entry.row).collect()
    }
}
