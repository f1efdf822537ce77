//! Push latency at a fixed rate: an open loop, which does not wait for anybody.
//!
//! Every message has the moment in it at which it was meant to be sent, whether or not the sender came to it in
//! time, and that is what its latency is counted from.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::bail;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, sleep};

use crate::args::Latency;
use crate::cores::Cores;
use crate::figures::{Figures, Rounds};
use crate::fleet;
use crate::line::{Body, Event, Line, Listener, Speaker};
use crate::mqtt;
use crate::pairs::{WARM_UP, per_run, receive_into, unless_failed};
use crate::relay::Relay;
use crate::slow_sync::SlowSync;
use crate::tally::{Latencies, Tally};
use crate::usage::{Meter, Subject};

/// Timers are no finer than a millisecond; closer than this to the moment, it is polled for.
const POLLED: Duration = Duration::from_millis(2);
/// How long the last messages may take.
const GRACE: Duration = Duration::from_secs(10);

pub(crate) async fn run(cores: &Cores, asked: &Latency, tell: impl Fn(&Figures)) -> anyhow::Result<()> {
    let mut unslowed: Option<(u64, u64)> = None;
    let mut later = BTreeMap::<SlowSync, [Rounds; 2]>::new();
    for slow_sync in asked.disk.turns() {
        let mut figures = measure(cores, asked, slow_sync).await?;
        figures.scenario = "latency".into();
        figures.setting = format!(
            "{} pairs, {}/s, {} B{}",
            asked.pairs,
            asked.rate,
            asked.body,
            SlowSync::described(slow_sync)
        );
        let percentiles = figures.latency.as_ref();
        let percentiles = percentiles.map(|latency| (latency.p50_us, latency.p99_us));
        if let Some(slow_sync) = slow_sync {
            if let (Some(slowed), Some(unslowed)) = (percentiles, unslowed) {
                let [p50, p99] = later.entry(slow_sync).or_default();
                let ms = |slowed, unslowed| (per_run(slowed) - per_run(unslowed)) / 1_000.0;
                p50.result(
                    &mut figures,
                    "p50, slowed - unslowed [ms]",
                    ms(slowed.0, unslowed.0),
                );
                p99.result(
                    &mut figures,
                    "p99, slowed - unslowed [ms]",
                    ms(slowed.1, unslowed.1),
                );
            }
        } else {
            unslowed = percentiles;
        }
        tell(&figures);
    }
    Ok(())
}

async fn measure(cores: &Cores, asked: &Latency, slow_sync: Option<SlowSync>) -> anyhow::Result<Figures> {
    let load = Load {
        rate: asked.rate,
        body: Body::of_bytes(asked.body),
        measured: Duration::from_secs(asked.seconds),
    };
    if let Some(url) = &asked.peer.mqtt {
        let broker = mqtt::Broker::at(url, asked.peer.password.as_deref())?;
        let lines = mqtt::pairs(&broker, asked.pairs, "latency").await?;
        let subject = Subject::of_peer(&asked.peer)?;
        return load.drive(&subject, lines, &mut []).await;
    }
    let relay = Relay::start_on(cores, 2 * asked.pairs, slow_sync).await?;
    let lines = fleet::pairs(&relay, asked.pairs).await?;
    let subject = Subject::of_relay(&relay, &asked.peer);
    load.drive(&subject, lines, &mut []).await
}

/// Messages at a fixed rate.
pub(crate) struct Load {
    pub(crate) rate: u32,
    pub(crate) body: Body,
    pub(crate) measured: Duration,
}

impl Load {
    /// Each pair in turn. The `others` send as often, and their messages are not measured.
    pub(crate) async fn drive(
        &self,
        subject: &Subject,
        lines: Vec<(Line, Line)>,
        others: &mut [Speaker],
    ) -> anyhow::Result<Figures> {
        let warm_up = WARM_UP + subject.preparation();
        let start = Instant::now();
        let tally = Arc::<Tally>::default();
        let latencies = Arc::new(Latencies::new(start, warm_up)?);
        let lateness = Latencies::new(start, warm_up)?;
        let mut tasks = JoinSet::new();
        let mut senders = Vec::new();
        for (sender, receiver) in lines {
            senders.push(sender.speaker);
            tasks.spawn(count(sender.listener, Arc::clone(&tally)));
            let (tally, latencies) = (Arc::clone(&tally), Arc::clone(&latencies));
            tasks.spawn(async move { receive_into(receiver, &tally, &latencies).await });
        }
        let driving = async {
            let mut meter = None;
            let mut before = tally.counts();
            let mut due = Duration::ZERO;
            let mut turn = 0;
            while due < warm_up + self.measured {
                if meter.is_none() && due >= WARM_UP {
                    meter = Some(Meter::start(subject).await?);
                    before = tally.counts();
                }
                until(start + due).await;
                let stamp = u64::try_from(due.as_nanos())?;
                lateness.arrived(stamp);
                let sender = turn % senders.len();
                senders[sender].publish(&self.body, stamp).await?;
                senders[sender].flush().await?;
                tally.sent.fetch_add(1, Relaxed);
                if !others.is_empty() {
                    let other = turn % others.len();
                    others[other].publish(&self.body, stamp).await?;
                    others[other].flush().await?;
                }
                turn += 1;
                due = Duration::from_secs(1) * u32::try_from(turn)? / self.rate;
            }
            let accepted = tally.counts().since(before).accepted;
            let Some(meter) = meter else {
                bail!("it took no time")
            };
            let mut figures = meter.finish(subject, accepted).await?;
            let sent = tally.sent.load(Relaxed);
            let ended = Instant::now();
            while tally.counts().complete() < sent && ended.elapsed() < GRACE {
                sleep(Duration::from_millis(5)).await;
            }
            figures.count(tally.counts());
            figures.latency = latencies.percentiles();
            if let Some(late) = lateness.percentiles() {
                figures.result("generator late by, p99 [ms]", per_run(late.p99_us) / 1_000.0);
            }
            Ok(figures)
        };
        unless_failed(&mut tasks, driving).await
    }
}

/// Waits for a moment, more exactly than a timer does.
async fn until(moment: Instant) {
    loop {
        let left = moment.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        match left.checked_sub(POLLED) {
            Some(far) => sleep(far).await,
            None => yield_now().await,
        }
    }
}

/// Counts what a sender is told.
pub(crate) async fn count(mut listener: Listener, tally: Arc<Tally>) -> anyhow::Result<()> {
    loop {
        for event in listener.listen().await? {
            match event {
                Event::Accepted => tally.accepted.fetch_add(1, Relaxed),
                Event::Acknowledged => tally.acknowledged.fetch_add(1, Relaxed),
                Event::Refused => tally.refused.fetch_add(1, Relaxed),
                Event::Arrived { .. } => bail!("a sender was sent a message"),
            };
        }
    }
}
