//! Long runs of the crash tests: `scripts/crashtest` runs this.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for developers"
)]

#[path = "../simulation/dice.rs"]
mod dice;
mod disk;
mod files;
mod http;
mod ledger;
mod place;
mod relay;
mod run;
mod shim;
#[path = "../shared/small_disk.rs"]
mod small_disk;
mod switch;
mod terminal;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use run::Trouble;

/// Long enough for a busy machine, since a run that fails need not be quick.
const PATIENCE: Duration = Duration::from_secs(30);
/// Cycles on one store before the next run begins on a new one, with the next seed.
const CYCLES_OF_A_RUN: u64 = 50;

/// What is asked for, as the script gives it: the relay's program, the trouble, how many cycles, the first seed.
fn asked() -> Option<(String, Trouble, u64, u64)> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [program, trouble, cycles, seed] = words.as_slice() else {
        return None;
    };
    let trouble = match trouble.as_str() {
        "kill" => Trouble::Kill,
        "power" => Trouble::Power,
        "lies" => Trouble::Lies,
        "full" => Trouble::Full,
        "io" => Trouble::Io,
        _ => return None,
    };
    Some((program.clone(), trouble, cycles.parse().ok()?, seed.parse().ok()?))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some((program, trouble, cycles, first)) = asked() else {
        println!("this is for scripts/crashtest");
        return ExitCode::from(64);
    };
    let mut total = None;
    let mut left = cycles;
    let mut seed = first;
    while left > 0 {
        let part = left.min(CYCLES_OF_A_RUN);
        let Some(report) = run::run(Path::new(&program), trouble, seed, part).await else {
            println!("{trouble:?}: cannot be done here; a small file system has to be mounted");
            return ExitCode::FAILURE;
        };
        println!("{report}");
        for complaint in &report.complaints {
            println!("  {complaint}");
        }
        let is_clean = report.is_clean();
        total = Some(match total.take() {
            Some(sum) => report.after(&sum),
            None => report,
        });
        if !is_clean {
            break;
        }
        left -= part;
        seed += 1;
    }
    let Some(mut total) = total else {
        return ExitCode::SUCCESS;
    };
    total.seed = first;
    println!("in all, {total}");
    if total.is_clean() {
        ExitCode::SUCCESS
    } else {
        println!(
            "again: scripts/crashtest --fault {} --seed {seed} --cycles {CYCLES_OF_A_RUN}",
            trouble.name()
        );
        ExitCode::FAILURE
    }
}
