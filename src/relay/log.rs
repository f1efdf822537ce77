//! The messages of one call, once each.
//!
//! Of a message that is committed only what the rules need is kept here; its body is in the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{MessageId, Phone};

use super::record::{MessageHead, StoredMessage};

/// How many of the latest messages are known by their reference although they were replaced.
const REPLACED_REFERENCES: usize = 2_048;

#[derive(Debug, Default)]
pub(super) struct Log {
    messages: BTreeMap<u64, Entry>,
    /// The latest message of each phone and key.
    keyed: BTreeMap<(Phone, String), u64>,
    /// What became of each phone's references.
    references: BTreeMap<(Phone, String), Accepted>,
    last: u64,
    committed: u64,
}

/// What a sender was told of a reference. Outlives the message, which a later one may replace.
#[derive(Clone, Debug)]
pub(super) struct Accepted {
    pub(super) number: u64,
    pub(super) id: MessageId,
    pub(super) held: bool,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) row: u64,
    pub(super) id: MessageId,
    pub(super) from: Phone,
    pub(super) size: u64,
    /// The whole message, until everyone who is connected was handed it.
    pub(super) fresh: Option<Arc<StoredMessage>>,
}

impl Log {
    /// The log as it was kept. `last` is the highest number that a mailbox knows of: a message that was
    /// refused leaves a gap, and its number is not used again.
    pub(super) fn restore(heads: &[MessageHead], last: u64) -> Self {
        let mut log = Self::default();
        for head in heads {
            let entry = Entry {
                row: head.row,
                id: head.id.clone(),
                from: head.from.clone(),
                size: head.size,
                fresh: None,
            };
            log.messages.insert(head.number, entry);
            let accepted = Accepted {
                number: head.number,
                id: head.id.clone(),
                held: head.held,
            };
            log.references
                .insert((head.from.clone(), head.reference.clone()), accepted);
            if let Some(key) = &head.key {
                let replaced = log.keyed.insert((head.from.clone(), key.clone()), head.number);
                replaced.and_then(|replaced| log.messages.remove(&replaced));
            }
            log.last = log.last.max(head.number);
        }
        log.committed = log.last;
        log.last = log.last.max(last);
        log
    }

    /// The number of the last message that was accepted.
    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    /// The number of the last message that is stored: what may be shown.
    pub(super) const fn committed(&self) -> u64 {
        self.committed
    }

    pub(super) fn get(&self, number: u64) -> Option<&Entry> {
        self.messages.get(&number)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (u64, &Entry)> {
        self.messages.iter().map(|(number, entry)| (*number, entry))
    }

    /// The message that this phone sent with this reference, even if it was replaced since.
    pub(super) fn by_reference(&self, from: &Phone, reference: &str) -> Option<&Accepted> {
        self.references.get(&(from.clone(), reference.to_owned()))
    }

    /// The message that a new one with this key replaces.
    pub(super) fn by_key(&self, from: &Phone, key: &str) -> Option<u64> {
        self.keyed.get(&(from.clone(), key.to_owned())).copied()
    }

    pub(super) fn accept(&mut self, message: StoredMessage) {
        let number = message.number;
        self.last = self.last.max(number);
        self.forget_old_references();
        let accepted = Accepted {
            number,
            id: message.id.clone(),
            held: message.held,
        };
        self.references
            .insert((message.from.clone(), message.reference.clone()), accepted);
        let entry = Entry {
            row: message.row,
            id: message.id.clone(),
            from: message.from.clone(),
            size: message.body.len() as u64,
            fresh: Some(Arc::new(message)),
        };
        self.messages.insert(number, entry);
    }

    /// References of messages that were replaced are kept for a while only: a key may be written to
    /// for as long as a call lasts.
    fn forget_old_references(&mut self) {
        if self.references.len() <= self.messages.len() + 2 * REPLACED_REFERENCES {
            return;
        }
        let (messages, oldest) = (
            &self.messages,
            self.last.saturating_sub(REPLACED_REFERENCES as u64),
        );
        self.references
            .retain(|_, accepted| accepted.number > oldest || messages.contains_key(&accepted.number));
    }

    /// The message is stored. Gives back the message that it replaces, which is gone with this.
    pub(super) fn commit(&mut self, number: u64) -> Option<(u64, Entry)> {
        self.committed = self.committed.max(number);
        let message = self.messages.get(&number)?.fresh.clone()?;
        let key = message.key.clone()?;
        let replaced = self.keyed.insert((message.from.clone(), key), number)?;
        self.messages.remove(&replaced).map(|entry| (replaced, entry))
    }

    /// The message was not stored: it never was.
    pub(super) fn refuse(&mut self, number: u64) -> Option<Entry> {
        let entry = self.messages.remove(&number)?;
        if let Some(message) = &entry.fresh {
            self.references
                .remove(&(message.from.clone(), message.reference.clone()));
        }
        Some(entry)
    }

    /// The rows and bytes of bodies that a mailbox shows.
    pub(super) fn weigh(&self, mailbox: &super::mailbox::Mailbox) -> (u64, u64) {
        let shown = self
            .messages
            .iter()
            .filter(|(number, _)| mailbox.segment_of(**number).is_some());
        shown.fold((0, 0), |(rows, bytes), (_, entry)| (rows + 1, bytes + entry.size))
    }

    /// Everyone who is connected was handed it; the body is in the store.
    pub(super) fn settle(&mut self, number: u64) {
        if let Some(entry) = self.messages.get_mut(&number) {
            entry.fresh = None;
        }
    }
}
