//! What a run counts.

use std::fmt;

/// What no run may have, and how much there was of everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Messages with a `sent`.
    pub(crate) accepted: u64,
    /// Of these, those that reached a terminal of another phone.
    pub(crate) delivered: u64,
    /// Messages that were refused.
    pub(crate) refused: u64,
    /// Accepted, and not there afterwards or never delivered.
    pub(crate) lost: u64,
    /// Stored or handed out twice although it was answered or its position was kept.
    pub(crate) duplicated: u64,
    /// Rows out of order, or a row that became another one.
    pub(crate) reordered: u64,
    /// Rows at a phone that was never to see them, and words of an ended call in the files.
    pub(crate) leaked: u64,
    /// Refused, and delivered none the less.
    pub(crate) revived: u64,
    /// Calls or changes of calls that the switch was told are known, and that were not after a restart.
    pub(crate) forgotten: u64,
}

impl Counts {
    /// Whether there is nothing bad in it.
    pub(crate) const fn is_clean(&self) -> bool {
        self.lost + self.duplicated + self.reordered + self.leaked + self.revived + self.forgotten == 0
    }
}

#[cfg(not(test))]
impl Counts {
    /// Adds those of another run.
    pub(crate) fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.delivered += other.delivered;
        self.refused += other.refused;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.leaked += other.leaked;
        self.revived += other.revived;
        self.forgotten += other.forgotten;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            to,
            "{} accepted, {} delivered, {} refused, {} lost, {} duplicated, {} reordered, {} leaked, {} revived, {} forgotten",
            self.accepted,
            self.delivered,
            self.refused,
            self.lost,
            self.duplicated,
            self.reordered,
            self.leaked,
            self.revived,
            self.forgotten
        )
    }
}
