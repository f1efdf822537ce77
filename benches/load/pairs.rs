//! Pairs: each sender keeps a window of messages unconfirmed, each receiver acknowledges what it gets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::args::Pairs;
use crate::cores::Cores;
use crate::figures::{Figures, Rounds};
use crate::fleet;
use crate::line::{Body, Event, Line};
use crate::mqtt;
use crate::relay::Relay;
use crate::slow_sync::SlowSync;
use crate::tally::{Latencies, Tally};
use crate::usage::{Meter, Subject};

/// What does not count at the beginning.
pub(crate) const WARM_UP: Duration = Duration::from_secs(2);
/// How long what is under way at the end may take. What is not there then is lost.
const GRACE: Duration = Duration::from_secs(30);

/// Measures one window after the other, on each disk, each on a fresh relay.
pub(crate) async fn run(cores: &Cores, asked: &Pairs, tell: impl Fn(&Figures)) -> anyhow::Result<()> {
    for window in asked.windows() {
        let mut unslowed = None;
        let mut ratios = BTreeMap::<SlowSync, Rounds>::new();
        for slow_sync in asked.disk.turns() {
            let mut figures = measure(cores, asked, *window, slow_sync).await?;
            figures.scenario = "pairs".into();
            figures.setting = format!(
                "{} pairs, window {window}, {} B{}",
                asked.number,
                asked.body,
                SlowSync::described(slow_sync)
            );
            if let Some(slow_sync) = slow_sync {
                if let (Some(slowed), Some(unslowed)) = (figures.per_sec, unslowed) {
                    let ratios = ratios.entry(slow_sync).or_default();
                    ratios.result(&mut figures, "messages/s, slowed / unslowed", slowed / unslowed);
                }
            } else {
                unslowed = figures.per_sec;
            }
            tell(&figures);
        }
    }
    Ok(())
}

async fn measure(
    cores: &Cores,
    asked: &Pairs,
    window: u32,
    slow_sync: Option<SlowSync>,
) -> anyhow::Result<Figures> {
    let exchange = Exchange {
        window,
        body: Body::of_bytes(asked.body),
        measured: asked.measured(),
    };
    if let Some(url) = &asked.peer.mqtt {
        let broker = mqtt::Broker::at(url, asked.peer.password.as_deref())?;
        let lines = mqtt::pairs(&broker, asked.number, &format!("pairs-{window}")).await?;
        return exchange.run(&Subject::of_peer(&asked.peer)?, lines).await;
    }
    let relay = Relay::start_on(cores, 2 * asked.number, slow_sync).await?;
    let lines = fleet::pairs(&relay, asked.number).await?;
    let subject = Subject::of_relay(&relay, &asked.peer);
    exchange.run(&subject, lines).await
}

struct Exchange {
    window: u32,
    body: Body,
    measured: Duration,
}

/// What all terminals of a run share.
struct Shared {
    window: u32,
    body: Body,
    ends_at: Instant,
    tally: Tally,
    latencies: Latencies,
}

impl Exchange {
    async fn run(&self, subject: &Subject, lines: Vec<(Line, Line)>) -> anyhow::Result<Figures> {
        let start = Instant::now();
        let warm_up = WARM_UP + subject.preparation();
        let shared = Arc::new(Shared {
            window: self.window,
            body: self.body.clone(),
            ends_at: start + warm_up + self.measured,
            tally: Tally::default(),
            latencies: Latencies::new(start, warm_up)?,
        });
        let mut tasks = JoinSet::new();
        for (sender, receiver) in lines {
            tasks.spawn(send(sender, Arc::clone(&shared)));
            tasks.spawn(receive(receiver, Arc::clone(&shared)));
        }
        let watching = async {
            sleep(WARM_UP).await;
            let meter = Meter::start(subject).await?;
            let (began, before) = (Instant::now(), shared.tally.counts());
            sleep_until(shared.ends_at).await;
            let (elapsed, after) = (began.elapsed(), shared.tally.counts());
            let counted = after.since(before);
            let mut figures = meter.finish(subject, counted.accepted).await?;
            figures.per_sec = Some(per_sec(counted.complete(), elapsed));
            // Past it, something is lost.
            let _ = timeout(GRACE, until_complete(&shared.tally)).await;
            figures.count(shared.tally.counts());
            let refused = shared.tally.refused.load(Relaxed);
            if refused > 0 {
                figures.result("refused", per_run(refused));
            }
            figures.latency = shared.latencies.percentiles();
            Ok(figures)
        };
        unless_failed(&mut tasks, watching).await
    }
}

/// Waits for something, or for a terminal to fail.
pub(crate) async fn unless_failed<T>(
    tasks: &mut JoinSet<anyhow::Result<()>>,
    watching: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    tokio::select! {
        watched = watching => watched,
        Some(ended) = tasks.join_next() => {
            ended?.context("a terminal")?;
            Err(anyhow!("a terminal ended"))
        }
    }
}

/// Waits until nothing is under way.
async fn until_complete(tally: &Tally) {
    loop {
        let counts = tally.counts();
        let answered = counts.accepted + tally.refused.load(Relaxed);
        if answered >= tally.sent.load(Relaxed) && counts.complete() == counts.accepted {
            return;
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// Sends as fast as the window lets it.
async fn send(mut line: Line, shared: Arc<Shared>) -> anyhow::Result<()> {
    let tally = &shared.tally;
    let mut under_way = 0;
    loop {
        if under_way < shared.window && Instant::now() < shared.ends_at {
            while under_way < shared.window {
                let stamp = shared.latencies.stamp();
                line.speaker.publish(&shared.body, stamp).await?;
                under_way += 1;
                tally.sent.fetch_add(1, Relaxed);
            }
            line.speaker.flush().await?;
        }
        for event in line.listener.listen().await? {
            match event {
                Event::Accepted => {
                    under_way -= 1;
                    tally.accepted.fetch_add(1, Relaxed);
                }
                Event::Refused => {
                    under_way -= 1;
                    tally.refused.fetch_add(1, Relaxed);
                }
                Event::Acknowledged => {
                    tally.acknowledged.fetch_add(1, Relaxed);
                }
                Event::Arrived { .. } => return Err(anyhow!("a sender was sent a message")),
            }
        }
    }
}

/// Acknowledges what comes.
async fn receive(line: Line, shared: Arc<Shared>) -> anyhow::Result<()> {
    receive_into(line, &shared.tally, &shared.latencies).await
}

/// Acknowledges what comes, what came together with one frame, and counts it.
pub(crate) async fn receive_into(mut line: Line, tally: &Tally, latencies: &Latencies) -> anyhow::Result<()> {
    let mut places = Vec::new();
    loop {
        for event in line.listener.listen().await? {
            let Event::Arrived { place, stamp } = event else {
                return Err(anyhow!("not for a receiver: {event:?}"));
            };
            latencies.arrived(*stamp);
            places.push(*place);
        }
        tally.delivered.fetch_add(places.len() as u64, Relaxed);
        let heard = line.speaker.acknowledge(&places).await?;
        tally.acknowledged.fetch_add(heard, Relaxed);
        places.clear();
    }
}

pub(crate) fn per_sec(messages: u64, elapsed: Duration) -> f64 {
    per_run(messages) / elapsed.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "counts of one run")]
pub(crate) const fn per_run(messages: u64) -> f64 {
    messages as f64
}
