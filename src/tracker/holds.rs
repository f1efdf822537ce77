//! Hold and resume.

use std::collections::BTreeSet;

use crate::model::{ChannelId, Moment, Phone};

use super::because::Because;
use super::conclusion::{CallNumber, What};
use super::topology::HoldOnTheWay;
use super::{Timer, Tracker};

/// The parties that are not where the call is.
#[derive(Debug, Default)]
pub(super) struct Absent {
    /// They left the shared bridge to consult someone else, which is a hold for those who stayed.
    pub(super) consulting: BTreeSet<Phone>,
    /// They may come back, and hold as before until that is known.
    pub(super) missing: BTreeSet<Phone>,
}

impl Tracker {
    pub(super) fn on_hold(&mut self, channel: &ChannelId) {
        if let Some(known) = self.topology.channels.get_mut(channel) {
            if known.bridge.is_none() && known.call.is_some() {
                // Reported after it left the bridge where it held: that hold stays behind, too.
                known.hold_on_the_way = HoldOnTheWay::WasLeft;
            } else {
                known.holding = true;
            }
            known.resumes_at = None;
        }
        self.touch_calls_of(channel);
    }

    /// Asterisk says *unhold* by itself just before a transfer, so it counts only if the channel is
    /// still in its bridge a little later (semantics §5.4). Leaving the bridge takes the timer back; saying it
    /// again does not put it off.
    pub(super) fn on_unhold(&mut self, at: Moment, channel: &ChannelId) {
        let Some(known) = self.topology.channels.get_mut(channel) else {
            return;
        };
        if known.hold_on_the_way == HoldOnTheWay::WasLeft {
            known.hold_on_the_way = HoldOnTheWay::Ends;
        }
        if known.holding && known.resumes_at.is_none() {
            let due = at + self.patience.resume_delay;
            known.resumes_at = Some(due);
            self.timers.insert((due, Timer::Resume(channel.clone())));
            self.touch_calls_of(channel);
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

    /// A transfer takes the transferer's hold along, and leaves theirs to the others. They talk to this phone
    /// now, if it is there yet.
    pub(super) fn carry_holds(&mut self, number: CallNumber, to: Option<&Phone>) {
        let Some(call) = self.calls.get(number) else {
            return;
        };
        let target = to.and_then(|to| call.parties.get(to));
        let there: BTreeSet<ChannelId> = target.map(|party| party.channels.clone()).unwrap_or_default();
        let staying = call.parties.iter().filter(|(phone, _)| Some(*phone) != to);
        let staying: Vec<(Phone, BTreeSet<ChannelId>)> = staying
            .map(|(phone, party)| (phone.clone(), party.channels.clone()))
            .collect();
        let mut holders = BTreeSet::new();
        for (phone, channels) in staying {
            let mut devices = 0;
            let mut holding = 0;
            for id in &channels {
                let bridge = self
                    .topology
                    .channels
                    .get(id)
                    .and_then(|known| known.bridge.clone());
                let group = bridge.map(|bridge| self.topology.group(&bridge));
                let together = group.is_some_and(|group| group.members.keys().any(|id| there.contains(id)));
                if let Some(channel) = self.topology.channels.get_mut(id) {
                    channel.take_up_hold(!together);
                    devices += 1;
                    holding += usize::from(channel.holding);
                }
            }
            if devices > 0 && holding == devices {
                holders.insert(phone);
            }
        }
        if let Some(call) = self.calls.get_mut(number) {
            call.paused = if holders.is_empty() {
                BTreeSet::new()
            } else {
                call.parties.keys().cloned().collect()
            };
            call.holders = holders;
        }
    }

    /// The parties of a call are together: however they came there, that is over.
    pub(super) fn holds_have_arrived(&mut self, number: CallNumber) {
        let parties = self
            .calls
            .get(number)
            .into_iter()
            .flat_map(|call| call.parties.values());
        for id in parties.flat_map(|party| &party.channels) {
            if let Some(channel) = self.topology.channels.get_mut(id)
                && channel.call == Some(number)
                && channel.hold_on_the_way == HoldOnTheWay::WasLeft
            {
                channel.hold_on_the_way = HoldOnTheWay::Ends;
            }
        }
    }

    /// Concludes who is on hold in a call.
    pub(super) fn settle_holds(&mut self, at: Moment, number: CallNumber, absent: &Absent) {
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
                if absent.missing.contains(*phone) {
                    return call.holders.contains(*phone);
                }
                absent.consulting.contains(*phone) || (devices.peek().is_some() && devices.all(holds))
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
            let because = if absent.consulting.contains(&by) {
                Because::WentToConsult
            } else {
                Because::DeviceHolds
            };
            self.conclude(at, number, because, What::HoldOn { by });
        } else if let Some(by) = resumed_by
            && !before.is_subset(&paused)
        {
            let by = by.clone();
            self.conclude(at, number, Because::NobodyHolds, What::HoldOff { by });
        }
    }
}
