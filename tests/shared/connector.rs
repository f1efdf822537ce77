//! A connector that runs against an Asterisk of the test's own.

use std::sync::Arc;
use std::time::Duration;

use callrelay::asterisk::interface::Interface;
use callrelay::asterisk::{Connector, Counters, Renewal, Tuning};
use callrelay::model::{Moment, PbxName};
use callrelay::pbx::{PbxNews, PbxReport};
use callrelay::tracker::event::{PbxEvent, Snapshot};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Long enough never to happen in a test that goes well; short enough for one that does not.
const PATIENCE: Duration = Duration::from_secs(20);

/// Patient with everything but retries.
pub(crate) const CALM: Tuning = Tuning {
    ping_every: PATIENCE,
    silence_max: PATIENCE,
    request_max: PATIENCE,
    retry_min: Duration::from_millis(4),
    retry_max: Duration::from_millis(20),
    held_min: PATIENCE,
    replaced_poll: Duration::from_millis(10),
    replaced_max: PATIENCE,
    compare_every: PATIENCE,
    compare_rest_per_work: 0,
    compare_failures_max: 3,
    endpoints_every: PATIENCE,
    renew_min: PATIENCE,
    renew_max: PATIENCE,
    queue_max: 65_536,
};

/// A connector that runs.
pub(crate) struct Running {
    pub(crate) reports: mpsc::Receiver<PbxReport>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) renewal: Renewal,
    pub(crate) task: JoinHandle<()>,
}

/// Runs a connector whose reports wait in a queue of this length.
pub(crate) fn run<I: Interface>(connector: Connector<I>, tuning: Tuning, queue: usize) -> Running {
    install_crypto();
    let connector = connector.with_tuning(tuning);
    let (counters, renewal) = (connector.counters(), connector.renewal());
    let (sender, reports) = mpsc::channel(queue);
    Running {
        reports,
        counters,
        renewal,
        task: tokio::spawn(connector.run(sender)),
    }
}

/// What `main` does before anything else.
pub(crate) fn install_crypto() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

impl Running {
    /// The next report's news.
    pub(crate) async fn news(&mut self) -> PbxNews {
        self.report().await.news
    }

    /// The next report.
    pub(crate) async fn report(&mut self) -> PbxReport {
        let report = within(self.reports.recv()).await.expect("the connector ended");
        assert_eq!(report.pbx, PbxName::new("main"));
        report
    }

    /// The next report, which has to be of a comparison: when it was asked for, when it was answered, and
    /// what the answer was.
    pub(crate) async fn compared(&mut self) -> (Moment, Moment, Snapshot) {
        let report = self.report().await;
        let PbxNews::Compared { snapshot, asked_at } = report.news.clone() else {
            panic!("not compared: {report:?}");
        };
        (asked_at, report.at, snapshot)
    }

    /// The next news, which has to be a snapshot.
    pub(crate) async fn known(&mut self) -> (Snapshot, Vec<PbxEvent>) {
        let news = self.news().await;
        let PbxNews::Known {
            snapshot, meanwhile, ..
        } = news.clone()
        else {
            panic!("not known: {news:?}");
        };
        (snapshot, meanwhile.into_iter().map(|(_, event)| event).collect())
    }

    /// The next news, which has to be a loss.
    pub(crate) async fn lost(&mut self) -> String {
        let news = self.news().await;
        let PbxNews::Lost { reason, .. } = news.clone() else {
            panic!("not lost: {news:?}");
        };
        reason
    }

    /// The next news, which has to be an event.
    pub(crate) async fn event(&mut self) -> PbxEvent {
        let news = self.news().await;
        let PbxNews::Event(event) = news.clone() else {
            panic!("no event: {news:?}");
        };
        event
    }

    /// The next news but comparisons.
    pub(crate) async fn news_but_comparisons(&mut self) -> PbxNews {
        loop {
            let news = self.news().await;
            if !matches!(news, PbxNews::Compared { .. }) {
                return news;
            }
        }
    }
}

/// Waits, but not for ever.
pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what)
        .await
        .expect("nothing happened")
}
