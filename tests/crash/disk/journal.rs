//! The journal that the shim keeps of a disk.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Disk, Files, size};
use crate::dice::Dice;

/// What a relay did to its disk, in order.
pub(crate) struct Journal {
    pub(super) notes: Vec<Note>,
    pub(super) bytes: u64,
}

/// One thing that was done.
pub(super) struct Note {
    /// Where it ends in the journal.
    pub(super) end: u64,
    /// What it was done to: a file also has an inode.
    pub(super) inode: u64,
    pub(super) path: String,
    pub(super) what: What,
}

pub(super) enum What {
    Opened { fresh: bool },
    Written { offset: usize, bytes: Vec<u8> },
    Truncated(usize),
    Synced,
    FolderMade,
    FolderSynced,
    Unlinked,
    Renamed(String),
    SyncFailed,
    Failed,
}

impl Note {
    /// Whether it is of a file, and not of a folder.
    pub(super) const fn is_of_file(&self) -> bool {
        self.inode != 0
    }

    /// Whether it is of the store, and not of an uploaded file: one of these may be refused and forgotten, and the
    /// relay go on.
    fn is_of_store(&self) -> bool {
        self.path.starts_with("data/")
    }

    const fn has_failed(&self) -> bool {
        matches!(self.what, What::Failed | What::SyncFailed)
    }

    /// The sync of a file failed on which everything depends.
    fn is_failed_sync_of_store(&self) -> bool {
        matches!(self.what, What::SyncFailed) && self.is_of_file() && self.is_of_store()
    }
}

impl Journal {
    /// Reads a journal. What a killed process did not write to its end did not happen.
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read(path).unwrap_or_default();
        let mut journal = Self {
            notes: Vec::new(),
            bytes: 0,
        };
        let mut opened = BTreeMap::new();
        let mut rest = text.as_slice();
        while let Some((head, after)) = rest.split_at_checked(32) {
            let number = |index: usize| u64::from_le_bytes(head[8 * index..][..8].try_into().unwrap());
            let (kind, inode, offset, length) = (number(0), number(1), size(number(2)), size(number(3)));
            let Some((data, after)) = after.split_at_checked(length) else {
                break;
            };
            let name = || String::from_utf8(data.to_vec()).unwrap();
            let folder = || match name().as_str() {
                "" => String::new(),
                name => format!("{name}/"),
            };
            let of_inode = || opened.get(&inode).cloned().unwrap_or_default();
            let (path, what) = match kind {
                1 => (name(), What::Opened { fresh: offset == 1 }),
                2 => {
                    let bytes = data.to_vec();
                    (of_inode(), What::Written { offset, bytes })
                }
                3 => (of_inode(), What::Truncated(offset)),
                4 => (of_inode(), What::Synced),
                5 => (folder(), What::FolderSynced),
                6 => (name(), What::Unlinked),
                7 => {
                    let both = name();
                    let (from, to) = both.split_once('\n').unwrap();
                    (from.to_owned(), What::Renamed(to.to_owned()))
                }
                8 if inode == 0 => (folder(), What::SyncFailed),
                8 => (of_inode(), What::SyncFailed),
                9 => (of_inode(), What::Failed),
                10 => (folder(), What::FolderMade),
                other => panic!("the journal has a note of kind {other}"),
            };
            if let What::Opened { .. } = what {
                opened.insert(inode, path.clone());
            }
            rest = after;
            journal.bytes = (text.len() - rest.len()) as u64;
            journal.notes.push(Note {
                end: journal.bytes,
                inode,
                path,
                what,
            });
        }
        journal
    }

    /// Its length: the moment of its last note.
    pub(crate) const fn end(&self) -> u64 {
        self.bytes
    }

    /// Syncs that were done.
    pub(crate) fn syncs(&self) -> u64 {
        let done = |note: &&Note| matches!(note.what, What::Synced | What::FolderSynced);
        self.notes.iter().filter(done).count() as u64
    }

    /// Whether the operation that was to fail came.
    pub(crate) fn has_failure(&self) -> bool {
        self.notes.iter().any(Note::has_failed)
    }

    /// Whether it was one of the store: the relay may end.
    pub(crate) fn may_end_the_relay(&self) -> bool {
        self.notes
            .iter()
            .any(|note| note.has_failed() && note.is_of_store())
    }

    /// What failed, and what was done to the disk right before.
    pub(crate) fn failure(&self) -> String {
        let at = self.notes.iter().position(Note::has_failed).unwrap_or(0);
        let told = self.notes[at.saturating_sub(8)..=at].iter().map(|note| {
            let what = match &note.what {
                What::Opened { fresh } => format!("open (fresh: {fresh})"),
                What::Written { offset, bytes } => format!("write {} at {offset}", bytes.len()),
                What::Truncated(size) => format!("truncate to {size}"),
                What::Synced => "sync".to_owned(),
                What::FolderMade => "make the folder".to_owned(),
                What::FolderSynced => "sync the folder".to_owned(),
                What::Unlinked => "unlink".to_owned(),
                What::Renamed(to) => format!("rename to {to}"),
                What::SyncFailed => "sync FAILED".to_owned(),
                What::Failed => "FAILED".to_owned(),
            };
            format!("{} {what}", note.path)
        });
        told.collect::<Vec<_>>().join(", ")
    }

    /// Whether it was one that has to end the relay. SQLite does not tell it when the sync of a folder fails: it is
    /// enough if the relay saw another one succeed.
    pub(crate) fn has_fatal_failure(&self) -> bool {
        let is_fatal = |note: &Note| {
            note.is_failed_sync_of_store() || matches!(note.what, What::Failed) && note.is_of_store()
        };
        self.notes.iter().any(is_fatal)
    }

    /// What was still done to the store after the sync of a file of it had failed: nobody knows what such a disk
    /// holds, so nothing may build on it.
    pub(crate) fn after_failed_sync(&self) -> usize {
        let mut notes = self.notes.iter();
        if !notes.any(Note::is_failed_sync_of_store) {
            return 0;
        }
        notes
            .filter(|note| note.is_of_store() && !matches!(note.what, What::Opened { .. }))
            .count()
    }

    /// The disk, if the power fails when the journal is so long.
    pub(crate) fn power_cut(&self, before: &Files, at: u64, dice: &mut Dice) -> Files {
        let mut disk = Disk::new(before);
        for note in self.notes.iter().take_while(|note| note.end <= at) {
            disk.take(note, dice);
        }
        disk.power_cut(dice)
    }
}
