//! What the task that reads a connection has read, and how the connection ended.
//!
//! The task never waits for whoever takes what it reads: Asterisk cuts off who does not read. So what waits has a bound,
//! in number and in bytes, and beyond it the connection is given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::interface::{Heard, Weigh};
use super::loss::{Loss, QUEUE_BYTES_MAX};
use crate::clock::Clock;
use crate::model::Moment;

/// The end of an open connection that is read from. Dropping it closes the connection in the background.
#[derive(Debug)]
pub(super) struct Inbox<W> {
    words: mpsc::Receiver<Heard<W>>,
    shared: Arc<Shared>,
    /// Until its loss was told.
    task: Option<JoinHandle<Loss>>,
    /// Dropped with the inbox, which is how the task learns of it.
    open: oneshot::Sender<()>,
}

/// The end of the task that reads.
#[derive(Debug)]
pub(super) struct Intake<W> {
    words: mpsc::Sender<Heard<W>>,
    shared: Arc<Shared>,
    clock: Clock,
}

#[derive(Debug)]
struct Shared {
    waiting_bytes: AtomicUsize,
    /// When anything was last read, in microseconds.
    heard_until: AtomicU64,
}

impl<W: Weigh> Intake<W> {
    /// Something was read just now, whatever it is.
    pub(super) fn hears(&self) -> Moment {
        let at = self.clock.now();
        self.shared.heard_until.store(at.as_micros(), Relaxed);
        at
    }

    /// When anything was last read.
    pub(super) fn heard_until(&self) -> Moment {
        self.shared.heard_until()
    }

    /// Puts a word where it will be taken from.
    pub(super) fn put(&self, at: Moment, word: W) -> Result<(), Loss> {
        let bytes = word.bytes();
        let waiting = self.shared.waiting_bytes.fetch_add(bytes, Relaxed) + bytes;
        if waiting > QUEUE_BYTES_MAX {
            return Err(Loss::Overflow(self.words.max_capacity()));
        }
        self.words
            .try_send(Heard { at, word })
            .map_err(|error| match error {
                TrySendError::Full(_) => Loss::Overflow(self.words.max_capacity()),
                TrySendError::Closed(_) => Loss::Closed,
            })
    }
}

impl Shared {
    fn heard_until(&self) -> Moment {
        Moment::from_micros(self.heard_until.load(Relaxed))
    }
}

impl<W: Weigh> Inbox<W> {
    /// Runs the task that reads: it puts what it reads into the intake, gives back the loss, and ends when the other side
    /// of what it was given second is dropped. No more than `count_max` words wait.
    pub(super) fn spawn<F>(
        count_max: usize,
        clock: Clock,
        task: impl FnOnce(Intake<W>, oneshot::Receiver<()>) -> F,
    ) -> Self
    where
        F: Future<Output = Loss> + Send + 'static,
    {
        let (queue, words) = mpsc::channel(count_max);
        let (open, closing) = oneshot::channel();
        let shared = Arc::new(Shared {
            waiting_bytes: AtomicUsize::new(0),
            heard_until: AtomicU64::new(clock.now().as_micros()),
        });
        let intake = Intake {
            words: queue,
            shared: Arc::clone(&shared),
            clock,
        };
        Self {
            words,
            shared,
            task: Some(tokio::spawn(task(intake, closing))),
            open,
        }
    }

    /// The next word, in order; what was read before a loss comes before the loss. May be dropped while it waits.
    pub(super) async fn next(&mut self) -> Result<Heard<W>, Loss> {
        match self.words.recv().await {
            Some(heard) => Ok(self.taken(heard)),
            None => Err(self.loss().await),
        }
    }

    /// What has been read and not been taken yet, without waiting.
    pub(super) async fn waiting(&mut self) -> Result<Vec<Heard<W>>, Loss> {
        let mut words = Vec::new();
        loop {
            match self.words.try_recv() {
                Ok(heard) => words.push(self.taken(heard)),
                Err(mpsc::error::TryRecvError::Empty) => return Ok(words),
                Err(mpsc::error::TryRecvError::Disconnected) => return Err(self.loss().await),
            }
        }
    }

    fn taken(&self, heard: Heard<W>) -> Heard<W> {
        self.shared.waiting_bytes.fetch_sub(heard.word.bytes(), Relaxed);
        heard
    }

    /// How much has been read and not been taken yet.
    pub(super) fn waiting_count(&self) -> usize {
        self.words.len()
    }

    /// When anything was last read.
    pub(super) fn heard_until(&self) -> Moment {
        self.shared.heard_until()
    }

    /// Has the task say farewell and close, and waits for it.
    pub(super) async fn close(mut self) {
        drop(self.open);
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }

    /// How the connection ended.
    pub(super) async fn loss(&mut self) -> Loss {
        let Some(task) = &mut self.task else {
            return Loss::Closed;
        };
        // A task that was cancelled with the runtime, or that panicked, has closed the connection too.
        let loss = task.await.unwrap_or(Loss::Closed);
        self.task = None;
        loss
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many bytes.
    #[derive(Debug)]
    struct Word(usize);

    impl Weigh for Word {
        fn bytes(&self) -> usize {
            self.0
        }
    }

    #[tokio::test]
    async fn what_waits_has_a_bound_in_bytes_and_what_was_taken_does_not_wait() {
        let (handed, intake) = oneshot::channel();
        let mut inbox = Inbox::spawn(100, Clock::start(), |intake, closing| async move {
            handed.send(intake).unwrap();
            let _ = closing.await;
            Loss::Closed
        });
        let intake: Intake<Word> = intake.await.unwrap();
        let at = intake.hears();
        for _ in 0..3 {
            intake.put(at, Word(QUEUE_BYTES_MAX)).unwrap();
            assert_eq!(inbox.next().await.unwrap().word.0, QUEUE_BYTES_MAX);
        }
        intake.put(at, Word(QUEUE_BYTES_MAX)).unwrap();
        let too_much = intake.put(at, Word(1)).unwrap_err();
        assert_eq!(
            too_much.to_string(),
            "more than 100 messages, or 67108864 bytes, were waiting to be translated"
        );
    }
}
