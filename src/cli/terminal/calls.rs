//! The calls of this phone, and how far each mailbox has been printed.

use std::collections::{BTreeMap, BTreeSet};

use super::frames::{Call, Position, Row, Status};

/// Positions that are kept before those of calls that are over are dropped.
const POSITIONS_MAX: usize = 64;

/// What the terminal knows of the calls of its phone.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// Standing calls, the one that something happened in last at the end.
    standing: Vec<Call>,
    /// By call, also of one that is over: it may have unread rows for a while yet.
    positions: BTreeMap<String, Position>,
    /// The call whose mailbox moved last.
    latest: Option<String>,
    /// Calls whose past is still on its way.
    replaying: BTreeSet<String>,
}

impl Calls {
    /// Takes the calls of a new link; returns those that are news.
    pub(super) fn replace(&mut self, calls: Vec<Call>) -> Vec<Call> {
        let before = std::mem::replace(&mut self.standing, calls);
        self.replaying = self.standing.iter().map(|call| call.call.clone()).collect();
        if self.positions.len() > POSITIONS_MAX {
            self.positions.retain(|call, _| self.replaying.contains(call));
        }
        self.standing
            .iter()
            .filter(|call| !before.contains(call))
            .cloned()
            .collect()
    }

    /// Takes what happened to a call.
    pub(super) fn handle_status(&mut self, status: &Status) {
        let Some(call) = &status.call else { return };
        self.standing.retain(|other| other.call != call.call);
        match status.status.as_str() {
            "bye" | "transfer" => {
                self.replaying.remove(&call.call);
            }
            "ringing" | "ringing_over" => {}
            _ => self.standing.push(call.clone()),
        }
    }

    /// The past of a call has come.
    pub(super) fn handle_replayed(&mut self, call: &str) {
        self.replaying.remove(call);
    }

    /// Takes a row's place in its mailbox; says whether it was not there before.
    pub(super) fn advance(&mut self, row: &Row, seq: u64) -> bool {
        self.latest = Some(row.call.clone());
        let seen = self
            .positions
            .get(&row.call)
            .is_some_and(|at| at.epoch == row.epoch && seq <= at.seq);
        if !seen {
            self.positions.insert(
                row.call.clone(),
                Position {
                    epoch: row.epoch.clone(),
                    seq,
                },
            );
        }
        !seen
    }

    /// The call a line is meant for: the latest that is not held, else the latest.
    pub(super) fn current(&self) -> Option<&str> {
        let talking = self.standing.iter().rev().find(|call| call.state != "held");
        talking.or(self.standing.last()).map(|call| call.call.as_str())
    }

    /// Where to go on after a drop.
    pub(super) fn position(&self) -> Option<&Position> {
        self.latest.as_ref().and_then(|call| self.positions.get(call))
    }

    /// Whether no call stands.
    pub(super) fn is_empty(&self) -> bool {
        self.standing.is_empty()
    }

    /// Whether rows of the past are still on their way.
    pub(super) fn is_replaying(&self) -> bool {
        !self.replaying.is_empty()
    }
}
