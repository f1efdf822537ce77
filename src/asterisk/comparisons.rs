//! The running comparison's questions: what Asterisk knows, asked for again and again.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::interface::Asker;
use super::loss::Loss;
use super::tuning::Tuning;
use crate::clock::Clock;
use crate::model::Moment;
use crate::tracker::event::Snapshot;

/// Asks one question at a time, seldom enough not to be a burden. Each is asked in a task of its own,
/// so that a large answer is taken apart beside the events. Dropping it takes the question back.
#[derive(Debug)]
pub(super) struct Questions<A> {
    asker: Arc<A>,
    clock: Clock,
    every: Duration,
    rest_per_work: u32,
    endpoints_every: Duration,
    due: Moment,
    endpoints_due: Moment,
    asked_at: Moment,
    /// The question that is under way, if any.
    asking: JoinSet<Answered>,
}

type Answered = (Result<Snapshot, Loss>, Option<Vec<String>>);

/// What came of a question.
#[derive(Debug)]
pub(super) struct Answer {
    /// When it was asked, or a little earlier.
    pub(super) asked_at: Moment,
    pub(super) snapshot: Result<Snapshot, Loss>,
    /// The endpoints, if they were asked for and are told.
    pub(super) endpoints: Option<Vec<String>>,
}

impl<A: Asker> Questions<A> {
    /// The first one is due after the usual time. One that named no endpoints so far is asked for them at once: an Asterisk
    /// that has just been started does not know them yet.
    pub(super) fn to(asker: Arc<A>, knows_endpoints: bool, clock: Clock, tuning: &Tuning) -> Self {
        let now = clock.now();
        Self {
            asker,
            clock,
            every: tuning.compare_every,
            rest_per_work: tuning.compare_rest_per_work,
            endpoints_every: tuning.endpoints_every,
            due: now + tuning.compare_every,
            endpoints_due: if knows_endpoints {
                now + tuning.endpoints_every
            } else {
                now
            },
            asked_at: Moment::default(),
            asking: JoinSet::new(),
        }
    }

    /// The next answer, or failure. May be dropped while it waits.
    pub(super) async fn next(&mut self) -> Answer {
        if self.asking.is_empty() {
            sleep(self.due.since(self.clock.now())).await;
            self.asked_at = self.clock.now();
            let asker = Arc::clone(&self.asker);
            let with_endpoints = self.endpoints_due <= self.asked_at;
            self.asking.spawn(async move {
                let snapshot = asker.channels_and_bridges().await;
                // Without an answer nothing changes, and it is asked again.
                let endpoints = match (&snapshot, with_endpoints) {
                    (Ok(_), true) => asker.endpoints().await.ok(),
                    _ => None,
                };
                (snapshot, endpoints.filter(|names| !names.is_empty()))
            });
        }
        let (snapshot, endpoints) = match self.asking.join_next().await {
            Some(Ok(answered)) => answered,
            Some(Err(_)) | None => (Err(Loss::Closed), None),
        };
        let now = self.clock.now();
        if endpoints.is_some() {
            self.endpoints_due = now + self.endpoints_every;
        }
        self.due = self.asked_at + self.every;
        if snapshot.is_ok() {
            let took = now.since(self.asked_at);
            self.due = self.due.max(now + took * self.rest_per_work);
        }
        Answer {
            asked_at: self.asked_at,
            snapshot,
            endpoints,
        }
    }
}
