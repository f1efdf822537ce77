//! What is tried, and what came of it.

use crate::ledger::Counts;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The process is killed.
    Kill,
    /// The power fails: what was not synced is lost in part.
    Power,
    /// The same, on a disk that says it synced and did not: must be found out.
    Lies,
    /// The disk is full for a while.
    Full,
    /// An operation of the disk fails.
    Io,
}

#[cfg(not(test))]
impl Trouble {
    /// As the command line has it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Power => "power",
            Self::Lies => "lies",
            Self::Full => "full",
            Self::Io => "io",
        }
    }
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) trouble: Trouble,
    pub(crate) seed: u64,
    pub(crate) cycles: u64,
    /// Disks that were looked at, of moments at which the power might have failed.
    pub(crate) disks: u64,
    /// Times that the fault really came.
    pub(crate) faults: u64,
    pub(crate) syncs: u64,
    /// Copies that were taken under load, and read by a relay of their own.
    pub(crate) copies: u64,
    pub(crate) counts: Counts,
    pub(crate) complaints: Vec<String>,
}

impl std::fmt::Display for Report {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            trouble,
            seed,
            cycles,
            disks,
            faults,
            syncs,
            copies,
            counts,
            ..
        } = self;
        write!(
            to,
            "{trouble:?}: {cycles} cycles, seed {seed}: {counts} ({faults} faults, {disks} disks, {syncs} syncs, {copies} copies)"
        )
    }
}

impl Report {
    /// This one and an earlier one as one.
    #[cfg(not(test))]
    pub(crate) fn after(mut self, earlier: &Self) -> Self {
        self.cycles += earlier.cycles;
        self.disks += earlier.disks;
        self.faults += earlier.faults;
        self.syncs += earlier.syncs;
        self.copies += earlier.copies;
        self.counts.add(&earlier.counts);
        self
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.counts.is_clean() && self.complaints.is_empty()
    }
}
