//! The thread that owns the store.
//!
//! It is handed one batch at a time: while one is being synced, the next one gathers, so that the
//! more there is to write, the more share one sync.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::warn;

use super::{MailboxStore, StoreError};
use crate::relay::record::StoredMessage;
use crate::relay::{ReadRequest, Write};

/// How long the store is idle before the traces of what was erased are removed.
const SCRUB_AFTER: Duration = Duration::from_millis(100);
/// After how many batches they are removed although the store is busy.
const SCRUB_BATCHES_MAX: u32 = 1_000;

/// Things to be done in one go: all writes with one sync, then the reads.
#[derive(Debug, Default)]
pub struct Batch {
    /// Written all or none.
    pub writes: Vec<Write>,
    /// Read after the writes.
    pub reads: Vec<ReadRequest>,
}

impl Batch {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.reads.is_empty()
    }
}

/// What came of a batch. There is exactly one for each.
#[derive(Debug)]
pub struct Outcome {
    /// The writes, if they could not be written, and why.
    pub failed: Option<(Vec<Write>, StoreError)>,
    /// The highest row that was appended.
    pub row: Option<u64>,
    /// What was read.
    pub read: Vec<(ReadRequest, Vec<StoredMessage>)>,
    /// The store cannot be used any more.
    pub broken: Option<StoreError>,
}

/// A store and its thread.
#[derive(Debug)]
pub struct Writer {
    batches: SyncSender<Batch>,
    outcomes: mpsc::Receiver<Outcome>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Starts the thread.
    pub fn start(store: impl MailboxStore) -> std::io::Result<Self> {
        // One batch is under way at a time, so neither queue ever holds more than one.
        let (batches, incoming) = sync_channel(1);
        let (outgoing, outcomes) = mpsc::channel(1);
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || work(store, &incoming, &outgoing))?;
        Ok(Self {
            batches,
            outcomes,
            thread,
        })
    }

    /// Hands over a batch. Only after the outcome of the one before. `false` if the thread is gone.
    #[must_use]
    pub fn submit(&self, batch: Batch) -> bool {
        self.batches.try_send(batch).is_ok()
    }

    /// The outcome of the batch under way; `None` if the thread is gone.
    pub async fn outcome(&mut self) -> Option<Outcome> {
        self.outcomes.recv().await
    }

    /// Waits for the thread to finish what it has, and closes the store.
    pub fn finish(self) {
        drop(self.batches);
        drop(self.outcomes);
        // A panic of the thread was reported when its outcome failed to come.
        let _ = self.thread.join();
    }
}

fn work(mut store: impl MailboxStore, incoming: &Receiver<Batch>, outgoing: &mpsc::Sender<Outcome>) {
    // Batches since something was erased whose traces are still in the log.
    let mut since_erased: Option<u32> = None;
    loop {
        let batch = match since_erased {
            None => incoming.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(_) => incoming.recv_timeout(SCRUB_AFTER),
        };
        match batch {
            Ok(batch) => {
                let is_erasure = |write: &Write| matches!(write, Write::EraseMessages(_) | Write::EraseCall(_));
                let erased = batch.writes.iter().any(is_erasure);
                since_erased = since_erased.map(|batches| batches + 1).or(erased.then_some(0));
                if outgoing.blocking_send(carry_out(&mut store, batch)).is_err() {
                    break;
                }
                if since_erased.is_some_and(|batches| batches >= SCRUB_BATCHES_MAX) {
                    since_erased = scrub(&mut store);
                }
            }
            Err(RecvTimeoutError::Timeout) => since_erased = scrub(&mut store),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    if since_erased.is_some() {
        scrub(&mut store);
    }
}

/// Removes the traces. What could not be removed now is tried again after the next pause.
fn scrub(store: &mut impl MailboxStore) -> Option<u32> {
    match store.scrub() {
        Ok(()) => None,
        Err(error) => {
            warn!(%error, "traces of erased messages could not be removed yet");
            Some(0)
        }
    }
}

fn carry_out(store: &mut impl MailboxStore, batch: Batch) -> Outcome {
    let mut outcome = Outcome {
        failed: None,
        row: None,
        read: Vec::new(),
        broken: None,
    };
    let appended = |write: &Write| match write {
        Write::Append(message) => Some(message.row),
        Write::PutCall(_) | Write::EraseMessages(_) | Write::EraseCall(_) => None,
    };
    if !batch.writes.is_empty() {
        match store.commit(&batch.writes) {
            Ok(()) => outcome.row = batch.writes.iter().filter_map(appended).max(),
            Err(error) => outcome.failed = Some((batch.writes, error)),
        }
    }
    for request in batch.reads {
        match store.read(&request.rows) {
            Ok(messages) => outcome.read.push((request, messages)),
            Err(error) => outcome.broken = Some(error),
        }
    }
    outcome
}
