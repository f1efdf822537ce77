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
    /// Handed out again in a mailbox that took the place of one that could not be stored.
    pub(crate) started_over: u64,
    /// Rows out of order, or a row that became another one.
    pub(crate) reordered: u64,
    /// Rows at a phone that was never to see them, and words of an ended call in the files.
    pub(crate) leaked: u64,
    /// Refused, and delivered none the less.
    pub(crate) revived: u64,
    /// Files with a 201.
    pub(crate) files: u64,
    /// Uploads that were refused.
    pub(crate) files_refused: u64,
    /// Accepted and not there afterwards, whole and for those who may read them.
    pub(crate) files_lost: u64,
    /// On disk although their upload came to nothing, or their call or the last row that named them is gone.
    pub(crate) files_left: u64,
    /// Calls or changes of calls that the switch was told are known, and that were not after a restart.
    pub(crate) forgotten: u64,
}

impl Counts {
    /// Whether there is nothing bad in it.
    pub(crate) const fn is_clean(&self) -> bool {
        let of_messages = self.lost + self.duplicated + self.reordered + self.leaked + self.revived;
        of_messages + self.forgotten + self.files_lost + self.files_left == 0
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
        self.started_over += other.started_over;
        self.reordered += other.reordered;
        self.leaked += other.leaked;
        self.revived += other.revived;
        self.forgotten += other.forgotten;
        self.files += other.files;
        self.files_refused += other.files_refused;
        self.files_lost += other.files_lost;
        self.files_left += other.files_left;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            to,
            "{} accepted, {} delivered, {} refused, {} lost, {} duplicated, {} handed out again, {} reordered, {} leaked, {} revived, {} forgotten; \
             files: {} accepted, {} refused, {} lost, {} left behind",
            self.accepted,
            self.delivered,
            self.refused,
            self.lost,
            self.duplicated,
            self.started_over,
            self.reordered,
            self.leaked,
            self.revived,
            self.forgotten,
            self.files,
            self.files_refused,
            self.files_lost,
            self.files_left
        )
    }
}
