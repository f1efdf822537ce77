//! What has to be in a store, and what must not be found in its files.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ledger, MARK, read_words};

/// What is on a disk.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    /// The words of each call, in the order of their rows.
    pub(crate) calls: BTreeMap<String, Vec<String>>,
    /// The files, by their ids.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

impl Ledger {
    /// Words of calls that are over, in these bytes.
    pub(crate) fn words_left_in(&self, bytes: &[u8]) -> usize {
        let mut left = 0;
        let mut rest = bytes;
        while let Some(at) = find(rest, MARK.as_bytes()) {
            rest = &rest[at + MARK.len()..];
            let end = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
            let call = String::from_utf8_lossy(&rest[..end]);
            left += usize::from(self.over.contains_key(call.as_ref()));
        }
        left
    }

    /// It was looked for long enough.
    pub(crate) fn words_stay(&mut self, left: usize) {
        self.counts.leaked += left as u64;
        self.complain(format!(
            "the words of {left} messages of ended calls are still in the files"
        ));
    }

    /// Holds what a store has, in the order of the rows, against what it had to have at that moment.
    pub(crate) fn compare(&mut self, stored: &Stored, at: u64) {
        let mut there = BTreeSet::new();
        let mut latest = BTreeMap::new();
        for (call, bodies) in &stored.calls {
            for words in bodies {
                let known = read_words(words).filter(|(_, number)| {
                    self.messages
                        .get(*number)
                        .is_some_and(|known| known.call == *call)
                });
                let Some((_, number)) = known else {
                    self.counts.reordered += 1;
                    self.complain(format!("the store has in {call} what nobody sent: {words:.80}"));
                    continue;
                };
                if !there.insert(number) {
                    self.counts.duplicated += 1;
                    self.complain(format!("the store has message {number} twice"));
                }
                let before = latest.insert((call, self.messages[number].from), number);
                if before.is_some_and(|before| before > number) {
                    self.counts.reordered += 1;
                    self.complain(format!("the store has message {number} after {before:?}"));
                }
            }
        }
        let (mut missing, mut naming) = (Vec::new(), Vec::new());
        for call in self.calls.values() {
            if call.ended_at.is_some_and(|ended_at| ended_at <= at) {
                continue;
            }
            for number in self.unreplaced(call, at) {
                if self.messages[number].answered_at > at {
                    continue;
                }
                naming.push(number);
                if !there.contains(&number) {
                    missing.push(number);
                }
            }
        }
        let calls = stored.calls.keys().cloned().collect();
        self.compare_files(&stored.files, &calls, &naming, at);
        for number in missing {
            self.counts.lost += 1;
            let (call, answered_at) = (
                self.messages[number].call.clone(),
                self.messages[number].answered_at,
            );
            self.complain(format!(
                "message {number} of {call}, confirmed at {answered_at}, is not on the disk of {at}"
            ));
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    // Bytes of text that are rare elsewhere would be quicker still; this is quick enough for some megabytes.
    let first = what.first()?;
    let mut from = 0;
    while let Some(at) = bytes.get(from..)?.iter().position(|byte| byte == first) {
        if bytes[from + at..].starts_with(what) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}
