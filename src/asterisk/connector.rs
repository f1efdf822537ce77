//! One connection after the other, for as long as the process lives.

use std::sync::Arc;

use rand::rngs::StdRng;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tracing::{Instrument as _, debug, info, warn};

use super::backoff::Backoff;
use super::comparisons::{Answer, Questions};
use super::counters::Counters;
use super::interface::{Asker as _, Heard, Interface, Stream};
use super::loss::Loss;
use super::renewal::{Renewal, Requests, Restraint};
use super::tuning::Tuning;
use crate::clock::Clock;
use crate::model::{Moment, PbxName};
use crate::pbx::{PbxNews, PbxReport};
use crate::tracker::event::{PbxEvent, Snapshot};

/// Hears one Asterisk over one of its interfaces and reports.
///
/// After each connect it subscribes, filters, and asks for everything Asterisk knows, and only then
/// does it report: [`PbxNews::Known`], then events, then [`PbxNews::Lost`], and so on. A restarted
/// Asterisk is no special case.
#[derive(Debug)]
pub struct Connector<I> {
    pbx: PbxName,
    interface: I,
    clock: Clock,
    tuning: Tuning,
    counters: Arc<Counters>,
    renewal: Renewal,
}

impl<I: Interface> Connector<I> {
    /// Prepares to hear an Asterisk; nothing is sent yet.
    pub(super) fn over(interface: I, pbx: PbxName, clock: Clock) -> Self {
        Self {
            pbx,
            interface,
            clock,
            tuning: Tuning::default(),
            counters: Arc::default(),
            renewal: Renewal::default(),
        }
    }

    /// Waits and takes otherwise than by default.
    #[must_use]
    pub fn with_tuning(self, tuning: Tuning) -> Self {
        Self { tuning, ..self }
    }

    /// Which PBX it is about.
    pub(super) const fn pbx(&self) -> &PbxName {
        &self.pbx
    }

    /// What is counted while it runs.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// How to ask for another connection while it runs.
    #[must_use]
    pub fn renewal(&self) -> Renewal {
        self.renewal.clone()
    }

    /// Hears and reports until nobody takes the reports any more.
    ///
    /// A full report queue is waited for, which is safe for Asterisk: the socket is read on all the
    /// while, and given up when too much waits.
    pub async fn run(self, reports: mpsc::Sender<PbxReport>) {
        let span = self.interface.span(&self.pbx);
        self.hear_on_and_on(reports).instrument(span).await;
    }

    async fn hear_on_and_on(&self, reports: mpsc::Sender<PbxReport>) {
        let rng: StdRng = rand::make_rng();
        let mut backoff = Backoff::new(self.tuning.retry_min, self.tuning.retry_max, rng);
        let closed = reports.clone();
        let mut reporter = Reporter::new(self, reports);
        let mut restraint = Restraint::new(&self.tuning);
        loop {
            let connected = tokio::select! {
                () = closed.closed() => return,
                connected = self.connect() => connected,
            };
            let loss = match connected {
                Ok((stream, news)) => {
                    let since = self.clock.now();
                    let Some(loss) = self.hear(stream, news, &mut reporter, &mut restraint).await else {
                        return;
                    };
                    if self.clock.now().since(since) >= self.tuning.held_min {
                        backoff.reset();
                    }
                    loss
                }
                Err(loss) => {
                    self.counters.count_failed_attempt();
                    reporter.not_connected(&loss).await;
                    loss
                }
            };
            if let Loss::Overflow(_) = loss {
                self.counters.count_overflow();
            }
            tokio::select! {
                () = closed.closed() => return,
                () = self.wait_after(&loss, &mut backoff) => {}
            }
        }
    }

    /// One connection, from the comparison to its loss; `None` if nobody takes the reports any more.
    async fn hear(
        &self,
        mut stream: I::Stream,
        news: PbxNews,
        reporter: &mut Reporter<'_, I>,
        restraint: &mut Restraint,
    ) -> Option<Loss> {
        self.counters.count_connection();
        let knows_endpoints =
            matches!(&news, PbxNews::Known { snapshot, .. } if !snapshot.endpoints.is_empty());
        // Whoever hears of the connection may ask at once for another one.
        let requests = self.renewal.listen();
        reporter.connected(news).await;
        let questions = Questions::to(stream.asker(), knows_endpoints, self.clock, &self.tuning);
        let loss = self
            .follow(&mut stream, questions, requests, reporter, restraint)
            .await;
        if let Some(loss) = &loss {
            self.counters.count_loss();
            let is_given_up = matches!(loss, Loss::EventsMissing | Loss::Gap);
            let heard_until = if is_given_up {
                self.clock.now()
            } else {
                stream.heard_until()
            };
            reporter.lost(loss, heard_until).await;
        }
        if matches!(
            loss,
            None | Some(Loss::EventsMissing | Loss::Gap | Loss::Unanswered { .. })
        ) {
            stream.close().await;
        }
        loss
    }

    /// Connects and compares. What Asterisk reports from the subscription on is kept and told after
    /// the snapshot, so that nothing falls between the two.
    async fn connect(&self) -> Result<(I::Stream, PbxNews), Loss> {
        let mut stream = self.interface.open(self.clock, &self.tuning).await?;
        let since = self.clock.now();
        let (snapshot, unusable) = stream.asker().everything().await?;
        if unusable > 0 {
            self.counters.count_untranslatable(unusable);
            warn!(
                unusable,
                "Asterisk lists channels, bridges or endpoints without an id"
            );
        }
        let heard = stream.waiting().await?;
        let meanwhile = heard
            .iter()
            .filter_map(|heard| Some((heard.at, self.translated(&mut stream, heard)?)))
            .collect();
        let known = PbxNews::Known {
            since,
            snapshot,
            meanwhile,
        };
        Ok((stream, known))
    }

    /// Passes on what happens, and what Asterisk knows every now and then, until the loss; `None` if
    /// nobody takes the reports any more.
    async fn follow(
        &self,
        stream: &mut I::Stream,
        mut questions: Questions<<I::Stream as Stream>::Asker>,
        mut requests: Requests,
        reporter: &mut Reporter<'_, I>,
        restraint: &mut Restraint,
    ) -> Option<Loss> {
        let mut unanswered = 0;
        loop {
            let outcome = tokio::select! {
                () = reporter.closed() => return None,
                heard = stream.next() => self.pass_on(heard, stream, reporter).await,
                answer = questions.next() => self.compared(answer, &mut unanswered, stream, reporter).await,
                insists = requests.next() => self.renew(insists, restraint),
            };
            if let Err(loss) = outcome {
                return Some(loss);
            }
        }
    }

    async fn pass_on(
        &self,
        heard: Result<Heard<<I::Stream as Stream>::Word>, Loss>,
        stream: &mut I::Stream,
        reporter: &mut Reporter<'_, I>,
    ) -> Result<(), Loss> {
        let heard = heard?;
        if let Some(event) = self.translated(stream, &heard) {
            reporter.send(heard.at, PbxNews::Event(event)).await;
        }
        Ok(())
    }

    /// Reports an answer after the events that were read before it.
    async fn compared(
        &self,
        answer: Answer,
        unanswered: &mut u32,
        stream: &mut I::Stream,
        reporter: &mut Reporter<'_, I>,
    ) -> Result<(), Loss> {
        let snapshot = match answer.snapshot {
            Ok(snapshot) => snapshot,
            Err(reason) => return self.not_answered(reason, unanswered),
        };
        *unanswered = 0;
        self.counters.count_comparison();
        for _ in 0..stream.waiting_count() {
            let heard = stream.next().await;
            self.pass_on(heard, stream, reporter).await?;
        }
        let asked_at = answer.asked_at;
        let news = PbxNews::Compared { snapshot, asked_at };
        reporter.send(self.clock.now(), news).await;
        if let Some(names) = answer.endpoints {
            reporter.send(self.clock.now(), PbxNews::Endpoints(names)).await;
        }
        Ok(())
    }

    /// A single question may go astray. If none is answered, the connection is half open.
    fn not_answered(&self, reason: Loss, unanswered: &mut u32) -> Result<(), Loss> {
        *unanswered += 1;
        self.counters.count_failed_comparison();
        if *unanswered >= self.tuning.compare_failures_max {
            return Err(Loss::Unanswered {
                failures: *unanswered,
                last: Box::new(reason),
            });
        }
        warn!(%reason, "the PBX did not answer a comparison");
        Ok(())
    }

    fn renew(&self, insists: bool, restraint: &mut Restraint) -> Result<(), Loss> {
        if insists {
            self.counters.count_renewal();
            return Err(Loss::Gap);
        }
        if restraint.allows(self.clock.now()) {
            self.counters.count_renewal();
            return Err(Loss::EventsMissing);
        }
        debug!("events are missing, and connecting anew did not help a while ago");
        Ok(())
    }

    async fn wait_after(&self, loss: &Loss, backoff: &mut Backoff) {
        self.interface.give_way(loss, &self.tuning).await;
        let pause = backoff.pause();
        debug!(?pause, "trying again after a pause");
        sleep(pause).await;
    }

    fn translated(
        &self,
        stream: &mut I::Stream,
        heard: &Heard<<I::Stream as Stream>::Word>,
    ) -> Option<PbxEvent> {
        match stream.translate(&heard.word) {
            Ok(event) => {
                self.counters.count_events(usize::from(event.is_some()));
                event
            }
            Err(error) => {
                self.counters.count_untranslatable(1);
                // One line shows what is wrong; how often it happens is in the counters.
                if self.counters.untranslatable() == 1 {
                    warn!(%error, "Asterisk sent an event that makes no sense");
                } else {
                    debug!(%error, "Asterisk sent an event that makes no sense");
                }
                None
            }
        }
    }
}

/// Where reports go, and what was last said of the connection.
struct Reporter<'a, I> {
    connector: &'a Connector<I>,
    reports: mpsc::Sender<PbxReport>,
    /// The moment of the last report; none may be earlier.
    latest: Moment,
    /// The reason that was last given for there being no connection; `None` while there is one.
    reason: Option<String>,
}

impl<'a, I: Interface> Reporter<'a, I> {
    fn new(connector: &'a Connector<I>, reports: mpsc::Sender<PbxReport>) -> Self {
        Self {
            connector,
            reports,
            latest: Moment::default(),
            reason: None,
        }
    }

    /// Comes back when nobody takes the reports any more.
    async fn closed(&self) {
        self.reports.closed().await;
    }

    async fn connected(&mut self, news: PbxNews) {
        self.reason = None;
        if let PbxNews::Known {
            snapshot, meanwhile, ..
        } = &news
        {
            let Snapshot {
                channels,
                bridges,
                endpoints,
            } = snapshot;
            info!(
                channels = channels.len(),
                bridges = bridges.len(),
                endpoints = endpoints.len(),
                meanwhile = meanwhile.len(),
                "connected to the PBX and compared"
            );
            if endpoints.is_empty() {
                warn!(
                    "the PBX does not say which endpoints it has: until a phone has made or taken a call, somebody outside \
                     who calls with its number is taken for it"
                );
            }
        }
        self.send(self.connector.clock.now(), news).await;
    }

    async fn lost(&mut self, loss: &Loss, heard_until: Moment) {
        let reason = loss.to_string();
        warn!(reason, "the connection to the PBX is lost");
        self.say_lost(reason, heard_until).await;
    }

    /// Speaks of a failed attempt only if it failed for another reason than the one before.
    async fn not_connected(&mut self, loss: &Loss) {
        let reason = loss.to_string();
        if self.reason.as_ref() == Some(&reason) {
            debug!(reason, "still not connected to the PBX");
            return;
        }
        warn!(reason, "cannot connect to the PBX");
        self.say_lost(reason, Moment::default()).await;
    }

    async fn say_lost(&mut self, reason: String, heard_until: Moment) {
        self.reason = Some(reason.clone());
        let news = PbxNews::Lost { reason, heard_until };
        self.send(self.connector.clock.now(), news).await;
    }

    async fn send(&mut self, at: Moment, news: PbxNews) {
        self.latest = self.latest.max(at);
        let report = PbxReport {
            pbx: self.connector.pbx.clone(),
            at: self.latest,
            news,
        };
        // Fails only if nobody takes the reports any more, which is noticed everywhere.
        let _ = self.reports.send(report).await;
    }
}
