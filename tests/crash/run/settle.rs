//! Whether everything is there, once everybody is back; and whether it is gone, once everything is over.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::files::calls_known;
use super::{Run, Serving, Trouble, until_true};
use crate::PATIENCE;
use crate::disk::{self, Journal};
use crate::http::ask;
use crate::shim::Behaviour;

impl Run {
    /// Waits until everybody is back and has everything, and judges. About so many of a hundred holds end.
    pub(super) async fn settle(&mut self, serving: &Serving, lifted: u64) -> Option<()> {
        let shared = Arc::clone(&self.shared);
        let relay = serving.addresses;
        let is_linked = || shared.linked.lock().unwrap().iter().all(|linked| *linked);
        if !until_true(|| is_linked() || serving.relay.is_gone()).await {
            let linked = shared.linked.lock().unwrap().clone();
            self.troubles
                .push(format!("not all terminals come back: {linked:?}"));
            return None;
        }
        self.switch.reconcile(relay, &shared).await?;
        let is_answered = || shared.ledger.lock().unwrap().is_answered();
        if !until_true(|| is_answered() || serving.relay.is_gone()).await {
            let ledger = shared.ledger.lock().unwrap();
            let what = format!("no answer came to {:?}", ledger.unanswered());
            self.troubles.push(what);
            return None;
        }
        self.switch.resume_some(lifted, relay, &shared).await?;
        until_true(|| shared.ledger.lock().unwrap().owed().is_empty() || serving.relay.is_gone()).await;
        {
            let mut ledger = shared.ledger.lock().unwrap();
            ledger.judge();
            // One whose disk failed meanwhile owes nothing.
            if !self.has_failed() {
                ledger.write_off();
                ledger.close_books();
            }
        }
        self.check_files(serving).await
    }

    /// Whether the disk has failed, as it was to: the relay ends, or is about to.
    pub(super) fn has_failed(&self) -> bool {
        self.trouble == Trouble::Io && Journal::read(&self.place.journal()).may_end_the_relay()
    }

    /// Ends all calls, and looks whether their words are gone.
    pub(super) async fn sweep(&mut self) {
        let Some(serving) = self.start(Behaviour::default()).await else {
            return;
        };
        let swept = self.sweep_of(&serving).await;
        if swept.is_none() {
            let left = ask(serving.addresses.operator, "GET", "/v1/calls", "", "").await;
            let words = serving.relay.last_words();
            self.troubles
                .push(format!("what is over does not go: {left:?}\n{words}"));
        }
        self.end(serving).await;
    }

    async fn sweep_of(&mut self, serving: &Serving) -> Option<()> {
        let shared = Arc::clone(&self.shared);
        self.settle(serving, 100).await?;
        self.switch.end_all(serving.addresses, &shared).await?;
        until_true(|| shared.ledger.lock().unwrap().owed().is_empty()).await;
        {
            let mut ledger = shared.ledger.lock().unwrap();
            ledger.write_off();
            ledger.judge();
            ledger.close_books();
        }
        let deadline = Instant::now() + PATIENCE;
        while !calls_known(serving.addresses).await?.is_empty() {
            (Instant::now() < deadline).then_some(())?;
            sleep(Duration::from_millis(10)).await;
        }
        self.other_files_go(serving.addresses).await?;
        let left = || {
            let files = disk::read(self.place.disk());
            let ledger = shared.ledger.lock().unwrap();
            files
                .values()
                .map(|bytes| ledger.words_left_in(bytes))
                .sum::<usize>()
        };
        if !until_true(|| left() == 0).await {
            let left = left();
            shared.ledger.lock().unwrap().words_stay(left);
        }
        Some(())
    }
}
