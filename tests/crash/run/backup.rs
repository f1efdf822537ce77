//! Copies that are taken under load, and what a relay of its own makes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::{Run, Serving, Trouble};
use crate::PATIENCE;
use crate::files::fetch;
use crate::ledger::{CopiedMailbox, MessageNo, words_of};
use crate::place::PASSWORD;
use crate::relay::{Addresses, Relay};
use crate::switch::{post, standing};
use crate::terminal::{Shared, connect, say};

/// `callrelay backup`, while it runs.
pub(super) struct Backup {
    into: PathBuf,
    /// What was confirmed before it began.
    confirmed: BTreeSet<MessageNo>,
    task: JoinHandle<std::io::Result<Output>>,
    output: Option<Output>,
}

impl Backup {
    /// Begins one, with the configuration in this folder.
    pub(super) fn begin(program: &Path, folder: &Path, shared: &Shared) -> Self {
        let into = folder.join("copy");
        let confirmed = shared.ledger.lock().unwrap().confirmed();
        let mut command = Command::new(program);
        command
            .current_dir(folder)
            .args(["backup", "--config", "callrelay.toml", "copy"])
            .stdin(Stdio::null());
        let task = tokio::task::spawn_blocking(move || command.output());
        Self {
            into,
            confirmed,
            task,
            output: None,
        }
    }

    /// Waits for its end.
    async fn ended(&mut self) -> &Output {
        if self.output.is_none() {
            let output = timeout(PATIENCE, &mut self.task).await;
            let output = output.expect("a backup does not come to its end");
            self.output = Some(output.unwrap().unwrap());
        }
        self.output.as_ref().unwrap()
    }
}

/// What one phone finds in a copy.
struct Reading {
    token: String,
    rows: BTreeMap<String, Vec<String>>,
}

impl Run {
    /// Waits for a copy that is being taken, unless the relay may be killed meanwhile: whoever has the store open as
    /// the last one brings it in order, and the journal of a disk would know nothing of that.
    pub(super) async fn wait_for_copy(&self, serving: &mut Serving) -> Option<Backup> {
        let mut backup = serving.backup.take()?;
        if self.trouble != Trouble::Kill {
            backup.ended().await;
        }
        Some(backup)
    }

    /// Starts a relay on a copy, and looks whether everything is there that was confirmed before it was begun.
    pub(super) async fn look_at_copy(&mut self, mut backup: Backup) {
        let output = backup.ended().await;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            self.troubles.push(format!("there is no copy: {said}"));
            return;
        }
        self.copies += 1;
        let folder = self.place.folder().join("beside");
        std::fs::create_dir_all(&folder).unwrap();
        self.place.configure(
            &folder,
            &backup.into.join("callrelay.db"),
            &backup.into.join("files"),
        );
        let relay = Relay::spawn(&self.program, &folder, &[]);
        if self.read_copy(&relay, &backup.confirmed).await.is_none() {
            let words = relay.last_words();
            self.troubles
                .push(format!("a relay of a copy does not serve:\n{words}"));
        }
        drop(relay);
        std::fs::remove_dir_all(&backup.into).unwrap();
    }

    async fn read_copy(&mut self, relay: &Relay, confirmed: &BTreeSet<MessageNo>) -> Option<()> {
        let addresses = relay.up().await?;
        let mut readings = BTreeMap::new();
        for phone in lift_holds(addresses).await? {
            let reading = timeout(PATIENCE, read(addresses, &phone)).await.ok()??;
            readings.insert(phone, reading);
        }
        let mailboxes: Vec<CopiedMailbox> = readings
            .iter()
            .flat_map(|(phone, reading)| {
                reading.rows.iter().map(|(call, words)| CopiedMailbox {
                    call: call.clone(),
                    phone: phone.clone(),
                    words: words.clone(),
                })
            })
            .collect();
        let files = {
            let mut ledger = self.shared.ledger.lock().unwrap();
            ledger.compare_copy(confirmed, &mailboxes);
            ledger.files_due_in_copy(confirmed)
        };
        for file in files {
            let mut readers = readings
                .values()
                .filter(|reading| reading.rows.contains_key(&file.call));
            let Some(reader) = readers.next() else {
                continue;
            };
            let fetched = fetch(addresses.terminals, &reader.token, &file, 1, &mut self.dice).await?;
            if let Err(what) = fetched {
                let mut ledger = self.shared.ledger.lock().unwrap();
                ledger.file_is_lost(file.file, &format!("in a copy {what}"));
            }
        }
        Some(())
    }
}

/// Ends all holds, since nothing is handed out during one. Gives back the phones that are in a call.
async fn lift_holds(relay: Addresses) -> Option<BTreeSet<String>> {
    let calls = standing(relay).await?;
    let phones: BTreeSet<String> = calls.into_values().flat_map(|(phones, _)| phones).collect();
    for phone in &phones {
        post(relay, &format!("HOLD_OFF FROM={phone}")).await?;
    }
    let lifted = async {
        while standing(relay).await?.values().any(|(_, state)| state == "held") {
            sleep(Duration::from_millis(3)).await;
        }
        Some(())
    };
    timeout(PATIENCE, lifted).await.ok()??;
    Some(phones)
}

/// Links a new terminal of this phone, and reads all that it is handed.
async fn read(relay: Addresses, phone: &str) -> Option<Reading> {
    let mut socket = connect(relay.terminals).await?;
    let link = json!({"type": "link", "id": "everybody", "password": PASSWORD, "phone": phone,
        "terminal": "reader", "replay": "all"});
    say(&mut socket, &link.to_string()).await?;
    let mut reading = Reading {
        token: String::new(),
        rows: BTreeMap::new(),
    };
    let mut awaited = None;
    while awaited != Some(0) {
        let Message::Text(text) = socket.next().await?.ok()? else {
            continue;
        };
        let frame: Value = serde_json::from_str(text.as_str()).ok()?;
        let call = frame["call"].as_str().unwrap_or_default();
        match frame["type"].as_str() {
            Some("linked") => {
                frame["resume_token"].as_str()?.clone_into(&mut reading.token);
                let calls = frame["calls"].as_array()?;
                for call in calls {
                    reading.rows.insert(call["call"].as_str()?.to_owned(), Vec::new());
                }
                awaited = Some(calls.len());
            }
            Some("message") => {
                let rows = reading.rows.entry(call.to_owned()).or_default();
                rows.push(words_of(&frame["body"]));
                let ack = json!({"type": "ack", "call": call, "seq": frame["seq"]});
                say(&mut socket, &ack.to_string()).await?;
            }
            Some("replayed") => awaited = awaited.map(|calls| calls - 1),
            Some("link_failed") => return None,
            _ => {}
        }
    }
    Some(reading)
}
