//! What was asked for, what was promised, and what came of it.
//!
//! The ledger is filled in by those who see it happen: terminals note what they send, what they are answered and
//! what they are handed; the run notes what the switch says of calls. It knows nothing of how the relay works, only
//! what `docs/semantics.md` promises. Moments are lengths of the disk's journal, so that "before" and "after" mean
//! the same for a `sent` that came in and for a sync.

mod calls;
mod copies;
mod counts;
mod disks;
mod due;
mod files;

use std::collections::BTreeMap;

use serde_json::Value;

pub(crate) use copies::CopiedMailbox;
pub(crate) use counts::Counts;
pub(crate) use disks::Stored;
use files::File;
pub(crate) use files::{FileNo, Readable, SIZE_MIN, content};

/// A message by its number in the ledger.
pub(crate) type MessageNo = usize;
/// A terminal by its number in the run.
pub(crate) type TerminalNo = usize;

/// What became of a message, as far as its sender knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// There is no answer.
    Open,
    Accepted,
    Refused,
    /// There will be no answer: its call was over before it could be asked for again.
    Unknown,
}

#[derive(Debug)]
struct Message {
    call: String,
    from: TerminalNo,
    key: Option<String>,
    state: State,
    asked_at: u64,
    answered_at: u64,
    /// The stage its call had certainly reached when it was sent.
    stage: usize,
    /// The terminals that were handed it, and in which mailbox.
    received: BTreeMap<TerminalNo, String>,
    /// What it names.
    file: Option<FileNo>,
    is_written_off: bool,
}

/// A call, by what the switch said of it.
#[derive(Debug, Default)]
struct Call {
    /// The parties at first, and after each transfer.
    stages: Vec<[String; 2]>,
    /// The stage that the relay certainly knows of.
    known: usize,
    messages: Vec<MessageNo>,
    is_held: bool,
    /// When the switch was about to say that it is over.
    ended_at: Option<u64>,
}

/// One row that a terminal was handed.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) call: String,
    pub(crate) epoch: String,
    pub(crate) seq: u64,
    pub(crate) words: String,
    /// The file that it names.
    pub(crate) file: Option<String>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// The phone of each terminal.
    phones: Vec<String>,
    messages: Vec<Message>,
    files: Vec<File>,
    calls: BTreeMap<String, Call>,
    /// The stages of calls that are over and of which everything was delivered.
    over: BTreeMap<String, Vec<[String; 2]>>,
    /// What each row is, by epoch and seq.
    rows: BTreeMap<(String, u64), MessageNo>,
    /// The last message of each sender that each terminal was handed.
    latest: BTreeMap<(TerminalNo, String, TerminalNo), MessageNo>,
    /// Rows whose receivers are still to be judged.
    unjudged: Vec<(MessageNo, TerminalNo)>,
    /// Mailboxes may be lost with a process that could not store them.
    may_lose_mailboxes: bool,
    pub(crate) counts: Counts,
    complaints: Vec<String>,
}

/// What a message says, so that it is found again wherever it turns up.
pub(crate) fn words(call: &str, message: MessageNo, padding: usize) -> String {
    format!("{MARK}{call} {message} {}", "x".repeat(padding))
}

/// What a body says, whether or not it names a file too.
pub(crate) fn words_of(body: &Value) -> String {
    let words = body.get("words").unwrap_or(body);
    words.as_str().unwrap_or_default().to_owned()
}

/// What all messages and files begin with, and nothing else on a disk.
pub(crate) const MARK: &str = "these are words of ";

fn read_words(words: &str) -> Option<(&str, MessageNo)> {
    let (call, rest) = words.strip_prefix(MARK)?.split_once(' ')?;
    Some((call, rest.split(' ').next()?.parse().ok()?))
}

impl Ledger {
    /// For terminals of these phones.
    pub(crate) fn new(phones: Vec<String>) -> Self {
        Self {
            phones,
            ..Self::default()
        }
    }

    /// The store may have no room for a mailbox when its process is killed: its rows are handed out again then, in
    /// another one.
    pub(crate) const fn may_lose_mailboxes(mut self) -> Self {
        self.may_lose_mailboxes = true;
        self
    }

    fn complain(&mut self, what: String) {
        if self.complaints.len() < 20 {
            self.complaints.push(what);
        }
    }

    /// The first few things that were wrong.
    pub(crate) fn complaints(&self) -> &[String] {
        &self.complaints
    }

    // -- What terminals see ----------------------------------------------------

    /// A terminal is about to send a message.
    pub(crate) fn asked(&mut self, from: TerminalNo, call: &str, key: Option<&str>, at: u64) -> MessageNo {
        let number = self.messages.len();
        let known = self.calls.entry(call.to_owned()).or_default();
        known.messages.push(number);
        self.messages.push(Message {
            call: call.to_owned(),
            from,
            key: key.map(str::to_owned),
            state: State::Open,
            asked_at: at,
            answered_at: u64::MAX,
            stage: known.known,
            received: BTreeMap::new(),
            file: None,
            is_written_off: false,
        });
        number
    }

    /// It was told `sent`, and which row it is.
    pub(crate) fn accepted(&mut self, number: MessageNo, row: Option<(&str, u64)>, at: u64) {
        let message = &mut self.messages[number];
        match message.state {
            State::Open => {}
            // The answer to a repetition.
            State::Accepted => return,
            State::Refused | State::Unknown => {
                let what = format!("message {number} was refused, and then accepted");
                self.counts.revived += 1;
                return self.complain(what);
            }
        }
        message.state = State::Accepted;
        message.answered_at = at;
        self.counts.accepted += 1;
        if let Some((epoch, seq)) = row {
            self.note_row(epoch, seq, number);
        }
        if self.is_delivered(number) {
            self.counts.delivered += 1;
        }
    }

    /// It was told `send_failed`. `is_certain`: it cannot have been stored by an earlier attempt either.
    pub(crate) fn refused(&mut self, number: MessageNo, is_certain: bool) {
        let message = &mut self.messages[number];
        if message.state != State::Open {
            let what = format!("message {number} was accepted, and then refused");
            self.counts.lost += 1;
            return self.complain(what);
        }
        if !is_certain {
            message.state = State::Unknown;
            return;
        }
        message.state = State::Refused;
        self.counts.refused += 1;
        if !message.received.is_empty() {
            let what = format!("message {number} was refused after it was delivered");
            self.counts.revived += 1;
            self.complain(what);
        }
    }

    /// A terminal was handed a row that its position did not have.
    pub(crate) fn received(&mut self, terminal: TerminalNo, row: &Row) {
        let found = read_words(&row.words).filter(|(call, number)| {
            self.messages
                .get(*number)
                .is_some_and(|known| known.call == *call)
        });
        let Some((_, number)) = found else {
            let what = format!("a row that nobody sent: {row:?}");
            self.counts.reordered += 1;
            return self.complain(what);
        };
        if self.messages[number].call != row.call {
            let what = format!("message {number} of another call: {row:?}");
            self.counts.leaked += 1;
            self.complain(what);
        }
        if self.id_of_file(number) != row.file.as_deref() {
            let what = format!("message {number} names another file: {row:?}");
            self.counts.reordered += 1;
            self.complain(what);
        }
        self.note_row(&row.epoch, row.seq, number);
        let was_delivered = self.is_delivered(number);
        let message = &mut self.messages[number];
        let (from, state) = (message.from, message.state);
        let before = message.received.insert(terminal, row.epoch.clone());
        if self.may_lose_mailboxes && before.as_ref().is_some_and(|epoch| *epoch != row.epoch) {
            // It was told that this is another mailbox, and starts over (semantics §9.1).
            self.counts.started_over += 1;
            self.latest.insert((terminal, row.call.clone(), from), number);
            return;
        }
        if before.is_some() {
            let what = format!("terminal {terminal} was handed message {number} twice: {row:?}");
            self.counts.duplicated += 1;
            return self.complain(what);
        }
        if state == State::Refused {
            let what = format!("message {number} was delivered after it was refused");
            self.counts.revived += 1;
            self.complain(what);
        }
        if state == State::Accepted && !was_delivered && self.is_delivered(number) {
            self.counts.delivered += 1;
        }
        let latest = self.latest.insert((terminal, row.call.clone(), from), number);
        if latest.is_some_and(|latest| latest > number) {
            let what = format!("terminal {terminal} was handed message {number} after {latest:?}");
            self.counts.reordered += 1;
            self.complain(what);
        }
        self.unjudged.push((number, terminal));
    }

    /// A terminal was handed a row again although its position had it.
    pub(crate) fn repeated(&mut self, terminal: TerminalNo, row: &Row) {
        self.counts.duplicated += 1;
        self.complain(format!("terminal {terminal} was handed what it had: {row:?}"));
    }

    /// A terminal was handed a row that comes before the one it was handed last.
    pub(crate) fn out_of_order(&mut self, terminal: TerminalNo, row: &Row) {
        self.counts.reordered += 1;
        self.complain(format!("terminal {terminal} was handed, out of order, {row:?}"));
    }

    fn is_delivered(&self, number: MessageNo) -> bool {
        let message = &self.messages[number];
        let sender = &self.phones[message.from];
        message
            .received
            .iter()
            .any(|(terminal, _)| self.phones[*terminal] != *sender)
    }

    fn note_row(&mut self, epoch: &str, seq: u64, number: MessageNo) {
        let known = *self.rows.entry((epoch.to_owned(), seq)).or_insert(number);
        if known != number {
            self.counts.reordered += 1;
            self.complain(format!(
                "row {seq} of {epoch} was message {known}, and is {number}"
            ));
        }
    }
}

#[cfg(test)]
mod tests;
