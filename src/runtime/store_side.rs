//! The store's side of the loop: what gathers for its thread, and who waits for that.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::model::Moment;
use crate::relay::{ReadRequest, Write};
use crate::store::{Batch, Outcome, StoreError, Writer};

/// Bytes of bodies that may gather while the store is busy. Past it sessions wait, and their terminals.
const WAITING_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long to wait before a store that had no room is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// The store, and what waits for it.
#[derive(Debug)]
pub(super) struct StoreSide {
    writer: Writer,
    /// A batch is under way.
    busy: bool,
    writes: Vec<Write>,
    /// Bytes of bodies in those.
    waiting_bytes: usize,
    reads: VecDeque<ReadRequest>,
    /// How many batches it has carried out.
    carried_out: u64,
    /// Who waits until it has carried out so many.
    barriers: VecDeque<Barrier>,
    /// It had no room: not before this moment again.
    retry_at: Option<Moment>,
}

impl StoreSide {
    pub(super) const fn new(writer: Writer) -> Self {
        Self {
            writer,
            busy: false,
            writes: Vec::new(),
            waiting_bytes: 0,
            reads: VecDeque::new(),
            carried_out: 0,
            barriers: VecDeque::new(),
            retry_at: None,
        }
    }

    /// Whether more may gather.
    pub(super) const fn has_room(&self) -> bool {
        self.waiting_bytes < WAITING_BYTES_MAX
    }

    pub(super) fn write(&mut self, write: Write) {
        if let Write::Append(message) = &write {
            self.waiting_bytes += message.body.len();
        }
        self.writes.push(write);
    }

    pub(super) fn read(&mut self, request: ReadRequest) {
        self.reads.push_back(request);
    }

    /// Hands over what has gathered, if there is nothing under way.
    pub(super) fn feed(&mut self, now: Moment) {
        let waits = self.retry_at.is_some_and(|at| now < at);
        if self.busy || waits {
            return;
        }
        self.waiting_bytes = 0;
        let batch = Batch {
            writes: std::mem::take(&mut self.writes),
            reads: self.reads.drain(..).collect(),
            // What waits may be too little to show whether there is room again, or nothing.
            probe: self.retry_at.is_some(),
        };
        if !batch.is_empty() {
            self.busy = self.writer.submit(batch);
        }
    }

    /// What came of the batch under way; `None` if the thread is gone.
    pub(super) async fn outcome(&mut self) -> Option<Outcome> {
        let outcome = self.writer.outcome().await;
        self.busy = false;
        outcome
    }

    /// It wrote. Tells whether it had failed before.
    pub(super) fn has_written(&mut self) -> bool {
        self.retry_at.take().is_some()
    }

    /// It had no room for these. Gives back all that is not written, in order, and whether it had room before.
    pub(super) fn has_failed(&mut self, now: Moment, mut unwritten: Vec<Write>) -> (Vec<Write>, bool) {
        // What was gathered meanwhile builds on what failed.
        unwritten.append(&mut self.writes);
        self.waiting_bytes = 0;
        self.barriers.retain(|barrier| !barrier.writes);
        let is_news = self.retry_at.replace(now + RETRY).is_none();
        (unwritten, is_news)
    }

    /// When it is to be tried again.
    pub(super) fn retry_due(&self) -> Option<Moment> {
        self.retry_at.filter(|_| !self.busy)
    }

    /// All that came of a batch is carried out.
    pub(super) fn is_through(&mut self) {
        self.carried_out += 1;
        self.open_barriers();
    }

    /// Waits for the batch under way. Tells whether the store is broken.
    pub(super) async fn come_to_rest(&mut self) -> Option<StoreError> {
        if !self.busy {
            return None;
        }
        self.outcome().await.and_then(|outcome| outcome.broken)
    }

    /// Writes what has gathered, whether there was room or not, while nothing is under way.
    pub(super) async fn write_the_last(&mut self) -> Option<StoreError> {
        self.busy = self.writer.submit(Batch {
            writes: std::mem::take(&mut self.writes),
            ..Batch::default()
        });
        self.come_to_rest().await
    }

    /// Waits for the thread to end.
    pub(super) fn close(self) {
        self.writer.finish();
    }

    /// Answers when everything that is asked for now has been read.
    pub(super) fn let_through(&mut self, reply: oneshot::Sender<()>) {
        let under_way = u64::from(self.busy);
        let next = u64::from(!self.reads.is_empty());
        self.wait(Barrier {
            batch: self.carried_out + under_way + next,
            writes: false,
            reply,
        });
    }

    /// Answers when what was written last is safe, and not at all if it could not be written.
    pub(super) fn tell_when_written(&mut self, reply: oneshot::Sender<()>) {
        self.wait(Barrier {
            batch: self.carried_out + u64::from(self.busy) + 1,
            writes: true,
            reply,
        });
    }

    /// The same, and at once if there is nothing to be written.
    pub(super) fn tell_when_safe(&mut self, reply: oneshot::Sender<()>) {
        let under_way = u64::from(self.busy);
        let next = u64::from(!self.writes.is_empty());
        self.wait(Barrier {
            batch: self.carried_out + under_way + next,
            writes: true,
            reply,
        });
    }

    /// The first message that the store was not handed yet.
    pub(super) fn first_waiting_row(&self) -> Option<u64> {
        let rows = self.writes.iter().filter_map(Write::appended_row);
        rows.min()
    }

    fn wait(&mut self, barrier: Barrier) {
        self.barriers.push_back(barrier);
        self.open_barriers();
    }

    fn open_barriers(&mut self) {
        // A later one may wait for less.
        let (open, shut): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut self.barriers)
            .into_iter()
            .partition(|barrier| barrier.batch <= self.carried_out);
        self.barriers = shut;
        for barrier in open {
            // Whoever asked may have gone away.
            let _ = barrier.reply.send(());
        }
    }
}

/// Somebody who waits for the store.
#[derive(Debug)]
struct Barrier {
    batch: u64,
    /// It waits for something to be written.
    writes: bool,
    reply: oneshot::Sender<()>,
}
