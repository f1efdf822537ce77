//! Terminals that never read: what they do to the others, and to the relay's memory.
//!
//! Twice the same load, once with everybody reading and once with some who never do. Those are sent more than
//! the kernel and the relay keep for them before it begins, then twice more, of which nothing may stay in memory,
//! and go on being sent to. The relay gives a terminal up that takes nothing for half a minute, so all of that has to
//! be over by then.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::args::{Peer, Stuck};
use crate::cores::Cores;
use crate::figures::{Figures, Rounds};
use crate::fleet::{self, How, Terminal};
use crate::latency::{Load, count};
use crate::line::{Body, Intake, Line, Speaker};
use crate::pairs::{per_run, receive_into};
use crate::relay::{Relay, phone};
use crate::tally::{Latencies, Tally};
use crate::usage::Subject;

/// What kernels keep for a terminal that may not read: little here, and there what is usual for a network whose
/// segments are those of Ethernet. By loopback's own segments it would be 2.8 MB a socket, and a thousand sockets
/// would take all that the kernel has for TCP, from everybody.
const INTAKE: Intake = Intake {
    buffer_bytes: 4 * 1024,
    segment_bytes: 1_460,
};
/// Each is sent so much, three times: once is more than the relay and the kernel together keep for it.
const FILL_BYTES: u32 = 60_000;
const FILL: u64 = 8;
const FILLS: [&str; 3] = ["the first", "the second", "the third"];
/// How long that may take.
const FILLING: Duration = Duration::from_mins(2);

pub(crate) async fn run(cores: &Cores, asked: &Stuck, tell: impl Fn(&Figures)) -> anyhow::Result<()> {
    let mut ratios = Rounds::default();
    for _ in 0..asked.rounds {
        let reading = measure(cores, asked, false).await?;
        tell(&reading);
        let mut stuck = measure(cores, asked, true).await?;
        if let (Some(with), Some(without)) = (&stuck.latency, &reading.latency) {
            let ratio = per_run(with.p99_us) / per_run(without.p99_us);
            ratios.result(&mut stuck, "p99 with stuck terminals / without", ratio);
        }
        tell(&stuck);
    }
    Ok(())
}

async fn measure(cores: &Cores, asked: &Stuck, stuck: bool) -> anyhow::Result<Figures> {
    let pairs = asked.pairs + asked.readers;
    let relay = Relay::start(cores, 2 * pairs).await?;
    relay.call(pairs).await?;
    let measured = fleet::link_all(&relay, 0..2 * asked.pairs, How::default()).await?;
    let mut measured = measured.into_iter().map(Terminal::line);
    let measured = std::iter::from_fn(|| Some((measured.next()?, measured.next()?))).collect();
    let mut others = Others::link(&relay, asked, stuck).await?;

    // The first is kept in memory, the second finds buffers grown that all share, the third is to add nothing.
    let mut resident_kib = vec![relay.resident_kib()?];
    for _ in FILLS {
        others.fill().await?;
        resident_kib.push(relay.resident_kib()?);
    }
    let full = relay.full_sockets()?;

    let load = Load {
        rate: asked.rate,
        body: Body::of_bytes(256),
        measured: Duration::from_secs(asked.seconds),
    };
    let subject = Subject::of_relay(&relay, &Peer::default());
    let mut figures = load.drive(&subject, measured, &mut others.speakers).await?;
    figures.scenario = "stuck".into();
    let they = if stuck { "never read" } else { "read" };
    figures.setting = format!(
        "{} pairs, {}/s, 256 B; {} more terminals that {they}, sent as much",
        asked.pairs, asked.rate, asked.readers
    );
    for (fill, resident_kib) in FILLS.iter().zip(resident_kib.windows(2)) {
        let grown_kib = per_run(resident_kib[1]) - per_run(resident_kib[0]);
        figures.result(
            &format!("memory grown by {fill} 480 kB for each of those [KiB each]"),
            grown_kib / f64::from(asked.readers),
        );
    }
    if stuck {
        let unmoved = relay.full_sockets()?.intersection(&full).count() as u64;
        figures.result(
            "of those, sockets that took nothing all the time",
            per_run(unmoved),
        );
        let linked = relay.linked(&others.phones).await?;
        figures.result("of those, still linked at the end", per_run(linked));
        figures.result("rows that wait for those", per_run(relay.unread().await?));
    } else {
        let delivered = others.tally.delivered.load(Relaxed);
        figures.result("messages to those", per_run(delivered));
    }
    Ok(figures)
}

/// Pairs beside those that are measured, of which one terminal sends and the other reads, or does not.
struct Others {
    speakers: Vec<Speaker>,
    /// Those of the terminals that read, or do not.
    phones: BTreeSet<String>,
    stuck: bool,
    /// Theirs that do not read; open as long as this is here.
    _silent: Vec<Line>,
    /// What the others are sent is counted apart.
    tally: Arc<Tally>,
    filled: u64,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Others {
    async fn link(relay: &Relay, asked: &Stuck, stuck: bool) -> anyhow::Result<Self> {
        let pairs = asked.pairs..asked.pairs + asked.readers;
        let tally = Arc::<Tally>::default();
        let latencies = Arc::new(Latencies::new(Instant::now(), Duration::ZERO)?);
        let (mut speakers, mut silent, mut tasks) = (Vec::new(), Vec::new(), JoinSet::new());
        let senders = fleet::link_all(relay, pairs.clone().map(|pair| 2 * pair), How::default()).await?;
        for sender in senders.into_iter().map(Terminal::line) {
            speakers.push(sender.speaker);
            tasks.spawn(count(sender.listener, Arc::clone(&tally)));
        }
        let how = How {
            intake: Some(INTAKE),
            ..How::default()
        };
        let users = pairs.map(|pair| 2 * pair + 1);
        let phones = users.clone().map(phone).collect();
        for receiver in fleet::link_all(relay, users, how).await? {
            let receiver = receiver.line();
            if stuck {
                silent.push(receiver);
            } else {
                let (tally, latencies) = (Arc::clone(&tally), Arc::clone(&latencies));
                tasks.spawn(async move { receive_into(receiver, &tally, &latencies).await });
            }
        }
        Ok(Self {
            speakers,
            phones,
            stuck,
            _silent: silent,
            tally,
            filled: 0,
            tasks,
        })
    }

    /// Sends each of them more than is kept for it outside the store.
    async fn fill(&mut self) -> anyhow::Result<()> {
        let body = Body::of_bytes(FILL_BYTES);
        for _ in 0..FILL {
            for speaker in &mut self.speakers {
                // The stamp is the message's reference, too, and has to be another each time.
                speaker.publish(&body, self.filled).await?;
                speaker.flush().await?;
                self.filled += 1;
            }
        }
        let began = Instant::now();
        while !self.is_filled() {
            if let Some(ended) = self.tasks.try_join_next() {
                ended?.context("one of the others")?;
            }
            ensure!(
                began.elapsed() < FILLING,
                "the others could not be sent so much: {:?}",
                self.tally
            );
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    fn is_filled(&self) -> bool {
        let counts = self.tally.counts();
        counts.accepted == self.filled && (self.stuck || counts.acknowledged == self.filled)
    }
}
