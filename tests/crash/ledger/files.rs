//! Uploaded files: what was promised of each, and whether it is kept.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ledger, MARK, MessageNo, State, TerminalNo};
use crate::dice::Dice;

/// An upload by its number in the ledger.
pub(crate) type FileNo = usize;

/// What became of an upload, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Upload {
    /// There is no answer, and there may never be one.
    Open,
    Accepted,
    /// Nothing may be left of it: it was refused, or broke off.
    Void,
}

#[derive(Debug)]
pub(super) struct File {
    pub(super) call: String,
    pub(super) size: usize,
    state: Upload,
    answered_at: u64,
    pub(super) id: String,
    /// The messages that were to name it, in order.
    named_by: Vec<MessageNo>,
    is_lost: bool,
}

/// A file that has to be there, and for whom.
#[derive(Clone, Debug)]
pub(crate) struct Readable {
    pub(crate) file: FileNo,
    pub(crate) id: String,
    pub(crate) call: String,
    pub(crate) bytes: Vec<u8>,
    /// Terminals whose phones have a row of it.
    pub(crate) readers: Vec<TerminalNo>,
    /// One whose phone was never to see it.
    pub(crate) stranger: Option<TerminalNo>,
}

/// What is in a file, so that it is known by its bytes: as long as asked for, or as its beginning.
pub(crate) fn content(call: &str, file: FileNo, size: usize) -> Vec<u8> {
    let mut bytes = format!("{MARK}{call} {file} {size} ").into_bytes();
    let mut dice = Dice::new(file as u64);
    while bytes.len() < size {
        bytes.extend(dice.next().to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// The shortest file that says what it is.
pub(crate) const SIZE_MIN: usize = 128;

fn read_content(bytes: &[u8]) -> Option<(&str, FileNo)> {
    let head = &bytes[..bytes.len().min(SIZE_MIN)];
    let valid = head.utf8_chunks().next()?.valid();
    let mut words = valid.strip_prefix(MARK)?.split(' ');
    Some((words.next()?, words.next()?.parse().ok()?))
}

impl Ledger {
    // -- What terminals see ----------------------------------------------------

    /// A terminal is about to upload so many bytes. `is_whole`: it will not go away before the end.
    pub(crate) fn upload_begins(&mut self, call: &str, size: usize, is_whole: bool) -> FileNo {
        self.files.push(File {
            call: call.to_owned(),
            size,
            state: if is_whole { Upload::Open } else { Upload::Void },
            answered_at: u64::MAX,
            id: String::new(),
            named_by: Vec::new(),
            is_lost: false,
        });
        self.files.len() - 1
    }

    /// It was told 201, and by which name.
    pub(crate) fn uploaded(&mut self, number: FileNo, id: &str, at: u64) {
        let file = &mut self.files[number];
        file.state = Upload::Accepted;
        file.answered_at = at;
        id.clone_into(&mut file.id);
        self.counts.files += 1;
    }

    /// It was told that nothing is kept.
    pub(crate) fn upload_refused(&mut self, number: FileNo) {
        self.files[number].state = Upload::Void;
        self.counts.files_refused += 1;
    }

    /// A terminal is about to name it in a message.
    pub(crate) fn named(&mut self, number: FileNo, message: MessageNo) {
        self.files[number].named_by.push(message);
        self.messages[message].file = Some(number);
    }

    /// A file that has to be there is not, or is another one.
    pub(crate) fn file_is_lost(&mut self, number: FileNo, what: &str) {
        let file = &mut self.files[number];
        if !std::mem::replace(&mut file.is_lost, true) {
            self.counts.files_lost += 1;
            let what = format!("file {number} ({}) of {}: {what}", file.id, file.call);
            self.complain(what);
        }
    }

    /// A phone was handed a file that it was not to see.
    pub(crate) fn file_is_leaked(&mut self, number: FileNo, terminal: TerminalNo) {
        self.counts.leaked += 1;
        let phone = &self.phones[terminal];
        let what = format!("file {number} was handed to {phone}, which has no row of it");
        self.complain(what);
    }

    // -- What has to be --------------------------------------------------------

    /// The file that a message names, by its id.
    pub(super) fn id_of_file(&self, message: MessageNo) -> Option<&str> {
        self.messages[message]
            .file
            .map(|file| self.files[file].id.as_str())
    }

    /// The files of calls that stand which somebody may read.
    pub(crate) fn readable(&self) -> Vec<Readable> {
        let mut found = Vec::new();
        for (id, call) in &self.calls {
            let Some(parties) = call.stages.last().filter(|_| call.ended_at.is_none()) else {
                continue;
            };
            let ever = || call.stages.iter().flatten();
            for message in self.unreplaced(call, u64::MAX) {
                let known = &self.messages[message];
                let Some(number) = known.file.filter(|_| known.state == State::Accepted) else {
                    continue;
                };
                let file = &self.files[number];
                let terminals = || 0..self.phones.len();
                let may_read = |terminal: &TerminalNo| {
                    let phone = &self.phones[*terminal];
                    let has_row =
                        |other: TerminalNo| other == known.from || known.received.contains_key(&other);
                    let has_row = terminals().any(|other| self.phones[other] == *phone && has_row(other));
                    parties.contains(phone) && has_row
                };
                found.push(Readable {
                    file: number,
                    id: file.id.clone(),
                    call: id.clone(),
                    bytes: content(id, number, file.size),
                    readers: terminals().filter(may_read).collect(),
                    stranger: terminals()
                        .find(|terminal| !ever().any(|phone| *phone == self.phones[*terminal])),
                });
            }
        }
        found
    }

    /// A call that stands, and a terminal that is in it.
    pub(crate) fn somebody_in_a_call(&self) -> Option<(TerminalNo, String)> {
        let mut standing = self.calls.iter().filter(|(_, call)| call.ended_at.is_none());
        standing.find_map(|(id, call)| {
            let [phone, _] = call.stages.last()?;
            let terminal = self.phones.iter().position(|known| known == phone)?;
            Some((terminal, id.clone()))
        })
    }

    /// Of the files on a disk, what ought not to be there, and why; `calls` are those of which the relay still knows.
    /// To be asked while nothing is uploaded.
    pub(crate) fn left_behind(
        &self,
        on_disk: &BTreeMap<String, Vec<u8>>,
        calls: &BTreeSet<String>,
    ) -> Vec<String> {
        let judged = on_disk.iter().filter_map(|(name, bytes)| {
            let why = self.why_left(bytes, calls)?;
            Some(format!("{name}, {} bytes: {why}", bytes.len()))
        });
        judged.collect()
    }

    fn why_left(&self, bytes: &[u8], calls: &BTreeSet<String>) -> Option<&'static str> {
        let known =
            read_content(bytes).and_then(|(call, number)| Some((number, call, self.files.get(number)?)));
        let Some((number, call, file)) = known.filter(|(_, call, file)| file.call == *call) else {
            return Some("it is nobody's");
        };
        let replaced = |message: &MessageNo| self.is_replaced(*message);
        if *bytes != content(call, number, file.size) {
            Some("it is not whole")
        } else if file.state == Upload::Void {
            Some("its upload came to nothing")
        } else if !calls.contains(call) {
            Some("its call is over")
        } else if file.named_by.last().is_some_and(replaced) {
            Some("what named it was replaced")
        } else {
            None
        }
    }

    /// Whether a later message, which was accepted, certainly took the place of this one, which was accepted too.
    fn is_replaced(&self, number: MessageNo) -> bool {
        let message = &self.messages[number];
        let Some(call) = self.calls.get(&message.call) else {
            return false;
        };
        let takes_its_place = |later: &MessageNo| {
            let other = &self.messages[*later];
            *later > number
                && other.from == message.from
                && other.key == message.key
                && other.state == State::Accepted
        };
        message.key.is_some() && message.state == State::Accepted && call.messages.iter().any(takes_its_place)
    }

    /// They had the time to go.
    pub(crate) fn files_stay(&mut self, left: &[String]) {
        self.counts.files_left += left.len() as u64;
        for file in left {
            self.complain(format!("a file was left behind: {file}"));
        }
    }

    // -- What a disk has -------------------------------------------------------

    /// Holds the files of a disk against what it had to have at that moment. `named`: of messages that it has to have.
    pub(super) fn compare_files(
        &mut self,
        on_disk: &BTreeMap<String, Vec<u8>>,
        calls: &BTreeSet<String>,
        named: &[MessageNo],
        at: u64,
    ) {
        let named = named.iter().filter_map(|message| self.messages[*message].file);
        let unnamed = self.files.iter().enumerate().filter(|(_, file)| {
            let stands = self.calls.get(&file.call);
            let stands = stands.is_some_and(|call| call.ended_at.is_none_or(|ended_at| ended_at > at));
            file.state == Upload::Accepted && file.answered_at <= at && stands && file.named_by.is_empty()
        });
        let due: BTreeSet<FileNo> = named.chain(unnamed.map(|(number, _)| number)).collect();
        for number in due {
            let file = &self.files[number];
            match on_disk.get(&file.id) {
                None => self.file_is_lost(number, &format!("it is not on the disk of {at}")),
                Some(bytes) if *bytes != content(&file.call, number, file.size) => {
                    let what = format!("on the disk of {at} it has other bytes, {} of them", bytes.len());
                    self.file_is_lost(number, &what);
                }
                Some(_) => {}
            }
        }
        let left: Vec<String> = on_disk
            .iter()
            .filter(|(_, bytes)| {
                let known = read_content(bytes);
                let known = known.filter(|(call, number)| {
                    let file = self.files.get(*number);
                    let is_it = file.is_some_and(|file| **bytes == content(call, *number, file.size));
                    is_it && calls.contains(*call)
                });
                known.is_none()
            })
            .map(|(name, bytes)| format!("{name}, {} bytes, on the disk of {at}", bytes.len()))
            .collect();
        self.files_stay(&left);
    }

    /// The relay has a new journal: what was, was before it.
    pub(super) fn journal_of_files_begins(&mut self) {
        for file in &mut self.files {
            let is_accepted = file.state == Upload::Accepted;
            file.answered_at = if is_accepted { 0 } else { u64::MAX };
        }
    }
}
