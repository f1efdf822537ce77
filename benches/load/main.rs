//! `callrelay-bench`: how many messages, how fast, and at what cost.
//!
//! It starts a relay of its own (the release build, a folder of its own, a switch that posts what happens to
//! calls), ties that to one processor core and itself to another, and plays the part of all terminals. What a
//! figure means and how ours compare is in `docs/benchmarks.md`; `scripts/bench` runs it.
//!
//! A message counts when the sender had its `sent`, the receiver its `message`, and the relay the receiver's
//! `ack`. Beside every figure stands what was accepted, delivered, acknowledged and lost, and how often the store
//! synced.

#![expect(clippy::print_stdout, reason = "a program for developers")]

mod args;
mod cores;
mod drain;
mod figures;
mod fleet;
mod frames;
mod http;
mod idle;
mod latency;
mod line;
mod mqtt;
mod pairs;
mod relay;
mod slow_sync;
mod sockets;
mod storm;
mod stuck;
mod syncs;
mod table;
mod tally;
mod usage;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use args::{Args, Scenario};
use cores::Cores;
use figures::Figures;

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If even standard error is closed, the exit code has to do.
            let _ = writeln!(std::io::stderr().lock(), "callrelay-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<()> {
    if let Scenario::Table(asked) = &args.scenario {
        print!("{}", table::of_file(&asked.file)?);
        return Ok(());
    }
    let cores = Cores::choose()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let tell = |figures: &Figures| println!("{}", figures.text(args.json));
    runtime.block_on(async {
        match &args.scenario {
            Scenario::Pairs(asked) => pairs::run(&cores, asked, tell).await,
            Scenario::Latency(asked) => latency::run(&cores, asked, tell).await,
            Scenario::Drain(asked) => drain::run(&cores, asked, tell).await,
            Scenario::Storm(asked) => storm::run(&cores, asked, tell).await,
            Scenario::Idle(asked) => idle::run(&cores, asked, tell).await,
            Scenario::Stuck(asked) => stuck::run(&cores, asked, tell).await,
            Scenario::Table(_) => Ok(()),
        }
    })
}
