//! The disk that a fault leaves.

use std::collections::BTreeSet;
use std::path::Path;

use callrelay::files::Folder;
use callrelay::store::{MailboxStore as _, SqliteStore};
use serde_json::Value;

use super::{CUTS, Run, Trouble};
use crate::disk::{self, Files, Journal};
use crate::ledger::{Stored, words_of};

impl Run {
    /// Makes the disk what it may be now.
    pub(super) fn leave_disk(&mut self, before: &Files) {
        if self.shim.is_none() {
            return;
        }
        let journal = Journal::read(&self.place.journal());
        self.syncs += journal.syncs();
        let retried = journal.after_failed_sync();
        // One that could not even be made holds nothing.
        if retried > 0 && before.contains_key("data/relay.db") {
            let what = format!("the store was used {retried} times after a sync had failed");
            self.troubles.push(what);
        }
        if self.trouble == Trouble::Io && self.dice.chance(40) {
            // Only the process ended.
            return;
        }
        for _ in 0..CUTS {
            let at = self.dice.between(0, journal.end());
            let files = journal.power_cut(before, at, &mut self.dice);
            self.look_at(&files, at);
        }
        let files = journal.power_cut(before, journal.end(), &mut self.dice);
        self.look_at(&files, journal.end());
        disk::write(self.place.disk(), &files);
        if self.trouble != Trouble::Io {
            self.faults += 1;
        }
    }

    /// Opens the store on a disk as it may have been left, and compares.
    fn look_at(&mut self, files: &Files, at: u64) {
        self.disks += 1;
        let folder = tempfile::tempdir().unwrap();
        disk::write(folder.path(), files);
        match stored(folder.path()) {
            Ok(stored) => self.shared.ledger.lock().unwrap().compare(&stored, at),
            Err(error) => self
                .troubles
                .push(format!("the disk of moment {at} cannot be used: {error}")),
        }
    }
}

/// What a relay finds on a disk.
fn stored(disk: &Path) -> Result<Stored, String> {
    let text = |error: callrelay::store::StoreError| error.to_string();
    let files = disk.join("files");
    let folder = Folder::open(&files).map_err(text)?;
    let mut store = SqliteStore::open(&disk.join("data/relay.db"), folder).map_err(text)?;
    let mut stored = Stored::default();
    let mut seen = BTreeSet::new();
    for call in store.load().map_err(text)? {
        let mut heads: Vec<(u64, u64)> = call
            .messages
            .iter()
            .filter(|head| !head.replaced)
            .map(|head| (head.number, head.row))
            .collect();
        heads.sort_unstable();
        let rows: Vec<u64> = heads.into_iter().map(|(_, row)| row).collect();
        if let Some(row) = rows.iter().find(|row| !seen.insert(**row)) {
            return Err(format!("row {row} is there twice"));
        }
        let messages = store.read(&rows).map_err(text)?;
        let words = messages.iter().map(|message| {
            let body: Value = serde_json::from_str(message.body.as_json()).unwrap_or_default();
            words_of(&body)
        });
        stored.calls.insert(call.record.call.to_string(), words.collect());
    }
    // What nobody knows of was removed by now.
    stored.files = disk::read(&files);
    Ok(stored)
}
