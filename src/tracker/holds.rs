//! Hold and resume.

use std::collections::BTreeSet;

use crate::model::{ChannelId, Moment, Phone};

use super::conclusion::{CallNumber, What};
use super::{Timer, Tracker};

impl Tracker {
    pub(super) fn on_hold(&mut self, channel: &ChannelId) {
        if let Some(known) = self.topology.channels.get_mut(channel) {
            known.holding = true;
            known.resumes_at = None;
        }
        self.touch_calls_of(channel);
    }

    /// Asterisk says *unhold* by itself just before a transfer, so it counts only if the channel is
    /// still in its bridge a little later (semantics §5.4). Leaving the bridge takes the timer back.
    pub(super) fn on_unhold(&mut self, at: Moment, channel: &ChannelId) {
        let Some(known) = self.topology.channels.get_mut(channel) else {
            return;
        };
        if known.holding {
            let due = at + self.patience.resume_delay;
            known.resumes_at = Some(due);
            self.timers.insert((due, Timer::Resume(channel.clone())));
        }
    }

    pub(super) fn on_resume_due(&mut self, due: Moment, channel: &ChannelId) {
        if let Some(known) = self.topology.channels.get_mut(channel)
            && known.resumes_at == Some(due)
        {
            known.holding = false;
            known.resumes_at = None;
            self.touch_calls_of(channel);
        }
    }

    /// Concludes who is on hold in a call whose parties are all where they belong.
    ///
    /// `away` are the parties that left the shared bridge to consult someone else.
    pub(super) fn settle_holds(&mut self, at: Moment, number: CallNumber, away: &BTreeSet<Phone>) {
        let Some(call) = self.calls.get_mut(number) else {
            return;
        };
        let holds = |id: &ChannelId| {
            self.topology
                .channels
                .get(id)
                .is_some_and(|channel| channel.holding && channel.call == Some(number))
        };
        let active = |id: &ChannelId| {
            self.topology
                .channels
                .get(id)
                .is_some_and(|channel| channel.bridge.is_some() && channel.call == Some(number))
        };
        let holders: BTreeSet<Phone> = call
            .parties
            .iter()
            .filter(|(phone, party)| {
                let mut devices = party.channels.iter().filter(|id| active(id)).peekable();
                away.contains(*phone) || (devices.peek().is_some() && devices.all(holds))
            })
            .map(|(phone, _)| phone.clone())
            .collect();
        // In a call of two either side pauses both; among more, a holder pauses itself (semantics §5).
        let paused = if call.parties.len() > 2 || holders.is_empty() {
            holders.clone()
        } else {
            call.parties.keys().cloned().collect()
        };
        let before = std::mem::replace(&mut call.paused, paused.clone());
        let holders_before = std::mem::replace(&mut call.holders, holders.clone());
        let held_by = holders.difference(&holders_before).next().or(holders.first());
        let resumed_by = holders_before.difference(&holders).next().or(before.first());
        if let Some(by) = held_by
            && !paused.is_subset(&before)
        {
            let by = by.clone();
            self.conclude(at, number, What::HoldOn { by });
        } else if let Some(by) = resumed_by
            && !before.is_subset(&paused)
        {
            let by = by.clone();
            self.conclude(at, number, What::HoldOff { by });
        }
    }
}
