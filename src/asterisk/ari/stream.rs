//! One connection: the events of an application, from subscription to loss.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tracing::{debug, warn};

use super::filter::DISALLOWED;
use super::rest::Rest;
use super::socket;
use super::translate::{self, TranslationError};
use crate::asterisk::inbox::Inbox;
use crate::asterisk::interface::{Heard, Stream};
use crate::asterisk::loss::Loss;
use crate::asterisk::tuning::Tuning;
use crate::clock::Clock;
use crate::config;
use crate::model::Moment;
use crate::tracker::event::PbxEvent;

/// How long taking the subscription back may take.
const FAREWELL_MAX: Duration = Duration::from_secs(1);

/// The events of every channel and bridge of an Asterisk, as it sends them.
#[derive(Debug)]
pub struct EventStream {
    rest: Arc<Rest>,
    texts: Inbox<Utf8Bytes>,
}

impl EventStream {
    /// Connects under the application name `app`, which nobody else may use, and subscribes. With
    /// `filtered`, Asterisk is asked to keep back what does not matter ([`DISALLOWED`]); an Asterisk
    /// that cannot is heard all the same.
    pub async fn open(
        ari: &config::Ari,
        app: &str,
        filtered: bool,
        clock: Clock,
        tuning: &Tuning,
    ) -> Result<Self, Loss> {
        let rest = Rest::new(ari, app, tuning.request_max)?;
        let texts = socket::open(&rest, clock, tuning).await?;
        rest.subscribe().await?;
        let disallowed: &[&str] = if filtered { &DISALLOWED } else { &[] };
        match filter(&rest, disallowed).await {
            Ok(missing) if missing.is_empty() => {}
            Ok(missing) => warn!(
                ?missing,
                "Asterisk does not filter all the events it was asked to"
            ),
            Err(reason) => warn!(%reason, "Asterisk does not filter events"),
        }
        let rest = Arc::new(rest);
        Ok(Self { rest, texts })
    }

    fn heard(&self, text: &Heard<Utf8Bytes>) -> Result<Heard<String>, Loss> {
        if translate::says_replaced(&text.word) {
            return Err(Loss::Replaced {
                app: self.rest.app().to_owned(),
            });
        }
        Ok(Heard {
            at: text.at,
            word: text.word.as_str().to_owned(),
        })
    }
}

/// What is read are events, as JSON text.
impl Stream for EventStream {
    type Word = String;
    type Asker = Rest;
    type Error = TranslationError;

    async fn next(&mut self) -> Result<Heard<String>, Loss> {
        let text = self.texts.next().await?;
        self.heard(&text)
    }

    async fn waiting(&mut self) -> Result<Vec<Heard<String>>, Loss> {
        let texts = self.texts.waiting().await?;
        texts.iter().map(|text| self.heard(text)).collect()
    }

    fn waiting_count(&self) -> usize {
        self.texts.waiting_count()
    }

    fn heard_until(&self) -> Moment {
        self.texts.heard_until()
    }

    fn translate(&mut self, word: &String) -> Result<Option<PbxEvent>, TranslationError> {
        translate::event(word)
    }

    fn asker(&self) -> Arc<Rest> {
        Arc::clone(&self.rest)
    }

    /// Takes the subscription back too: an Asterisk that is merely left warns its operator, or (16) goes on preparing
    /// events for nobody.
    async fn close(self) {
        if let Ok(Err(reason)) = timeout(FAREWELL_MAX, self.rest.unsubscribe()).await {
            debug!(%reason, "the subscription was not taken back");
        }
        self.texts.close().await;
    }
}

/// Sets the filter and checks it. Tells which kinds Asterisk did not take.
async fn filter(rest: &Rest, disallowed: &[&'static str]) -> Result<Vec<&'static str>, Loss> {
    rest.filter(disallowed).await?;
    let filtered = rest.filtered().await?;
    Ok(disallowed
        .iter()
        .copied()
        .filter(|kind| !filtered.iter().any(|found| found == kind))
        .collect())
}
