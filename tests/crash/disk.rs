//! Disks made out of a journal: what a disk may hold after the power failed.
//!
//! The shim (`shim.c`) notes what a relay does to the files of its disk and where the syncs are. From that, and
//! from the files as they were when the relay started, the disk can be made for any moment: everything that had been
//! synced by then, and of the rest whatever the dice leave ([`Luck`]). That is what POSIX promises, and no more:
//!
//! - what was written since the last sync of a file is there in part, sector by sector, and in any order: also the
//!   last of it without the first, and a page torn in the middle;
//! - a file is longer, or shorter, only as far as that was synced, or happens to have been carried out;
//! - a file or folder that was made, removed or renamed since the last sync of the folder it is in may be there or
//!   not, whatever was synced of the file itself, or within that folder;
//! - what was written before a sync that *failed* is there in part for good: no later sync brings it back, as with
//!   Linux, which forgets such pages.
//!
//! So one run has many possible power cuts in it, and all of them can be looked at. What is not modelled: sectors
//! that are themselves torn or rot, and disks that lie about their syncs (but see `CRASHTEST_LIES`).

mod journal;

use std::collections::BTreeMap;
use std::path::Path;

pub(crate) use journal::Journal;
use journal::{Note, What};

use crate::dice::Dice;

/// What a disk writes in one piece.
const SECTOR: usize = 512;
/// What a file system writes in one piece, if the power holds.
const PAGE: usize = 4096;

/// What is on a disk: files by their paths, and folders by theirs, which end with a slash.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// Reads a disk; not what the next process makes anew anyway.
pub(crate) fn read(disk: &Path) -> Files {
    let mut files = Files::new();
    read_into(&mut files, disk, "");
    files
}

fn read_into(files: &mut Files, disk: &Path, folder: &str) {
    for entry in std::fs::read_dir(disk.join(folder)).unwrap().map(Result::unwrap) {
        let path = format!("{folder}{}", entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() {
            let path = path + "/";
            read_into(files, disk, &path);
            files.insert(path, Vec::new());
        } else if !["data/relay.db-shm", "data/relay.db.lock"].contains(&path.as_str())
            // Unless it goes at this moment.
            && let Ok(bytes) = std::fs::read(entry.path())
        {
            files.insert(path, bytes);
        }
    }
}

/// Writes a disk anew.
pub(crate) fn write(disk: &Path, files: &Files) {
    for entry in std::fs::read_dir(disk).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            std::fs::remove_dir_all(entry.path()).unwrap();
        } else {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    // A folder comes before what is in it.
    for (path, bytes) in files {
        if path.ends_with('/') {
            std::fs::create_dir(disk.join(path)).unwrap();
        } else {
            std::fs::write(disk.join(path), bytes).unwrap();
        }
    }
}

/// The folder that a file or folder is in: a path that ends with a slash, or nothing.
fn folder_of(path: &str) -> &str {
    let inner = path.strip_suffix('/').unwrap_or(path);
    &path[..inner.rfind('/').map_or(0, |slash| slash + 1)]
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

/// What becomes of that which was not synced.
#[derive(Clone, Copy, Debug)]
enum Luck {
    /// All of it is gone.
    Nothing,
    /// All of it was carried out.
    Everything,
    /// So many of a hundred pieces of this size, and nobody knows which.
    Some { percent: u64, piece: usize },
    /// What came first, so many of a hundred operations, the last of them torn.
    First(u64),
    /// What came last.
    Last(u64),
}

impl Luck {
    fn draw(dice: &mut Dice) -> Self {
        match dice.between(0, 9) {
            0 => Self::Nothing,
            1 => Self::Everything,
            2..=4 => Self::Some {
                percent: dice.between(5, 95),
                piece: SECTOR,
            },
            5..=6 => Self::Some {
                percent: dice.between(5, 95),
                piece: PAGE,
            },
            7..=8 => Self::First(dice.between(0, 100)),
            _ => Self::Last(dice.between(0, 100)),
        }
    }
}

/// A file, by what is certain and what is not.
#[derive(Default)]
struct File {
    synced: Vec<u8>,
    since: Vec<Change>,
}

enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate(usize),
}

impl File {
    fn settle(&mut self) {
        for change in std::mem::take(&mut self.since) {
            match change {
                Change::Write { offset, bytes } => put(&mut self.synced, offset, &bytes),
                Change::Truncate(size) => self.synced.resize(size, 0),
            }
        }
    }

    /// The power fails, or a sync: of what was not synced there is what luck leaves, and that for good.
    fn gamble(&mut self, luck: Luck, dice: &mut Dice) {
        let changes = std::mem::take(&mut self.since);
        let count = changes.len() as u64;
        for (index, change) in (0_u64..).zip(changes) {
            let (percent, piece) = match luck {
                Luck::Nothing => (0, PAGE),
                Luck::Everything => (100, PAGE),
                Luck::Some { percent, piece } => (percent, piece),
                Luck::First(part) if index == count * part / 100 => (50, SECTOR),
                Luck::First(part) => (if index < count * part / 100 { 100 } else { 0 }, PAGE),
                Luck::Last(part) => (if index >= count * part / 100 { 100 } else { 0 }, PAGE),
            };
            match change {
                Change::Truncate(size) => {
                    if dice.chance(percent) {
                        self.synced.resize(size, 0);
                    }
                }
                Change::Write { offset, bytes } => {
                    let mut from = 0;
                    while from < bytes.len() {
                        let to = (piece - (offset + from) % piece + from).min(bytes.len());
                        if dice.chance(percent) {
                            put(&mut self.synced, offset + from, &bytes[from..to]);
                        }
                        from = to;
                    }
                }
            }
        }
    }
}

fn put(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if file.len() < offset + bytes.len() {
        file.resize(offset + bytes.len(), 0);
    }
    file[offset..offset + bytes.len()].copy_from_slice(bytes);
}

/// What a path leads to. Files are known by their place in the list, whatever they are called.
#[derive(Clone, Copy)]
enum Node {
    File(usize),
    Folder,
}

/// A disk: its files, and who is called how.
struct Disk {
    files: Vec<File>,
    by_inode: BTreeMap<u64, usize>,
    /// The folders as they were synced, and as they are.
    synced: BTreeMap<String, Node>,
    present: BTreeMap<String, Node>,
    since: Vec<Entry>,
}

enum Entry {
    Made(String, Node),
    Unlinked(String),
    Renamed(String, String),
}

impl Entry {
    fn apply(&self, names: &mut BTreeMap<String, Node>) {
        match self {
            Self::Made(path, node) => drop(names.insert(path.clone(), *node)),
            Self::Unlinked(path) => drop(names.remove(path)),
            Self::Renamed(from, to) => {
                if let Some(node) = names.remove(from) {
                    names.insert(to.clone(), node);
                }
            }
        }
    }

    /// The folder in which this is a change.
    fn folder(&self) -> &str {
        match self {
            Self::Made(path, _) | Self::Unlinked(path) | Self::Renamed(path, _) => folder_of(path),
        }
    }
}

impl Disk {
    fn new(before: &Files) -> Self {
        let mut disk = Self {
            files: Vec::new(),
            by_inode: BTreeMap::new(),
            synced: BTreeMap::new(),
            present: BTreeMap::new(),
            since: Vec::new(),
        };
        for (path, bytes) in before {
            let node = if path.ends_with('/') {
                Node::Folder
            } else {
                disk.add(bytes.clone())
            };
            disk.synced.insert(path.clone(), node);
        }
        disk.present = disk.synced.clone();
        disk
    }

    fn add(&mut self, synced: Vec<u8>) -> Node {
        let since = Vec::new();
        self.files.push(File { synced, since });
        Node::File(self.files.len() - 1)
    }

    fn take(&mut self, note: &Note, dice: &mut Dice) {
        match &note.what {
            What::Opened { fresh: true } => {
                let file = self.add(Vec::new());
                self.by_inode.insert(note.inode, self.files.len() - 1);
                self.change(Entry::Made(note.path.clone(), file));
            }
            What::Opened { fresh: false } => {
                let Some(Node::File(file)) = self.present.get(&note.path) else {
                    panic!("{} was there and has no name", note.path);
                };
                self.by_inode.insert(note.inode, *file);
            }
            What::Written { offset, bytes } => {
                let (offset, bytes) = (*offset, bytes.clone());
                self.file(note).since.push(Change::Write { offset, bytes });
            }
            What::Truncated(size) => {
                let size = *size;
                self.file(note).since.push(Change::Truncate(size));
            }
            What::Synced => self.file(note).settle(),
            What::FolderSynced => {
                let is_of_it = |entry: &mut Entry| entry.folder() == note.path;
                for entry in self.since.extract_if(.., is_of_it) {
                    entry.apply(&mut self.synced);
                }
            }
            What::FolderMade => self.change(Entry::Made(note.path.clone(), Node::Folder)),
            What::Unlinked => self.change(Entry::Unlinked(note.path.clone())),
            What::Renamed(to) => self.change(Entry::Renamed(note.path.clone(), to.clone())),
            What::SyncFailed if note.is_of_file() => self.file(note).gamble(Luck::draw(dice), dice),
            What::SyncFailed | What::Failed => {}
        }
    }

    fn change(&mut self, entry: Entry) {
        entry.apply(&mut self.present);
        self.since.push(entry);
    }

    fn file(&mut self, note: &Note) -> &mut File {
        &mut self.files[self.by_inode[&note.inode]]
    }

    fn power_cut(mut self, dice: &mut Dice) -> Files {
        let luck = Luck::draw(dice);
        for file in &mut self.files {
            file.gamble(luck, dice);
        }
        let kept = size(dice.between(0, self.since.len() as u64));
        for entry in &self.since[..kept] {
            entry.apply(&mut self.synced);
        }
        let mut files = Files::new();
        for (path, node) in self.synced {
            // What was in a folder that is gone is gone; a folder comes before what is in it.
            let folder = folder_of(&path);
            if !folder.is_empty() && !files.contains_key(folder) {
                continue;
            }
            let bytes = match node {
                Node::File(file) => std::mem::take(&mut self.files[file].synced),
                Node::Folder => Vec::new(),
            };
            files.insert(path, bytes);
        }
        files
    }
}

#[cfg(test)]
mod tests;
