//! One Asterisk, heard over both of its interfaces at once.
//!
//! Either may be lost without anybody noticing: only when both are gone is nothing known of the PBX.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{info, warn};

use super::connector::Connector;
use super::interface::Interface;
use super::merge::{Merger, Side};
use super::renewal::Renewal;
use crate::clock::Clock;
use crate::model::{Moment, PbxName};
use crate::pbx::{PbxNews, PbxReport};
use crate::tracker::event::{PbxEvent, Snapshot};

/// Reports of each interface that may wait to be merged; the connectors wait beyond that.
const REPORTS_MAX: usize = 1_024;
/// How often it is looked whether the two agree.
const SETTLE_EVERY: Duration = Duration::from_secs(1);

/// How old ARI's last picture may be for AMI's to be passed over.
const COMPARED_MAX: Duration = Duration::from_secs(10);
/// Disagreements that are logged each minute; all are counted.
const LINES_PER_MINUTE: u32 = 10;

/// Counts what only one of the two said.
#[derive(Debug, Default)]
pub struct Disagreements([AtomicU64; 2]);

impl Disagreements {
    /// Things that this one said and the other one did not.
    #[must_use]
    pub fn said_by(&self, side: Side) -> u64 {
        self.0[side as usize].load(Relaxed)
    }
}

/// Hears both, and reports as one connector does.
#[derive(Debug)]
pub struct Both<A, B> {
    ari: Connector<A>,
    ami: Connector<B>,
    clock: Clock,
    renewal: Renewal,
    disagreements: Arc<Disagreements>,
}

impl<A: Interface, B: Interface> Both<A, B> {
    /// Of the same Asterisk.
    #[must_use]
    pub fn new(ari: Connector<A>, ami: Connector<B>, clock: Clock) -> Self {
        Self {
            ari,
            ami,
            clock,
            renewal: Renewal::default(),
            disagreements: Arc::default(),
        }
    }

    /// What they disagreed about.
    #[must_use]
    pub fn disagreements(&self) -> Arc<Disagreements> {
        Arc::clone(&self.disagreements)
    }

    /// How to ask for other connections while it runs. They are made one after the other, so that one of them is there
    /// all the time.
    #[must_use]
    pub fn renewal(&self) -> Renewal {
        self.renewal.clone()
    }

    /// Hears and reports until nobody takes the reports any more.
    pub async fn run(self, reports: mpsc::Sender<PbxReport>) {
        let (ari_tells, mut of_ari) = mpsc::channel(REPORTS_MAX);
        let (manager_tells, mut of_manager) = mpsc::channel(REPORTS_MAX);
        let mut teller = Teller {
            pbx: self.ari.pbx().clone(),
            merger: Merger::default(),
            reports,
            clock: self.clock,
            latest: Moment::default(),
            pictures: Pictures::default(),
            renewals: [self.ari.renewal(), self.ami.renewal()],
            renewing: None,
            disagreements: self.disagreements,
            lines: Lines::default(),
        };
        let mut requests = self.renewal.listen();
        let ari = tokio::spawn(self.ari.run(ari_tells));
        let ami = tokio::spawn(self.ami.run(manager_tells));
        let mut settling = interval(SETTLE_EVERY);
        settling.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let closed = teller.reports.clone();
        loop {
            // What was said comes before the times: what waits was said in time.
            tokio::select! {
                biased;
                () = closed.closed() => break,
                (side, report) = next(&mut of_ari, &mut of_manager) => teller.tell(side, report).await,
                () = due(teller.merger.next_deadline(), teller.clock) => teller.release().await,
                _ = requests.next() => teller.renew(),
                _ = settling.tick() => teller.settle(),
            }
        }
        // They end by themselves, since nobody takes their reports.
        drop((of_ari, of_manager));
        let _ = tokio::join!(ari, ami);
    }
}

/// What either says next, without a preference; never, when both are silent for good. May be dropped while it waits.
async fn next(
    of_ari: &mut mpsc::Receiver<PbxReport>,
    of_manager: &mut mpsc::Receiver<PbxReport>,
) -> (Side, PbxReport) {
    tokio::select! {
        Some(report) = of_ari.recv() => (Side::Ari, report),
        Some(report) = of_manager.recv() => (Side::Ami, report),
        else => std::future::pending().await,
    }
}

/// Comes back at this moment; never, if there is none.
async fn due(deadline: Option<Moment>, clock: Clock) {
    match deadline {
        Some(deadline) => sleep(deadline.since(clock.now())).await,
        None => std::future::pending().await,
    }
}

/// Both ask the same questions, and one answer is enough: that of ARI, as long as there is one.
#[derive(Debug, Default)]
struct Pictures {
    of_ari_at: Moment,
}

impl Pictures {
    fn is_wanted(&mut self, side: Side, hears_ari: bool, at: Moment) -> bool {
        if side == Side::Ari {
            self.of_ari_at = at;
            return true;
        }
        !hears_ari || self.of_ari_at + COMPARED_MAX < at
    }
}

/// Lets a few lines a minute be logged.
#[derive(Debug, Default)]
struct Lines {
    since: Moment,
    logged: u32,
}

impl Lines {
    fn allow(&mut self, at: Moment) -> bool {
        if self.since + Duration::from_mins(1) <= at {
            *self = Self { since: at, logged: 0 };
        }
        self.logged += 1;
        self.logged <= LINES_PER_MINUTE
    }
}

struct Teller {
    pbx: PbxName,
    merger: Merger,
    reports: mpsc::Sender<PbxReport>,
    clock: Clock,
    /// The moment of the last report; none may be earlier.
    latest: Moment,
    pictures: Pictures,
    renewals: [Renewal; 2],
    /// Whose turn it is to connect anew after the other one has.
    renewing: Option<Side>,
    disagreements: Arc<Disagreements>,
    lines: Lines,
}

impl Teller {
    async fn tell(&mut self, side: Side, PbxReport { at, news, .. }: PbxReport) {
        self.merger.heard_until(side, at);
        match news {
            PbxNews::Known {
                since,
                snapshot,
                meanwhile,
            } => self.connects(side, since, at, snapshot, meanwhile).await,
            PbxNews::Event(event) => {
                let news = self.merger.hear(side, at, event);
                self.send_all(at, news).await;
            }
            PbxNews::AtOnce(events) => {
                let events = events.into_iter().map(|event| (at, event)).collect();
                let news = self.heard(side, events).into_iter().map(|(_, event)| event);
                self.send(at, PbxNews::AtOnce(news.collect())).await;
            }
            PbxNews::Compared { .. } => {
                let hears_ari = self.merger.hears(Side::Ari);
                if self.pictures.is_wanted(side, hears_ari, at) {
                    self.send(at, news).await;
                }
            }
            PbxNews::Endpoints(_) => self.send(at, news).await,
            PbxNews::Lost { reason, heard_until } => self.loses(side, at, reason, heard_until).await,
        }
    }

    async fn connects(
        &mut self,
        side: Side,
        since: Moment,
        at: Moment,
        snapshot: Snapshot,
        meanwhile: Vec<(Moment, PbxEvent)>,
    ) {
        let was_out_of_sight = !self.merger.is_connected();
        if was_out_of_sight {
            self.merger = Merger::default();
        }
        self.merger.connects(side, since, at);
        let news = self.heard(side, meanwhile);
        if was_out_of_sight {
            let known = PbxNews::Known {
                since,
                snapshot,
                meanwhile: news,
            };
            self.send(at, known).await;
        } else {
            // The other one told everything that is in the picture; what it did not, the running comparison shows.
            info!(interface = side.as_str(), pbx = %self.pbx, "the PBX is heard over both interfaces");
            self.send_all(at, news.into_iter().map(|(_, event)| event).collect())
                .await;
            if !snapshot.endpoints.is_empty() {
                self.send(at, PbxNews::Endpoints(snapshot.endpoints)).await;
            }
        }
        if let Some(next) = self.renewing.take_if(|next| *next != side) {
            self.renewals[next as usize].ask();
        }
    }

    async fn loses(&mut self, side: Side, at: Moment, reason: String, heard_until: Moment) {
        let news = self.merger.loses(side);
        self.send_all(at, news).await;
        let Some(since) = self.merger.hears_since(side.other()) else {
            return self.send(at, PbxNews::Lost { reason, heard_until }).await;
        };
        info!(interface = side.other().as_str(), pbx = %self.pbx, "the PBX is heard over this interface only");
        // A connection may be dead for long before that is noticed. If the other one was not there all that time, what
        // happened in between was not heard by anybody, and its picture has to be taken for what it is.
        if heard_until != Moment::default() && heard_until < since {
            warn!(pbx = %self.pbx, "for a while the PBX was heard over neither of its interfaces");
            self.renewals[side.other() as usize].insist();
        }
    }

    /// Has both connect anew, one after the other.
    fn renew(&mut self) {
        match Side::BOTH.map(|side| self.merger.hears(side)) {
            [true, true] => {
                self.renewing = Some(Side::Ami);
                self.renewals[Side::Ari as usize].ask();
            }
            [ari, _] => {
                let side = if ari { Side::Ari } else { Side::Ami };
                self.renewals[side as usize].ask();
            }
        }
    }

    async fn release(&mut self) {
        let now = self.clock.now();
        let news = self.merger.release(now);
        self.send_all(now, news).await;
    }

    fn settle(&mut self) {
        let now = self.clock.now();
        let found = self.merger.settle(now);
        for disagreement in &found {
            self.disagreements.0[disagreement.said_by as usize].fetch_add(1, Relaxed);
            if self.lines.allow(now) {
                warn!(
                    pbx = %self.pbx,
                    said_by = disagreement.said_by.as_str(),
                    not_by = disagreement.said_by.other().as_str(),
                    of = disagreement.of,
                    what = disagreement.what,
                    instead = disagreement.instead,
                    "the interfaces of the PBX disagree; the comparison with its picture settles it"
                );
            }
        }
        for side in Side::BOTH {
            let left_out = found.iter().any(|disagreement| disagreement.said_by != side);
            if left_out && self.merger.is_deaf(side) {
                self.renewals[side as usize].ask();
            }
        }
    }

    fn heard(&mut self, side: Side, events: Vec<(Moment, PbxEvent)>) -> Vec<(Moment, PbxEvent)> {
        let mut news = Vec::new();
        for (at, event) in events {
            let heard = self.merger.hear(side, at, event);
            news.extend(heard.into_iter().map(|event| (at, event)));
        }
        news
    }

    async fn send_all(&mut self, at: Moment, events: Vec<PbxEvent>) {
        for event in events {
            self.send(at, PbxNews::Event(event)).await;
        }
    }

    async fn send(&mut self, at: Moment, news: PbxNews) {
        self.latest = self.latest.max(at);
        let report = PbxReport {
            pbx: self.pbx.clone(),
            at: self.latest,
            news,
        };
        // Fails only if nobody takes the reports any more, which is noticed everywhere.
        let _ = self.reports.send(report).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn amis_pictures_are_wanted_when_ari_has_none() {
        let mut pictures = Pictures::default();
        assert!(pictures.is_wanted(Side::Ami, false, at(1)));
        assert!(pictures.is_wanted(Side::Ari, true, at(2)));
        assert!(!pictures.is_wanted(Side::Ami, true, at(3)));
        assert!(!pictures.is_wanted(Side::Ami, true, at(12)));
        assert!(pictures.is_wanted(Side::Ami, true, at(13)));
        assert!(pictures.is_wanted(Side::Ari, true, at(14)));
        assert!(!pictures.is_wanted(Side::Ami, true, at(15)));
    }

    #[test]
    fn ten_lines_a_minute_are_logged() {
        let mut lines = Lines::default();
        let logged = |lines: &mut Lines, at| (0..100).filter(|_| lines.allow(at)).count();
        assert_eq!(logged(&mut lines, at(100)), 10);
        assert_eq!(logged(&mut lines, at(159)), 0);
        assert_eq!(logged(&mut lines, at(160)), 10);
    }
}
