//! What a copy of the store has to hold that was taken while the relay worked.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ledger, MessageNo, Readable, State, content, read_words};

/// A mailbox as a relay of the copy hands it out.
#[derive(Debug)]
pub(crate) struct CopiedMailbox {
    pub(crate) call: String,
    pub(crate) phone: String,
    /// The words of its rows, in their order.
    pub(crate) words: Vec<String>,
}

impl Ledger {
    /// What is confirmed at this moment, in calls that stand.
    pub(crate) fn confirmed(&self) -> BTreeSet<MessageNo> {
        let standing = self.calls.values().filter(|call| call.ended_at.is_none());
        let numbers = standing.flat_map(|call| &call.messages).copied();
        numbers
            .filter(|number| self.messages[*number].state == State::Accepted)
            .collect()
    }

    /// What was confirmed before a copy was begun, and cannot have gone before it was done.
    fn due_in_copy(&self, confirmed: &BTreeSet<MessageNo>) -> BTreeMap<&str, BTreeSet<MessageNo>> {
        let standing = self.calls.iter().filter(|(_, call)| call.ended_at.is_none());
        let due = standing.map(|(id, call)| {
            let kept = self.unreplaced(call, u64::MAX).into_iter();
            (
                id.as_str(),
                kept.filter(|number| confirmed.contains(number)).collect(),
            )
        });
        due.filter(|(_, numbers): &(_, BTreeSet<_>)| !numbers.is_empty())
            .collect()
    }

    /// Holds the mailboxes of a copy against what was confirmed before it was begun.
    pub(crate) fn compare_copy(&mut self, confirmed: &BTreeSet<MessageNo>, mailboxes: &[CopiedMailbox]) {
        let mut wrong = Vec::new();
        for (call, due) in self.due_in_copy(confirmed) {
            let mut copies = mailboxes.iter().filter(|mailbox| mailbox.call == call).peekable();
            if copies.peek().is_none() {
                wrong.push((due.len(), format!("a copy has nothing of {call}")));
            }
            for mailbox in copies {
                let numbers = mailbox.words.iter().map(|words| read_words(words));
                let numbers: Vec<MessageNo> = numbers.flatten().map(|(_, number)| number).collect();
                let there: BTreeSet<MessageNo> = numbers.iter().copied().collect();
                let missing: Vec<_> = due.difference(&there).collect();
                if !missing.is_empty() {
                    let (phone, some) = (&mailbox.phone, &missing[..missing.len().min(5)]);
                    wrong.push((
                        missing.len(),
                        format!("a copy has not, for {phone} in {call}, messages {some:?}"),
                    ));
                }
            }
        }
        for (lost, what) in wrong {
            self.counts.lost += lost as u64;
            self.complain(what);
        }
        for mailbox in mailboxes {
            self.check_order_of_copy(mailbox);
        }
    }

    fn check_order_of_copy(&mut self, mailbox: &CopiedMailbox) {
        let CopiedMailbox { call, phone, words } = mailbox;
        let mut latest = BTreeMap::new();
        for text in words {
            let known = read_words(text).and_then(|(of, number)| {
                let message = self.messages.get(number)?;
                (of == call && message.call == *call).then_some((message.from, number))
            });
            let before = known.map(|(from, number)| latest.insert(from, number) >= Some(number));
            if before != Some(false) {
                self.counts.reordered += 1;
                self.complain(format!(
                    "a copy has, for {phone} in {call}, out of order {text:.80}"
                ));
            }
        }
    }

    /// The files that a copy has to have. Who may read them is to be asked of the copy.
    pub(crate) fn files_due_in_copy(&self, confirmed: &BTreeSet<MessageNo>) -> Vec<Readable> {
        let due = self.due_in_copy(confirmed);
        let named = due.into_values().flatten().filter_map(|message| {
            let number = self.messages[message].file?;
            let file = &self.files[number];
            Some(Readable {
                file: number,
                id: file.id.clone(),
                call: file.call.clone(),
                bytes: content(&file.call, number, file.size),
                readers: Vec::new(),
                stranger: None,
            })
        });
        named.collect()
    }
}
