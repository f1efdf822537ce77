//! The events of an Asterisk, and what it answers.

use std::collections::BTreeSet;
use std::sync::Arc;

use tracing::debug;

use super::message::Message;
use super::questions::Question;
use super::session::{Questioner, Session};
use super::translate::{self, TranslationError, Translator};
use crate::asterisk::interface::{Asker, Heard, Stream};
use crate::asterisk::loss::Loss;
use crate::asterisk::tuning::Tuning;
use crate::clock::Clock;
use crate::config;
use crate::model::Moment;
use crate::tracker::event::{PbxEvent, Snapshot};

/// The classes of events that a recording may hold, as far as the account may read them. Not `security`: it tells what
/// passwords can be guessed from.
const RECORDED: &str = "system,call,agent,user,dtmf,reporting,cdr,dialplan";

/// Lists of endpoints, by technology and of devices of any. They take different rights, modules and technologies, of
/// which not every Asterisk has all.
const ENDPOINT_LISTS: [&str; 4] = ["PJSIPShowEndpoints", "SIPpeers", "IAXpeerlist", "DeviceStateList"];

/// One logged-in connection that is told of calls.
#[derive(Debug)]
pub struct EventStream {
    session: Session,
    translator: Translator,
}

impl EventStream {
    /// Connects and logs in. With `filtered` only events about calls are asked for, and else [`RECORDED`].
    pub async fn open(
        ami: &config::Ami,
        filtered: bool,
        clock: Clock,
        tuning: &Tuning,
    ) -> Result<Self, Loss> {
        let classes = if filtered { "call" } else { RECORDED };
        let session = Session::open(ami, classes, clock, tuning).await?;
        if filtered {
            session.questioner().filter().await;
        }
        Ok(Self {
            session,
            translator: Translator::default(),
        })
    }
}

impl Stream for EventStream {
    type Word = Message;
    type Asker = Questioner;
    type Error = TranslationError;

    async fn next(&mut self) -> Result<Heard<Message>, Loss> {
        self.session.events().next().await
    }

    async fn waiting(&mut self) -> Result<Vec<Heard<Message>>, Loss> {
        self.session.events().waiting().await
    }

    fn waiting_count(&self) -> usize {
        self.session.waiting_count()
    }

    fn heard_until(&self) -> Moment {
        self.session.heard_until()
    }

    fn translate(&mut self, word: &Message) -> Result<Option<PbxEvent>, TranslationError> {
        self.translator.event(word)
    }

    fn asker(&self) -> Arc<Questioner> {
        Arc::clone(self.session.questioner())
    }

    async fn close(self) {
        self.session.close().await;
    }
}

impl Asker for Questioner {
    async fn everything(&self) -> Result<(Snapshot, usize), Loss> {
        let channels = self.ask(Question::list("CoreShowChannels")).await?;
        let bridges = self.ask(Question::list("BridgeList")).await?;
        let (mut snapshot, unusable) = translate::snapshot(&channels, &bridges);
        snapshot.endpoints = self.endpoints().await?;
        Ok((snapshot, unusable))
    }

    async fn channels_and_bridges(&self) -> Result<Snapshot, Loss> {
        let channels = self.ask(Question::list("CoreShowChannels")).await?;
        let bridges = self.ask(Question::list("BridgeList")).await?;
        Ok(translate::snapshot(&channels, &bridges).0)
    }

    async fn endpoints(&self) -> Result<Vec<String>, Loss> {
        let mut names = BTreeSet::new();
        for action in ENDPOINT_LISTS {
            match self.ask(Question::list(action)).await {
                Ok(entries) => names.extend(entries.iter().filter_map(translate::endpoint)),
                // An empty list is refused too. What takes too long is asked for once more by and by.
                Err(reason @ (Loss::Refused { .. } | Loss::NoAnswer { .. })) => {
                    debug!(%reason, "no endpoints");
                }
                Err(loss) => return Err(loss),
            }
        }
        Ok(names.into_iter().collect())
    }
}
