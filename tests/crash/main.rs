//! What was accepted is there, whatever becomes of the process, the power and the disk: the real relay under full
//! load, ended again and again. `scripts/crashtest` runs the same for long; see CONTRIBUTING.md.

#![expect(clippy::unwrap_used, reason = "in a test, a panic is the message")]
#![expect(clippy::print_stdout, reason = "shown for a test that fails")]

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
use std::time::Duration;

use dice::Dice;
use disk::Journal;
use place::Place;
use relay::Relay;
use run::{Report, Trouble};
use shim::{Behaviour, Shim};

/// Long enough for a busy machine, since a run that fails need not be quick.
const PATIENCE: Duration = Duration::from_secs(20);

/// The seed, unless told otherwise.
const SEED: u64 = 5_499_709;

async fn run(trouble: Trouble, cycles: u64) -> Option<Report> {
    let asked = |variable: &str| std::env::var(variable).ok()?.parse().ok();
    let seed = asked("CALLRELAY_TEST_SEED").unwrap_or(SEED);
    let cycles = asked("CALLRELAY_TEST_CASES").unwrap_or(cycles);
    let program = Path::new(env!("CARGO_BIN_EXE_callrelay"));
    let report = run::run(program, trouble, seed, cycles).await;
    match &report {
        Some(report) => println!("{report}\n{}", report.complaints.join("\n")),
        None => println!("skipped: this cannot be done here"),
    }
    report
}

async fn is_clean(trouble: Trouble, cycles: u64) {
    if let Some(report) = run(trouble, cycles).await {
        let is_copied = report.copies > 0 || !matches!(trouble, Trouble::Kill | Trouble::Power);
        assert!(report.is_clean(), "{report}\n{}", report.complaints.join("\n"));
        let happened = report.faults > 0 && report.counts.accepted > 10 * cycles && report.counts.files > 0;
        assert!(happened && is_copied, "hardly anything happened: {report}");
    }
}

#[tokio::test]
async fn nothing_accepted_is_lost_when_the_relay_is_killed() {
    is_clean(Trouble::Kill, 5).await;
}

#[tokio::test]
async fn nothing_accepted_is_lost_when_the_power_fails() {
    is_clean(Trouble::Power, 4).await;
}

#[tokio::test]
async fn nothing_accepted_is_lost_when_the_disk_is_full_for_a_while() {
    is_clean(Trouble::Full, 4).await;
}

#[tokio::test]
async fn nothing_accepted_is_lost_when_the_disk_fails() {
    is_clean(Trouble::Io, 10).await;
}

#[tokio::test]
async fn the_folder_of_files_survives_a_power_cut_as_soon_as_the_relay_serves() {
    let place = Place::new(&["1001".to_owned()], None);
    let shim = Shim::compile(place.folder());
    let before = disk::read(place.disk());
    let variables = shim.variables(place.disk(), &place.journal(), Behaviour::default());
    let program = Path::new(env!("CARGO_BIN_EXE_callrelay"));
    let mut relay = Relay::spawn(program, place.folder(), &variables);
    relay.up().await.expect("it has nothing to complain of");
    relay.kill();
    let journal = Journal::read(&place.journal());
    for seed in 0..100 {
        let left = journal.power_cut(&before, journal.end(), &mut Dice::new(seed));
        assert!(
            left.contains_key("files/"),
            "with seed {seed} there is {:?}",
            left.keys()
        );
    }
}

#[tokio::test]
async fn a_disk_that_only_says_it_syncs_loses_what_was_accepted_and_that_is_found() {
    let report = run(Trouble::Lies, 6).await.expect("it needs no permission");
    // What was written in another order than it was synced may also be no database at all.
    let is_broken = report.complaints.iter().any(|it| it.contains("cannot be used"));
    let lost = report.counts.lost + report.counts.files_lost;
    assert!(
        lost > 0 || is_broken,
        "{report}\n{}",
        report.complaints.join("\n")
    );
}
