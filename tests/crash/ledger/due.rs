//! What has to be: who is still to be handed what, and who was handed what it was not to see.

use std::collections::BTreeSet;

use super::{Call, Ledger, MessageNo, State, TerminalNo};

impl Ledger {
    /// Whether every message has an answer.
    pub(crate) fn is_answered(&self) -> bool {
        let numbers = self.calls.values().flat_map(|call| &call.messages);
        numbers
            .into_iter()
            .all(|number| self.messages[*number].state != State::Open)
    }

    /// Some of the messages without an answer, who waits for it, and in which call.
    pub(crate) fn unanswered(&self) -> Vec<(MessageNo, TerminalNo, &str)> {
        let numbers = self.calls.values().flat_map(|call| &call.messages);
        let open = numbers.filter(|number| self.messages[**number].state == State::Open);
        let told = |number: &MessageNo| {
            let message = &self.messages[*number];
            (*number, message.from, message.call.as_str())
        };
        open.map(told).take(10).collect()
    }

    /// Calls that stand, as far as anybody knows, and are not among these: whatever was accepted in them is lost.
    pub(crate) fn vanished(&mut self, standing: &BTreeSet<String>) {
        let is_missing = |(id, call): &(&String, &Call)| call.ended_at.is_none() && !standing.contains(*id);
        let missing: Vec<String> = self
            .calls
            .iter()
            .filter(is_missing)
            .map(|(id, _)| id.clone())
            .collect();
        for id in missing {
            let call = self.calls.remove(&id).unwrap_or_default();
            for number in &call.messages {
                let number = *number;
                if self.messages[number].state == State::Accepted {
                    self.counts.lost += 1;
                    self.complain(format!("call {id} is gone, with message {number}"));
                }
            }
            self.over.insert(id, call.stages);
        }
    }

    /// What terminals are still to be handed: by now, or it is lost. Of a call that is held, nothing.
    pub(crate) fn owed(&self) -> Vec<(MessageNo, String)> {
        let mut owed = Vec::new();
        for call in self.calls.values() {
            let Some(parties) = call.stages.last() else {
                continue;
            };
            if call.is_held && call.ended_at.is_none() {
                continue;
            }
            for number in self.unreplaced(call, u64::MAX) {
                let message = &self.messages[number];
                if message.is_written_off || message.state != State::Accepted {
                    continue;
                }
                let sender = &self.phones[message.from];
                for phone in parties {
                    let has = |terminal: &TerminalNo| message.received.contains_key(terminal);
                    let mut terminals =
                        (0..self.phones.len()).filter(|terminal| self.phones[*terminal] == *phone);
                    let is_served = if call.ended_at.is_some() {
                        // Once one of them acknowledged it, the others of a phone have no claim.
                        phone == sender || terminals.any(|terminal| has(&terminal))
                    } else {
                        terminals.all(|terminal| terminal == message.from || has(&terminal))
                    };
                    if !is_served {
                        owed.push((number, phone.clone()));
                    }
                }
            }
        }
        owed
    }

    /// The messages of a call that no later one of this moment can have replaced, in order.
    pub(super) fn unreplaced(&self, call: &Call, at: u64) -> Vec<MessageNo> {
        let mut later = BTreeSet::new();
        let mut numbers = Vec::new();
        for number in call.messages.iter().rev() {
            let message = &self.messages[*number];
            if message.asked_at > at || message.state == State::Refused {
                continue;
            }
            let place = message.key.as_ref().map(|key| (message.from, key));
            if place.is_none_or(|place| later.insert(place)) {
                numbers.push(*number);
            }
        }
        numbers.reverse();
        numbers
    }

    /// Everybody had the time to be handed everything: what is still owed is lost.
    pub(crate) fn write_off(&mut self) {
        for (number, phone) in self.owed() {
            let message = &mut self.messages[number];
            let (from, call) = (message.from, message.call.clone());
            if !std::mem::replace(&mut message.is_written_off, true) {
                self.counts.lost += 1;
                self.complain(format!(
                    "message {number} from terminal {from} never reached {phone} in {call}"
                ));
            }
        }
    }

    /// Looks at who was handed what. To be done while it is certain what the relay knows of its calls.
    pub(crate) fn judge(&mut self) {
        for (number, terminal) in std::mem::take(&mut self.unjudged) {
            let message = &self.messages[number];
            let phone = &self.phones[terminal];
            let standing = self.calls.get(&message.call).map(|call| &call.stages);
            // What is over is judged by what it was.
            let all = standing
                .or_else(|| self.over.get(&message.call))
                .map_or(&[][..], Vec::as_slice);
            let stages = all.get(message.stage..).unwrap_or_default();
            if !stages.iter().flatten().any(|party| party == phone) {
                let what = format!(
                    "message {number} of {} reached {phone}, which was no party: {:?} from stage {}",
                    message.call, all, message.stage
                );
                self.counts.leaked += 1;
                self.complain(what);
            }
        }
    }

    /// Closes the books of calls that are over.
    pub(crate) fn close_books(&mut self) {
        let over: Vec<String> = self
            .calls
            .iter()
            .filter(|(_, call)| call.ended_at.is_some())
            .map(|(id, _)| id.clone())
            .collect();
        for id in over {
            let call = self.calls.remove(&id).unwrap_or_default();
            self.over.insert(id, call.stages);
        }
    }
}
