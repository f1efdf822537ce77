//! What the switch says of calls, and what that means for their messages.

use super::{Ledger, State};

impl Ledger {
    /// The relay knows of a call of these two.
    pub(crate) fn call_is_known(&mut self, call: &str, parties: &[String; 2]) {
        let known = self.calls.entry(call.to_owned()).or_default();
        if known.stages.is_empty() {
            known.stages.push(parties.clone());
        }
    }

    /// The switch is about to say that these two go on with it.
    pub(crate) fn transfer_begins(&mut self, call: &str, parties: &[String; 2]) {
        if let Some(known) = self.calls.get_mut(call) {
            known.stages.push(parties.clone());
        }
    }

    /// The relay knows of the last transfer.
    pub(crate) fn transfer_is_known(&mut self, call: &str) {
        if let Some(known) = self.calls.get_mut(call) {
            known.known = known.stages.len() - 1;
        }
    }

    /// It did, and does not any more: what was asked for meanwhile counts as asked for before.
    pub(crate) fn transfer_is_forgotten(&mut self, call: &str) {
        let Some(known) = self.calls.get_mut(call) else {
            return;
        };
        known.known = known.stages.len().saturating_sub(2);
        for number in &known.messages {
            let message = &mut self.messages[*number];
            if message.state != State::Accepted {
                message.stage = message.stage.min(known.known);
            }
        }
    }

    pub(crate) fn hold(&mut self, call: &str, is_held: bool) {
        if let Some(known) = self.calls.get_mut(call) {
            known.is_held = is_held;
        }
    }

    /// The switch is about to say that it is over.
    pub(crate) fn ends(&mut self, call: &str, at: u64) {
        if let Some(known) = self.calls.get_mut(call) {
            known.ended_at.get_or_insert(at);
        }
    }

    /// The switch was told that this is known, and it is not any more.
    pub(crate) fn forgotten(&mut self, what: &str) {
        self.counts.forgotten += 1;
        self.complain(format!("forgotten: {what}"));
    }

    /// The relay has a new journal: what was, was before it.
    pub(crate) fn journal_begins(&mut self) {
        self.journal_of_files_begins();
        for call in self.calls.values_mut() {
            call.ended_at = call.ended_at.map(|_| 0);
            for number in &call.messages {
                let message = &mut self.messages[*number];
                message.asked_at = 0;
                message.answered_at = if message.state == State::Accepted {
                    0
                } else {
                    u64::MAX
                };
            }
        }
    }
}
