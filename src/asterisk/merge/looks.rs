//! How a channel looks, which is said more or less often by the one or the other.
//!
//! Its looks are a list that both walk along; only who walks in front adds to it, so that nothing out of date comes back.

use std::collections::VecDeque;

use super::{JUST_BEFORE, Side};
use crate::model::Moment;
use crate::tracker::event::{ChannelInfo, ChannelState, NumberAndName};

/// Looks of one channel that one of them may be behind.
const LOOKS_MAX: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Looks {
    list: VecDeque<(Moment, Look)>,
    /// How many of the list each has walked past.
    walked: [usize; 2],
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Look {
    name: String,
    state: ChannelState,
    caller: NumberAndName,
    connected: NumberAndName,
}

impl Looks {
    /// What was seen just before may still be said by this one.
    pub(super) fn connects(&mut self, side: Side, at: Moment) {
        let recent = self
            .list
            .iter()
            .position(|(seen_at, _)| *seen_at + JUST_BEFORE >= at);
        self.walked[side as usize] = recent.unwrap_or(self.list.len());
    }

    /// This one walks in front, since nobody else walks.
    pub(super) fn goes_alone(&mut self, side: Side) {
        self.walked[side as usize] = self.list.len();
    }

    /// Whether it is news that the channel looks so.
    pub(super) fn say(&mut self, side: Side, at: Moment, look: Look) -> bool {
        if self.walk(side, &look) {
            return false;
        }
        let own = side as usize;
        let is_in_front = self.walked[own] == self.list.len();
        if !is_in_front || self.list.back().is_some_and(|(_, last)| *last == look) {
            return false;
        }
        self.list.push_back((at, look));
        self.walked[own] = self.list.len();
        self.forget();
        true
    }

    /// Whether the look is in the list and this one has not walked past it; now it has.
    pub(super) fn walk(&mut self, side: Side, look: &Look) -> bool {
        let walked = &mut self.walked[side as usize];
        let ahead = self.list.range(*walked..).position(|(_, other)| other == look);
        *walked += ahead.map_or(0, |steps| steps + 1);
        ahead.is_some()
    }

    /// Drops what both have walked past, but for the last one, and what one of them is too far behind of.
    fn forget(&mut self) {
        let both = self.walked[0]
            .min(self.walked[1])
            .min(self.list.len().saturating_sub(1));
        let too_many = self.list.len().saturating_sub(LOOKS_MAX);
        let dropped = both.max(too_many);
        self.list.drain(..dropped);
        for walked in &mut self.walked {
            *walked = walked.saturating_sub(dropped);
        }
    }
}

impl Look {
    pub(super) fn of(info: &ChannelInfo) -> Self {
        Self {
            name: info.name.clone(),
            state: info.state,
            caller: info.caller.clone(),
            connected: info.connected.clone(),
        }
    }
}
