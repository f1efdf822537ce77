//! How often a thing was said by each of the two, and was passed on.

use std::collections::VecDeque;

use super::{BEHIND_MAX, LATE_MAX, Side, TOGETHER};
use crate::model::Moment;

/// Moments that are remembered of one thing.
const TIMES_MAX: usize = 32;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Count {
    passed: u32,
    /// When the last of them were passed on, in order.
    times: VecDeque<Moment>,
    said: [u32; 2],
    late: [Late; 2],
}

/// What one of them did not say, and nobody waits for any more. If it comes all the same until then, it is no news.
#[derive(Clone, Copy, Debug, Default)]
struct Late {
    count: u32,
    until: Moment,
}

/// What one of the two said again while it was only listened to, thing by thing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    /// How many of those that were passed on it has said, or will not say.
    walked: u32,
    /// How many there were at first.
    of: u32,
}

impl Count {
    /// Whether it is news that this one says it once more.
    pub(super) fn say(&mut self, side: Side, at: Moment) -> bool {
        let own = side as usize;
        if self.said[own] < self.passed {
            self.said[own] += 1;
            return false;
        }
        if self.late[own].comes(at) {
            return false;
        }
        self.said[own] += 1;
        self.pass(at);
        true
    }

    fn pass(&mut self, at: Moment) {
        self.passed += 1;
        self.times.push_back(at);
        if self.times.len() > TIMES_MAX {
            self.times.pop_front();
        }
    }

    /// When it was passed on for the time of this number, from 0. Those that are not remembered are long ago.
    fn time(&self, number: u32) -> Moment {
        let from_the_end = self.passed.saturating_sub(number) as usize;
        let index = self.times.len().checked_sub(from_the_end);
        index
            .and_then(|index| self.times.get(index))
            .copied()
            .unwrap_or_default()
    }

    /// One that came back is about to say what it heard meanwhile.
    pub(super) fn walk(&self) -> Walk {
        let remembered = u32::try_from(self.times.len()).unwrap_or(self.passed);
        Walk {
            walked: self.passed.saturating_sub(remembered),
            of: self.passed,
        }
    }

    /// It says it once more, as it was heard then. Whether that is news: the other one has not said it at about that
    /// time, and what it says `since` then was not all heard.
    pub(super) fn say_again(&mut self, walk: &mut Walk, at: Moment, since: Moment) -> bool {
        let apart = |number| {
            let passed_at = self.time(number);
            passed_at.since(at).max(at.since(passed_at))
        };
        // Of those that are passed over, this one did not hear: it was not connected yet.
        while walk.walked + 1 < walk.of && apart(walk.walked + 1) < apart(walk.walked) {
            walk.walked += 1;
        }
        if walk.walked < walk.of && apart(walk.walked) <= TOGETHER {
            walk.walked += 1;
            return false;
        }
        let is_news = at > since;
        if is_news {
            self.pass(at);
        }
        is_news
    }

    /// It has said all that it heard meanwhile. What was passed on a moment ago and was not among that, it is about to
    /// say, or did not hear.
    pub(super) fn catches_up(&mut self, side: Side, walk: Walk, at: Moment) {
        let own = side as usize;
        let a_moment_ago = at.before(TOGETHER);
        let to_come = (walk.walked..walk.of).filter(|number| self.time(*number) > a_moment_ago);
        self.late[own] = Late {
            count: u32::try_from(to_come.count()).unwrap_or(u32::MAX),
            until: at + TOGETHER,
        };
        self.said[own] = self.passed;
    }

    /// How many this one did not say, though it has said what came long afterwards, and when the first of them was
    /// passed on. They are told once.
    pub(super) fn give_up(&mut self, side: Side, heard_until: Moment, at: Moment) -> Option<(u32, Moment)> {
        let own = side as usize;
        let first = self.time(self.said[own]);
        let lacking = (self.said[own]..self.passed)
            .filter(|number| self.time(*number) + BEHIND_MAX < heard_until)
            .count();
        let lacking = u32::try_from(lacking).unwrap_or(u32::MAX);
        if lacking == 0 {
            return None;
        }
        self.said[own] += lacking;
        let late = &mut self.late[own];
        let before = if at <= late.until { late.count } else { 0 };
        *late = Late {
            count: before.saturating_add(lacking),
            until: at + LATE_MAX,
        };
        Some((lacking, first))
    }

    /// Whether nothing is to come of it any more, so that it may be counted from nothing again.
    pub(super) fn is_over(&self, connected: [bool; 2], at: Moment) -> bool {
        let is_long_ago = |then: Moment| then + LATE_MAX < at;
        let last = self.times.back().copied().unwrap_or_default();
        is_long_ago(last)
            && (0..2).all(|own| {
                let has_said = self.said[own] == self.passed || !connected[own];
                has_said && (self.late[own].count == 0 || self.late[own].until < at)
            })
    }
}

impl Late {
    /// Whether it is one of them that comes now.
    fn comes(&mut self, at: Moment) -> bool {
        let is_late = self.count > 0 && at <= self.until;
        self.count -= u32::from(is_late);
        is_late
    }
}
