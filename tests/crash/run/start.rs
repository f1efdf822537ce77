//! Starting a relay on what the last one left.

use std::sync::Arc;

use tokio::time::sleep;

use super::{Run, Serving};
use crate::disk::{self, Journal};
use crate::relay::Relay;
use crate::shim::Behaviour;

impl Run {
    fn spawn(&self, behaviour: Behaviour) -> Relay {
        let journal = self.place.journal();
        // There is none yet, or none of interest.
        let _ = std::fs::remove_file(&journal);
        self.shared.ledger.lock().unwrap().journal_begins();
        let shim = self.shim.as_ref();
        let variables = shim.map(|shim| shim.variables(self.place.disk(), &journal, behaviour));
        Relay::spawn(&self.program, self.place.folder(), &variables.unwrap_or_default())
    }

    pub(super) async fn killed_while_starting(&mut self) {
        let before = disk::read(self.place.disk());
        let mut relay = self.spawn(Behaviour::default());
        sleep(self.dice.millis(0, 40)).await;
        relay.kill();
        self.leave_disk(&before);
    }

    /// Starts a relay, and its terminals. `None`: the fault came before it served.
    pub(super) async fn start(&mut self, behaviour: Behaviour) -> Option<Serving> {
        let before = disk::read(self.place.disk());
        let mut relay = self.spawn(behaviour);
        let Some(addresses) = relay.up().await else {
            let code = relay.kill();
            let is_due =
                Journal::read(&self.place.journal()).has_failure() && code.is_some_and(|code| code != 0);
            if is_due {
                self.faults += 1;
            } else {
                let words = relay.last_words();
                self.troubles
                    .push(format!("the relay did not start: {code:?}\n{words}"));
            }
            self.leave_disk(&before);
            return None;
        };
        if self.dice.chance(30) {
            // Calls that ended while there was no relay: the terminals are late.
            self.switch.end_some(addresses, &self.shared).await;
        }
        let terminals = std::mem::take(&mut self.terminals).into_iter();
        let terminals = terminals
            .map(|terminal| tokio::spawn(terminal.run(addresses.terminals, Arc::clone(&self.shared))))
            .collect();
        Some(Serving {
            relay,
            addresses,
            terminals,
            before,
            backup: None,
        })
    }
}
