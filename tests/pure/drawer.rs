//! The store of a stage: a drawer in memory.

use std::collections::BTreeMap;

use callrelay::model::{Body, CallId, FileId};
use callrelay::relay::record::{CallRecord, FileRecord, MessageHead, RestoredCall, StoredMessage};
use callrelay::relay::{ReadRequest, Write};

/// The store: what was committed, and what is under way to it.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) messages: BTreeMap<u64, StoredMessage>,
    pub(crate) calls: BTreeMap<CallId, CallRecord>,
    pub(crate) files: BTreeMap<FileId, FileRecord>,
    pub(crate) writes: Vec<Write>,
    pub(crate) reads: Vec<ReadRequest>,
    pub(crate) paused: bool,
    /// How much it still writes before it pauses, if it is to.
    pub(crate) batches_left: Option<u32>,
    pub(crate) reads_paused: bool,
    pub(crate) broken: bool,
}

impl Store {
    pub(crate) fn write(&mut self, write: Write) {
        match write {
            Write::Append(message) => {
                let before = self.messages.insert(message.row, message);
                assert_eq!(before, None, "a row number was used twice");
            }
            Write::PutCall(record) => {
                self.calls.insert(record.call.clone(), *record);
            }
            Write::MoveMessages { rows, into, offset } => {
                for row in rows {
                    if let Some(message) = self.messages.get_mut(&row) {
                        message.call = into.clone();
                        message.number += offset;
                    }
                }
            }
            Write::BlankMessages(rows) => {
                for row in rows {
                    if let Some(message) = self.messages.get_mut(&row) {
                        message.key = None;
                        message.file = None;
                        message.body = Body::new("");
                    }
                }
            }
            Write::EraseMessages(rows) => self.messages.retain(|row, _| !rows.contains(row)),
            Write::EraseCall(call) => {
                self.calls.remove(&call);
                let left = self
                    .messages
                    .values()
                    .filter(|message| message.call == call)
                    .count();
                assert_eq!(left, 0, "a call was erased and left messages behind");
                let left = self.files.values().filter(|file| file.call == call).count();
                assert_eq!(left, 0, "a call was erased and left files behind");
            }
            Write::PutFile(record) => {
                self.files.insert(record.file.clone(), record);
            }
            Write::EraseFile(file) => {
                self.files.remove(&file);
            }
        }
    }

    pub(crate) fn restored(&self) -> Vec<RestoredCall> {
        let head = |message: &StoredMessage| MessageHead {
            row: message.row,
            number: message.number,
            id: message.id.clone(),
            reference: message.reference.clone(),
            from: message.from.clone(),
            terminal: message.terminal.clone(),
            key: message.key.clone(),
            size: message.body.len() as u64,
            held: message.held,
            replaced: message.body.is_empty(),
            file: message.file.clone(),
        };
        let of = |call: &CallId| {
            self.messages
                .values()
                .filter(|message| message.call == *call)
                .map(head)
                .collect()
        };
        let files_of = |call: &CallId| {
            let files = self.files.values().filter(|file| file.call == *call);
            files.cloned().collect()
        };
        let restored = |record: &CallRecord| RestoredCall {
            record: record.clone(),
            messages: of(&record.call),
            files: files_of(&record.call),
        };
        self.calls.values().map(restored).collect()
    }
}
