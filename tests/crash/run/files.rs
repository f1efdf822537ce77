//! Whether the files are there that have to be, and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{Run, Serving, Trouble};
use crate::PATIENCE;
use crate::disk;
use crate::files::{fetch, is_hidden, upload_path};
use crate::http::{ask, break_off};
use crate::ledger::{SIZE_MIN, content};
use crate::relay::Addresses;

impl Run {
    /// To be done while nobody sends, and no call begins or ends. `None`: the relay is gone.
    pub(super) async fn check_files(&mut self, serving: &Serving) -> Option<()> {
        let relay = serving.addresses;
        self.break_off_an_upload(relay).await;
        let attempts = if self.trouble == Trouble::Io { 3 } else { 1 };
        let readable = self.shared.ledger.lock().unwrap().readable();
        for file in readable {
            let tokens = self.shared.tokens.lock().unwrap().clone();
            let reader = self.dice.pick(&file.readers);
            if let Some(token) = reader.and_then(|reader| tokens[reader].as_ref()) {
                let fetched = fetch(relay.terminals, token, &file, attempts, &mut self.dice).await?;
                if let Err(what) = fetched {
                    self.shared.ledger.lock().unwrap().file_is_lost(file.file, &what);
                }
            }
            if let Some(stranger) = file.stranger
                && let Some(token) = &tokens[stranger]
                && self.dice.chance(20)
                && !is_hidden(relay.terminals, token, &file).await?
            {
                let mut ledger = self.shared.ledger.lock().unwrap();
                ledger.file_is_leaked(file.file, stranger);
            }
        }
        self.other_files_go(relay).await
    }

    /// Half of a file, and its sender goes away.
    async fn break_off_an_upload(&mut self, relay: Addresses) {
        let somebody = self.shared.ledger.lock().unwrap().somebody_in_a_call();
        let Some((terminal, call)) = somebody else {
            return;
        };
        let Some(token) = self.shared.tokens.lock().unwrap()[terminal].clone() else {
            return;
        };
        let size = 10 * SIZE_MIN;
        let file = self
            .shared
            .ledger
            .lock()
            .unwrap()
            .upload_begins(&call, size, false);
        let half = &content(&call, file, size)[..size / 2];
        let header = format!("Authorization: Bearer {token}\r\n");
        break_off(relay.terminals, &upload_path(&call, file), &header, size, half).await;
    }

    /// Waits until no file is there that ought not to be. `None`: the relay is gone.
    pub(super) async fn other_files_go(&self, relay: Addresses) -> Option<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let calls = calls_known(relay).await?;
            let on_disk = self.files_on_disk();
            let left = self.shared.ledger.lock().unwrap().left_behind(&on_disk, &calls);
            if left.is_empty() {
                return Some(());
            }
            if Instant::now() > deadline {
                self.shared.ledger.lock().unwrap().files_stay(&left);
                return Some(());
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    fn files_on_disk(&self) -> BTreeMap<String, Vec<u8>> {
        disk::read(&self.place.files())
    }
}

/// The calls of which the relay knows anything, also those that are over. `None`: it is gone.
pub(super) async fn calls_known(relay: Addresses) -> Option<BTreeSet<String>> {
    let (_, answer) = ask(relay.operator, "GET", "/v1/calls", "", "").await?;
    let answer: Value = serde_json::from_str(&answer).ok()?;
    let calls = answer["calls"].as_array()?.iter();
    Some(
        calls
            .filter_map(|call| Some(call["call"].as_str()?.to_owned()))
            .collect(),
    )
}
