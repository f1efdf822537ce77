//! What every test here needs: a connector at a fake Asterisk, and events to feed it.

use std::sync::Arc;
use std::time::Duration;

use callrelay::asterisk::ari::{Connector, Counters, Tuning};
use callrelay::asterisk::{PbxNews, PbxReport};
use callrelay::clock::Clock;
use callrelay::config;
use callrelay::model::PbxName;
use callrelay::tracker::event::{PbxEvent, Snapshot};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::fake::{FakeAri, PASSWORD, USERNAME};

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
    queue_max: 65_536,
};

/// How to reach the fake Asterisk.
pub(crate) fn settings(fake: &FakeAri) -> config::Ari {
    config::Ari {
        url: fake.url(),
        username: USERNAME.to_owned(),
        password: PASSWORD.into(),
        app: "callrelay".to_owned(),
    }
}

/// A connector that runs.
pub(crate) struct Running {
    pub(crate) reports: mpsc::Receiver<PbxReport>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) task: JoinHandle<()>,
}

/// Runs a connector whose reports wait in a queue of this length.
pub(crate) fn start(ari: config::Ari, tuning: Tuning, queue: usize) -> Running {
    install_crypto();
    let connector = Connector::new(PbxName::new("main"), ari, Clock::start()).with_tuning(tuning);
    let counters = connector.counters();
    let (sender, reports) = mpsc::channel(queue);
    Running {
        reports,
        counters,
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
        let report = within(self.reports.recv()).await.expect("the connector ended");
        assert_eq!(report.pbx, PbxName::new("main"));
        report.news
    }

    /// The next news, which has to be a snapshot.
    pub(crate) async fn known(&mut self) -> (Snapshot, Vec<PbxEvent>) {
        match self.news().await {
            PbxNews::Known { snapshot, meanwhile } => (snapshot, meanwhile),
            other @ (PbxNews::Event(_) | PbxNews::Lost { .. }) => panic!("not known: {other:?}"),
        }
    }

    /// The next news, which has to be a loss.
    pub(crate) async fn lost(&mut self) -> String {
        match self.news().await {
            PbxNews::Lost { reason } => reason,
            other @ (PbxNews::Event(_) | PbxNews::Known { .. }) => panic!("not lost: {other:?}"),
        }
    }

    /// The next news, which has to be an event.
    pub(crate) async fn event(&mut self) -> PbxEvent {
        match self.news().await {
            PbxNews::Event(event) => event,
            other @ (PbxNews::Lost { .. } | PbxNews::Known { .. }) => panic!("no event: {other:?}"),
        }
    }
}

/// Waits, but not for ever.
pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what)
        .await
        .expect("nothing happened")
}

/// A channel as ARI shows it.
pub(crate) fn channel(id: &str, phone: &str) -> Value {
    json!({
        "id": id, "name": format!("PJSIP/{phone}-{id}"), "state": "Up",
        "caller": {"number": phone, "name": format!("User {phone}")}, "connected": {"number": "", "name": ""},
        "dialplan": {"context": "internal", "exten": "", "priority": 1, "app_name": "", "app_data": ""},
    })
}

/// `ChannelHold` of the channel with this id.
pub(crate) fn hold(id: &str) -> Value {
    json!({"type": "ChannelHold", "application": "callrelay", "channel": channel(id, "1001")})
}

/// The id of the channel of a [`hold`] that arrived.
pub(crate) fn held(event: &PbxEvent) -> String {
    let PbxEvent::Hold(channel) = event else {
        panic!("no hold: {event:?}");
    };
    channel.id.as_str().to_owned()
}
