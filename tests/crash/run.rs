//! A run: relays one after the other on one store, under full load, each ended by a fault.
//!
//! A cycle starts the relay on what the last one left, lets the terminals come back with their positions and ask
//! again for what had no answer, and looks whether everything is there. Then the terminals send, the switch acts, and
//! somewhere in the middle the fault comes. Which fault, when, and what becomes of a disk are drawn from the seed;
//! what the relay had done by then is up to the machine, so a seed repeats the plan and not every step of it.

mod backup;
mod disks;
mod files;
mod report;
mod settle;
mod start;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::PATIENCE;
use crate::dice::Dice;
use crate::disk::{Files, Journal};
use crate::ledger::Ledger;
use crate::place::Place;
use crate::relay::{Addresses, Relay};
use crate::shim::{Behaviour, Fault, Shim};
use crate::small_disk::SmallDisk;
use crate::switch::Switch;
use crate::terminal::{Shared, Terminal};
use backup::Backup;

pub(crate) use report::{Report, Trouble};

/// Phones of a run; every third has a second terminal.
const PHONES: u64 = 24;
/// Cycles until all calls are ended, and the files are searched for what was said in them.
const SWEEP_CYCLES: u64 = 25;
/// Power cuts that are tried of each run of a relay, besides the one that ends it.
const CUTS: u64 = 3;
/// In every so many cycles a copy is taken.
const COPY_CYCLES: u64 = 4;
/// For how long at least the relay is under load while a copy is taken.
const COPY_LOAD: Duration = Duration::from_millis(20);
/// Files that are accepted in a cycle before the disk gets full.
const FILES_BEFORE_FULL: u64 = 2;
/// Room on the disk that gets full: more than a run needs, so that it is full when we say so.
const DISK_BYTES: u64 = 24 * 1024 * 1024;

/// Runs so many cycles. `None`: this trouble cannot be made here.
pub(crate) async fn run(program: &Path, trouble: Trouble, seed: u64, cycles: u64) -> Option<Report> {
    let disk = match trouble {
        Trouble::Full => Some(SmallDisk::mount(DISK_BYTES)?),
        Trouble::Kill | Trouble::Power | Trouble::Lies | Trouble::Io => None,
    };
    let mut run = Run::new(program, trouble, seed, disk);
    for cycle in 1..=cycles {
        run.cycle().await;
        if cycle % SWEEP_CYCLES == 0 && cycle < cycles {
            run.sweep().await;
        }
        if !run.troubles.is_empty() || !run.shared.ledger.lock().unwrap().complaints().is_empty() {
            break;
        }
    }
    run.sweep().await;
    Some(run.report())
}

struct Run {
    program: PathBuf,
    trouble: Trouble,
    seed: u64,
    dice: Dice,
    place: Place,
    disk: Option<SmallDisk>,
    shim: Option<Shim>,
    shared: Arc<Shared>,
    terminals: Vec<Terminal>,
    switch: Switch,
    cycles: u64,
    disks: u64,
    faults: u64,
    syncs: u64,
    copies: u64,
    troubles: Vec<String>,
}

/// A relay that serves, and its terminals.
struct Serving {
    relay: Relay,
    addresses: Addresses,
    terminals: Vec<JoinHandle<Terminal>>,
    /// The files as they were before it was started.
    before: Files,
    /// A copy that is being taken of it.
    backup: Option<Backup>,
}

impl Run {
    fn new(program: &Path, trouble: Trouble, seed: u64, disk: Option<SmallDisk>) -> Self {
        let mut dice = Dice::new(seed);
        let phones: Vec<String> = (1..=PHONES).map(|number| (1000 + number).to_string()).collect();
        let place = Place::new(&phones, disk.as_ref().map(SmallDisk::path));
        let needs_shim = matches!(trouble, Trouble::Power | Trouble::Lies | Trouble::Io);
        let shim = needs_shim.then(|| Shim::compile(place.folder()));
        let seconds = phones.iter().step_by(3);
        let phone_of: Vec<String> = phones.iter().chain(seconds).cloned().collect();
        let terminals: Vec<Terminal> = phone_of
            .iter()
            .enumerate()
            .map(|(number, phone)| Terminal::new(number, phone, dice.fork()))
            .collect();
        let ledger = Ledger::new(phone_of);
        let ledger = match trouble {
            Trouble::Full => ledger.may_lose_mailboxes(),
            Trouble::Kill | Trouble::Power | Trouble::Lies | Trouble::Io => ledger,
        };
        let shared = Arc::new(Shared {
            linked: Mutex::new(vec![false; terminals.len()]),
            tokens: Mutex::new(vec![None; terminals.len()]),
            ledger: Mutex::new(ledger),
            load: watch::Sender::new(false),
            journal: needs_shim.then(|| place.journal()),
        });
        Self {
            program: program.to_owned(),
            trouble,
            seed,
            switch: Switch::new(phones, dice.fork()),
            dice,
            place,
            disk,
            shim,
            shared,
            terminals,
            cycles: 0,
            disks: 0,
            faults: 0,
            syncs: 0,
            copies: 0,
            troubles: Vec::new(),
        }
    }

    fn report(self) -> Report {
        let ledger = self.shared.ledger.lock().unwrap();
        let mut complaints = ledger.complaints().to_vec();
        complaints.extend(self.troubles);
        Report {
            trouble: self.trouble,
            seed: self.seed,
            cycles: self.cycles,
            disks: self.disks,
            faults: self.faults,
            syncs: self.syncs,
            copies: self.copies,
            counts: ledger.counts,
            complaints,
        }
    }

    async fn cycle(&mut self) {
        self.cycles += 1;
        if self.dice.chance(10) {
            self.killed_while_starting().await;
        }
        let behaviour = Behaviour {
            fault: (self.trouble == Trouble::Io).then(|| self.draw_fault()),
            lies: self.trouble == Trouble::Lies,
        };
        let Some(mut serving) = self.start(behaviour).await else {
            // The fault came at once.
            return;
        };
        let went_well = self.load(&mut serving).await;
        if went_well.is_none() && self.troubles.is_empty() && !self.has_failed() {
            let (cycle, switch) = (self.cycles, &self.switch);
            let words = serving.relay.last_words();
            self.troubles
                .push(format!("cycle {cycle}: nothing goes on: {switch:?}\n{words}"));
        }
        self.end(serving).await;
    }

    fn draw_fault(&mut self) -> Fault {
        match self.dice.between(0, 9) {
            0..=4 => Fault::Sync(self.soon(&[15, 60, 250])),
            5..=8 => Fault::Write(self.soon(&[60, 300, 1_500])),
            _ => Fault::Read(self.soon(&[60, 200])),
        }
    }

    /// A number up to one of these: many are small, so that the fault comes on a slow machine too.
    fn soon(&mut self, most: &[u64]) -> u64 {
        let most = self.dice.pick(most).unwrap_or(1);
        self.dice.between(1, most)
    }

    /// Settles what the last relay left, then as much load as there can be, for a while.
    async fn load(&mut self, serving: &mut Serving) -> Option<()> {
        let lifted = if self.dice.chance(70) { 60 } else { 100 };
        self.settle(serving, lifted).await?;
        // A store that had no room is tried again after a second.
        let longest = if self.trouble == Trouble::Full { 2_500 } else { 350 };
        let lasts = self.dice.millis(5, longest);
        self.shared.load.send_replace(true);
        let full_after = self.dice.millis(5, 60);
        let copy_after = self.dice.millis(5, 100);
        let takes_copy = self.takes_copy();
        let lasts = lasts.max(if takes_copy { copy_after + COPY_LOAD } else { lasts });
        // Whose disk gets full has to get something onto it before.
        let (is_full, shared) = (self.trouble == Trouble::Full, Arc::clone(&self.shared));
        let files = move || shared.ledger.lock().unwrap().counts.files;
        let enough = files() + FILES_BEFORE_FULL;
        let begins = || async { !is_full || until_true(|| files() >= enough).await };
        let load_ends = async {
            begins().await.then_some(())?;
            sleep(lasts).await;
            Some(())
        };
        let copies = async {
            if takes_copy {
                sleep(copy_after).await;
                let backup = Backup::begin(&self.program, self.place.folder(), &self.shared);
                serving.backup = Some(backup);
            }
            std::future::pending::<Option<()>>().await
        };
        let acts = async {
            self.switch.fill_up(serving.addresses, &self.shared).await?;
            loop {
                sleep(self.dice.millis(1, 12)).await;
                self.switch.act(serving.addresses, &self.shared).await?;
            }
        };
        let faults = AtomicU64::new(0);
        let gets_full = async {
            let Some(disk) = &self.disk else {
                return std::future::pending::<Option<()>>().await;
            };
            begins().await.then_some(())?;
            sleep(full_after).await;
            disk.fill_but(0);
            // Until somebody is refused something.
            let refused = || self.shared.ledger.lock().unwrap().counts.refused;
            let before = refused();
            until_true(|| refused() > before).await;
            faults.fetch_add(1, Relaxed);
            disk.free();
            let accepted = || self.shared.ledger.lock().unwrap().counts.accepted;
            let before = accepted();
            until_true(|| accepted() > before).await.then_some(())
        };
        // It ends by time, or the relay does.
        let ended = tokio::select! {
            ended = load_ends => ended,
            ended = acts => ended,
            filled = gets_full => filled,
            never = copies => never,
        };
        self.faults += faults.into_inner();
        ended
    }

    /// Whether a copy is taken in this cycle. Not of a relay that may end by itself, since whoever has the store open
    /// as the last one brings it in order, and that without the shim.
    fn takes_copy(&self) -> bool {
        let may_end = matches!(self.trouble, Trouble::Io | Trouble::Lies);
        !may_end && self.cycles % COPY_CYCLES == 2
    }

    /// The fault, and what is left.
    async fn end(&mut self, mut serving: Serving) {
        let backup = self.wait_for_copy(&mut serving).await;
        let code = if self.trouble == Trouble::Io {
            self.end_by_itself(&mut serving).await
        } else {
            self.faults += u64::from(self.trouble == Trouble::Kill);
            serving.relay.kill()
        };
        if let Some(code) = code
            && self.trouble != Trouble::Io
        {
            let words = serving.relay.last_words();
            self.troubles
                .push(format!("the relay ended by itself with {code}:\n{words}"));
        }
        self.shared.load.send_replace(false);
        for terminal in serving.terminals {
            let terminal = timeout(PATIENCE, terminal).await;
            let terminal = terminal.expect("a terminal does not see that the relay is gone");
            self.terminals.push(terminal.unwrap());
        }
        if let Some(disk) = &self.disk {
            disk.free();
        }
        if let Some(backup) = backup {
            self.look_at_copy(backup).await;
        }
        self.leave_disk(&serving.before);
    }

    /// Waits for a relay whose disk failed; kills one whose disk did not.
    async fn end_by_itself(&mut self, serving: &mut Serving) -> Option<i32> {
        let journal = Journal::read(&self.place.journal());
        if !journal.has_failure() {
            return serving.relay.kill();
        }
        self.faults += 1;
        if !journal.has_fatal_failure() {
            return serving.relay.kill();
        }
        let code = serving.relay.ended().await;
        if code.is_none_or(|code| code == 0) {
            let words = serving.relay.last_words();
            let failure = journal.failure();
            let what = format!("the relay ended with {code:?} after this: {failure}\n{words}");
            self.troubles.push(what);
            serving.relay.kill();
        }
        code
    }
}

/// Asks again and again, but not for ever: whether it became true.
async fn until_true(mut ask: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !ask() {
        if Instant::now() > deadline {
            return false;
        }
        sleep(Duration::from_millis(3)).await;
    }
    true
}
