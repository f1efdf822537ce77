//! Files of a call: who may put one there, who may read it, and when it goes.
//!
//! The bytes are the gateway's and the store's business. A file is first uploaded into a call, and then named by a
//! message. It may be read by every phone that has a row which names it, and it is gone when no mailbox has such a row
//! any more; one that nobody ever named goes with its call.

use std::collections::BTreeSet;

use crate::model::{CallId, FileId, Phone};

use super::Relay;
use super::call::Call;
use super::effect::{Effect, SendRefusal, Write};
use super::mailbox::Mailbox;
use super::record::{FileRecord, Standing};

/// A file of a call.
#[derive(Debug)]
pub(super) struct File {
    pub(super) record: FileRecord,
    /// A message that is stored named it.
    pub(super) named: bool,
}

/// Where a file that is about to be uploaded belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadPlace {
    /// The id it will have.
    pub file: FileId,
    /// The call.
    pub call: CallId,
}

impl Relay {
    /// Whether a phone may upload a file: into the named call, or the one its messages go to.
    pub fn place_for_upload(
        &mut self,
        phone: &Phone,
        call: Option<&CallId>,
    ) -> Result<UploadPlace, SendRefusal> {
        let call = self.call_to_send_to(phone, call).ok_or(SendRefusal::NotInCall)?;
        if self.storage.down {
            return Err(SendRefusal::Unavailable);
        }
        let known = self.calls.get(&call).ok_or(SendRefusal::NotInCall)?;
        let bytes: u64 = known.files.values().map(|file| file.record.size).sum();
        if bytes >= self.rules.call_file_bytes_max {
            return Err(SendRefusal::MailboxFull);
        }
        let file = FileId::new(self.random_name() + &self.random_name());
        Ok(UploadPlace { file, call })
    }

    /// Takes in a file whose bytes are safe. `false`: its phone is not in that call any more, and nothing is known
    /// of it.
    pub fn take_file(&mut self, record: FileRecord) -> bool {
        let call = self.calls.get_mut(&record.call);
        let Some(call) = call.filter(|call| call.has_party(&record.phone)) else {
            return false;
        };
        self.effects
            .push_back(Effect::Write(Write::PutFile(record.clone())));
        let file = File { record, named: false };
        call.files.insert(file.record.file.clone(), file);
        true
    }

    /// A file that a phone may read.
    #[must_use]
    pub fn find_file(&self, phone: &Phone, file: &FileId) -> Option<FileRecord> {
        let calls = self.calls_of.get(phone)?.iter();
        let mut calls = calls.filter_map(|id| self.calls.get(id));
        calls.find_map(|call| {
            let known = call.files.get(file)?;
            call.may_read_file(phone, file).then(|| known.record.clone())
        })
    }

    /// Whether a phone may name this file to the others of its call: what it may read itself, or uploaded there.
    pub(super) fn may_name_file(&self, call: &CallId, phone: &Phone, file: &FileId) -> bool {
        self.calls.get(call).is_some_and(|call| {
            let own = |file: &File| file.record.phone == *phone;
            call.files.get(file).is_some_and(own) || call.may_read_file(phone, file)
        })
    }

    /// Rows of this call went: files that no mailbox names any more go too.
    pub(super) fn sweep_files(&mut self, id: &CallId) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        if call.files.is_empty() {
            return;
        }
        let (shown, is_over) = (call.named_files(), call.ended_at.is_some());
        let gone: Vec<FileId> = call
            .files
            .iter()
            .filter(|(file, known)| !shown.contains(*file) && (known.named || is_over))
            .map(|(file, _)| file.clone())
            .collect();
        for file in gone {
            call.files.remove(&file);
            self.effects.push_back(Effect::Write(Write::EraseFile(file)));
        }
    }

    /// The call goes, and every file with it.
    pub(super) fn erase_files(&mut self, call: &Call) {
        let files = call.files.keys().cloned();
        self.effects
            .extend(files.map(|file| Effect::Write(Write::EraseFile(file))));
    }

    /// A file that was not stored never was.
    pub(super) fn refuse_file(&mut self, record: &FileRecord) {
        if let Some(call) = self.calls.get_mut(&record.call) {
            call.files.remove(&record.file);
        }
        // Its bytes may be there.
        self.effects
            .push_back(Effect::Write(Write::EraseFile(record.file.clone())));
    }
}

/// Whether a mailbox has a row of this message. Of one whose phone left only what is unread lingers.
fn has_row(mailbox: &Mailbox, number: u64) -> bool {
    let seq = mailbox.seq_of(number);
    seq.is_some_and(|seq| mailbox.standing != Standing::Left || seq > mailbox.acked)
}

impl Call {
    /// Whether a mailbox of this phone has a row that names the file.
    fn may_read_file(&self, phone: &Phone, file: &FileId) -> bool {
        let Some(mailbox) = self.mailboxes.get(phone) else {
            return false;
        };
        let committed = self.log.committed();
        let mut naming = self.log.naming(file);
        naming.any(|number| number <= committed && has_row(mailbox, number))
    }

    /// The files that some mailbox has a row about.
    fn named_files(&self) -> BTreeSet<FileId> {
        let mailboxes = || self.mailboxes.values();
        let shown = self
            .log
            .entries()
            .filter(|(number, _)| mailboxes().any(|mailbox| has_row(mailbox, *number)));
        shown.filter_map(|(_, entry)| entry.file.clone()).collect()
    }

    /// A message that is stored names this file.
    pub(super) fn note_named(&mut self, file: Option<&FileId>) {
        if let Some(file) = file.and_then(|file| self.files.get_mut(file)) {
            file.named = true;
        }
    }
}
