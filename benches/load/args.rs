//! What the program is asked for.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::slow_sync::SlowSync;

/// Measures a relay of its own, or an MQTT broker that runs.
#[derive(Parser, Debug)]
#[command(name = "callrelay-bench", version)]
pub(crate) struct Args {
    /// One JSON object a figure instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What `cargo bench` adds; means nothing
    #[arg(long, global = true, hide = true)]
    bench: bool,
    #[command(subcommand)]
    pub(crate) scenario: Scenario,
}

/// What is measured.
#[derive(Subcommand, Debug)]
pub(crate) enum Scenario {
    /// Pairs that send as fast as their windows let them
    Pairs(Pairs),
    /// From a sender's frame to the receiver's, at a fixed rate
    Latency(Latency),
    /// Terminals come back to rows that wait
    Drain(Drain),
    /// Everybody comes back at once after `kill -9`
    Storm(Storm),
    /// Resident memory of a terminal that is linked and idle
    Idle(Idle),
    /// What terminals that never read do to the others
    Stuck(Stuck),
    /// A Markdown table of figures that were written with --json
    Table(Table),
}

/// An MQTT broker in place of the relay.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Peer {
    /// An MQTT broker to measure instead: its WebSocket
    #[arg(long, value_name = "URL", requires = "pid")]
    pub(crate) mqtt: Option<String>,
    /// The broker's process
    #[arg(long, value_name = "PID", requires = "mqtt")]
    pub(crate) pid: Option<u32>,
    /// Log in with this password, and with the client's id as its name
    #[arg(long, value_name = "WORD", requires = "mqtt")]
    pub(crate) password: Option<String>,
    /// The broker's name
    #[arg(long, value_name = "NAME", default_value = "MQTT broker")]
    pub(crate) name: String,
    /// What the broker promises when it confirms
    #[arg(long, value_name = "WORDS", default_value = "not known")]
    pub(crate) durability: String,
    /// Count the system calls that sync with strace, which makes everything slower
    #[arg(long)]
    pub(crate) strace: bool,
}

/// A disk that is slower than ours.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Disk {
    /// Once more with every sync of the relay so much slower; may be given several times
    #[arg(long = "slow-sync", value_name = "MS", conflicts_with = "mqtt", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    slow_syncs: Vec<u32>,
    /// How often, in turn
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
}

impl Disk {
    /// As it is, and then in each way that is asked for; all of that in every round.
    pub(crate) fn turns(&self) -> impl Iterator<Item = Option<SlowSync>> {
        let slowed = self.slow_syncs.iter().map(|ms| Some(SlowSync { ms: *ms }));
        let round = std::iter::once(None).chain(slowed);
        (0..self.rounds).flat_map(move |_| round.clone())
    }
}

#[derive(clap::Args, Debug)]
pub(crate) struct Pairs {
    /// Pairs of terminals
    #[arg(long = "pairs", value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=9_000))]
    pub(crate) number: u32,
    /// Messages of a sender that may be unconfirmed; may be given several times [default: 1 and 10]
    #[arg(long = "window", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    windows: Vec<u32>,
    /// Bytes of a body
    #[arg(long, value_name = "BYTES", default_value_t = 256, value_parser = clap::value_parser!(u32).range(32..=60_000))]
    pub(crate) body: u32,
    /// Seconds that count; two before them do not
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    #[command(flatten)]
    pub(crate) disk: Disk,
    #[command(flatten)]
    pub(crate) peer: Peer,
}

impl Pairs {
    pub(crate) fn windows(&self) -> &[u32] {
        if self.windows.is_empty() {
            &[1, 10]
        } else {
            &self.windows
        }
    }

    pub(crate) const fn measured(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

#[derive(clap::Args, Debug)]
pub(crate) struct Latency {
    /// Pairs of terminals
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=9_000))]
    pub(crate) pairs: u32,
    /// Messages a second, all pairs together
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) rate: u32,
    /// Bytes of a body
    #[arg(long, value_name = "BYTES", default_value_t = 256, value_parser = clap::value_parser!(u32).range(32..=60_000))]
    pub(crate) body: u32,
    /// Seconds that count; two before them do not
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) seconds: u64,
    #[command(flatten)]
    pub(crate) disk: Disk,
    #[command(flatten)]
    pub(crate) peer: Peer,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Drain {
    /// Terminals that come back
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=9_000))]
    pub(crate) terminals: u32,
    /// Rows that wait for each
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) rows: u32,
    /// Bytes of a body
    #[arg(long, value_name = "BYTES", default_value_t = 256, value_parser = clap::value_parser!(u32).range(32..=60_000))]
    pub(crate) body: u32,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Storm {
    /// Terminals; fewer if the limit of open files does not allow so many
    #[arg(long, value_name = "N", default_value_t = 9_000, value_parser = clap::value_parser!(u32).range(2..=60_000))]
    pub(crate) terminals: u32,
    /// Messages that every second terminal sends before the relay is killed amid them
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) rows: u32,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Idle {
    /// Terminals; fewer if the limit of open files does not allow so many
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(100..=60_000))]
    pub(crate) terminals: u32,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Stuck {
    /// Further terminals, of which in one half of a round all read, and in the other none
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=4_000))]
    pub(crate) readers: u32,
    /// Pairs whose latency is measured
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=4_000))]
    pub(crate) pairs: u32,
    /// Messages a second of those, and as many to the others
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) rate: u32,
    /// Seconds that count; two before them do not
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=25))]
    pub(crate) seconds: u64,
    /// How often, in turn
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Table {
    /// What --json wrote, of several runs
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}
