//! The thread that owns the store.
//!
//! It is handed one batch at a time: while one is being synced, the next one gathers, so that the
//! more there is to write, the more share one sync.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::warn;

use super::{Counters, MailboxStore, StoreError};
use crate::relay::record::StoredMessage;
use crate::relay::{ReadRequest, Write};

/// How long the store is idle before the traces of what was erased are removed.
const SCRUB_AFTER: Duration = Duration::from_millis(100);
/// How long it is idle before that is tried again.
const SCRUB_RETRY: Duration = Duration::from_secs(5);
/// After how many batches they are removed although the store is busy.
const SCRUB_BATCHES_MAX: u32 = 1_000;

/// Things to be done in one go: all writes with one sync, then the reads.
#[derive(Debug, Default)]
pub struct Batch {
    /// Written all or none.
    pub writes: Vec<Write>,
    /// Read after the writes.
    pub reads: Vec<ReadRequest>,
    /// Find out whether there is room, although there may be nothing to write.
    pub probe: bool,
}

impl Batch {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.reads.is_empty() && !self.probe
    }
}

/// What came of a batch. There is exactly one for each; one more, if the store breaks while it is idle.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The writes, if there was no room for them, and why.
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
    counters: Arc<Counters>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Starts the thread.
    pub fn start(store: impl MailboxStore) -> std::io::Result<Self> {
        // One batch is under way at a time, so neither queue ever holds more than one.
        let (batches, incoming) = sync_channel(1);
        let (outgoing, outcomes) = mpsc::channel(1);
        let counters = Arc::<Counters>::default();
        let counting = Arc::clone(&counters);
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || work(store, &incoming, &outgoing, &counting))?;
        Ok(Self {
            batches,
            outcomes,
            counters,
            thread,
        })
    }

    /// What it counts.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
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

fn work(
    mut store: impl MailboxStore,
    incoming: &Receiver<Batch>,
    outgoing: &mpsc::Sender<Outcome>,
    counters: &Counters,
) {
    match work_on(&mut store, incoming, outgoing, counters) {
        Ok(()) => store.close(),
        Err(broken) => {
            drop(store);
            let outcome = Outcome {
                broken: Some(broken),
                ..Outcome::default()
            };
            // Nobody may be there any more to be told.
            let _ = outgoing.blocking_send(outcome);
        }
    }
}

/// Works until nobody wants anything more, or the store is broken.
fn work_on(
    store: &mut impl MailboxStore,
    incoming: &Receiver<Batch>,
    outgoing: &mpsc::Sender<Outcome>,
    counters: &Counters,
) -> Result<(), StoreError> {
    let mut traces = Traces::perhaps();
    loop {
        let batch = match traces.due_after() {
            None => incoming.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(pause) => incoming.recv_timeout(pause),
        };
        match batch {
            Ok(batch) => {
                traces.note(&batch);
                let outcome = carry_out(store, batch, counters)?;
                if outgoing.blocking_send(outcome).is_err() {
                    break;
                }
                if traces.batches.is_some_and(|batches| batches >= SCRUB_BATCHES_MAX) {
                    traces.remove(store)?;
                }
            }
            Err(RecvTimeoutError::Timeout) => traces.remove(store)?,
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    if traces.batches.is_some() {
        traces.remove(store)?;
    }
    Ok(())
}

/// What was erased and may still be found in the log.
struct Traces {
    /// Batches since something was erased, if there are traces.
    batches: Option<u32>,
    /// They could not be removed, and that was said.
    stuck: bool,
}

impl Traces {
    /// A process that was killed may have left some.
    const fn perhaps() -> Self {
        Self {
            batches: Some(0),
            stuck: false,
        }
    }

    fn note(&mut self, batch: &Batch) {
        let first = || batch.writes.iter().any(leaves_traces).then_some(0);
        self.batches = self.batches.map(|batches| batches + 1).or_else(first);
    }

    /// How long the store is to be idle before they are removed.
    fn due_after(&self) -> Option<Duration> {
        self.batches?;
        Some(if self.stuck { SCRUB_RETRY } else { SCRUB_AFTER })
    }

    /// What cannot be removed now, because somebody reads or there is no room, is tried again later.
    fn remove(&mut self, store: &mut impl MailboxStore) -> Result<(), StoreError> {
        match store.scrub() {
            Ok(()) => {
                self.batches = None;
                self.stuck = false;
            }
            Err(broken @ (StoreError::Broken(_) | StoreError::Foreign(_))) => return Err(broken),
            Err(error @ StoreError::NoRoom(_)) => {
                if !self.stuck {
                    warn!(%error, "traces of erased messages could not be removed yet");
                }
                self.batches = Some(0);
                self.stuck = true;
            }
        }
        Ok(())
    }
}

/// Whether the log of the store may still hold what this forgets.
const fn leaves_traces(write: &Write) -> bool {
    match write {
        Write::BlankMessages(_) | Write::EraseMessages(_) | Write::EraseCall(_) | Write::EraseFile(_) => true,
        Write::Append(_) | Write::PutCall(_) | Write::MoveMessages { .. } | Write::PutFile(_) => false,
    }
}

/// Fails if the store is broken: whether a batch that failed so will be there after a restart nobody knows.
fn carry_out(
    store: &mut impl MailboxStore,
    batch: Batch,
    counters: &Counters,
) -> Result<Outcome, StoreError> {
    let mut outcome = Outcome::default();
    let room = if batch.probe { store.probe() } else { Ok(()) };
    match room.and_then(|()| commit(store, &batch.writes)) {
        Ok(()) => {
            let rows = || batch.writes.iter().filter_map(Write::appended_row);
            if !batch.writes.is_empty() {
                counters.committed(rows().count() as u64);
            }
            outcome.row = rows().max();
        }
        Err(error @ StoreError::NoRoom(_)) => outcome.failed = Some((batch.writes, error)),
        Err(broken @ (StoreError::Broken(_) | StoreError::Foreign(_))) => return Err(broken),
    }
    for request in batch.reads {
        let messages = store.read(&request.rows)?;
        outcome.read.push((request, messages));
    }
    Ok(outcome)
}

fn commit(store: &mut impl MailboxStore, writes: &[Write]) -> Result<(), StoreError> {
    if writes.is_empty() {
        return Ok(());
    }
    store.commit(writes)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    use super::*;
    use crate::model::CallId;
    use crate::relay::record::RestoredCall;

    /// A store of which a part is broken.
    #[derive(Default)]
    struct Broken {
        commits: bool,
        scrubs: bool,
        was_closed: Arc<AtomicBool>,
    }

    fn unless(broken: bool) -> Result<(), StoreError> {
        if broken {
            Err(StoreError::Broken("disk I/O error".to_owned()))
        } else {
            Ok(())
        }
    }

    impl MailboxStore for Broken {
        fn load(&mut self) -> Result<Vec<RestoredCall>, StoreError> {
            Ok(Vec::new())
        }

        fn commit(&mut self, _: &[Write]) -> Result<(), StoreError> {
            unless(self.commits)
        }

        fn read(&mut self, _: &[u64]) -> Result<Vec<StoredMessage>, StoreError> {
            Ok(Vec::new())
        }

        fn probe(&mut self) -> Result<(), StoreError> {
            Ok(())
        }

        fn scrub(&mut self) -> Result<(), StoreError> {
            unless(self.scrubs)
        }

        fn close(self) {
            self.was_closed.store(true, Relaxed);
        }
    }

    /// Has a call erased; the outcomes, and whether the store was closed afterwards.
    async fn outcomes(store: Broken) -> (Vec<Outcome>, bool) {
        let was_closed = Arc::clone(&store.was_closed);
        let mut writer = Writer::start(store).unwrap();
        let submitted = writer.submit(Batch {
            writes: vec![Write::EraseCall(CallId::new("c1"))],
            ..Batch::default()
        });
        assert!(submitted);
        let mut outcomes = Vec::new();
        while outcomes.last().is_none_or(|last: &Outcome| last.broken.is_none())
            && let Some(outcome) = writer.outcome().await
        {
            outcomes.push(outcome);
        }
        writer.finish();
        (outcomes, was_closed.load(Relaxed))
    }

    #[tokio::test]
    async fn of_a_batch_that_breaks_the_store_nothing_is_said_but_that() {
        let (outcomes, was_closed) = outcomes(Broken {
            commits: true,
            ..Broken::default()
        })
        .await;
        let [outcome] = &outcomes[..] else {
            panic!("{outcomes:?}")
        };
        assert!(outcome.failed.is_none() && outcome.row.is_none() && outcome.broken.is_some());
        assert!(!was_closed, "it is not to be touched any more");
    }

    #[tokio::test]
    async fn a_store_that_breaks_while_it_is_idle_is_reported_at_once() {
        let (outcomes, was_closed) = outcomes(Broken {
            scrubs: true,
            ..Broken::default()
        })
        .await;
        let [done, broken] = &outcomes[..] else {
            panic!("{outcomes:?}")
        };
        assert!(done.broken.is_none() && broken.broken.is_some());
        assert!(!was_closed, "it is not to be touched any more");
    }
}
