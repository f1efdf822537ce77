//! Files that a terminal uploads, and then names in a message.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::Shared;
use crate::dice::Dice;
use crate::files::{is_described, upload_path};
use crate::http::{ask_bytes, break_off};
use crate::ledger::{FileNo, SIZE_MIN, content};

/// A file that is uploaded and not named yet.
#[derive(Clone)]
pub(super) struct Uploaded {
    pub(super) file: FileNo,
    pub(super) call: String,
    /// What the relay said of it.
    pub(super) description: Value,
}

/// At most one at a time.
pub(super) struct Uploads {
    dice: Dice,
    under_way: Option<UnderWay>,
    /// To be named in the next message.
    pub(super) unnamed: Option<Uploaded>,
}

struct UnderWay {
    file: FileNo,
    call: String,
    size: usize,
    task: JoinHandle<Option<(u16, Vec<u8>)>>,
}

impl Uploads {
    pub(super) const fn new(dice: Dice) -> Self {
        Self {
            dice,
            under_way: None,
            unnamed: None,
        }
    }

    /// Now and then, if there is none: an upload into this call.
    pub(super) fn perhaps_begin(&mut self, token: &str, call: &str, relay: SocketAddr, shared: &Shared) {
        if self.under_way.is_some() || self.unnamed.is_some() || !self.dice.chance(4) {
            return;
        }
        let most = self.dice.pick(&[2_000, 2_000, 40_000, 300_000]).unwrap_or(0);
        let size = SIZE_MIN + usize::try_from(self.dice.between(0, most)).unwrap_or(0);
        let is_whole = self.dice.chance(85);
        let file = shared.ledger.lock().unwrap().upload_begins(call, size, is_whole);
        let mut bytes = content(call, file, size);
        if !is_whole {
            bytes.truncate(usize::try_from(self.dice.between(0, size as u64 - 1)).unwrap_or(0));
        }
        let path = upload_path(call, file);
        let header = format!("Authorization: Bearer {token}\r\n");
        let task = tokio::spawn(async move {
            if is_whole {
                ask_bytes(relay, "POST", &path, &header, &bytes).await
            } else {
                break_off(relay, &path, &header, size, &bytes).await;
                None
            }
        });
        self.under_way = Some(UnderWay {
            file,
            call: call.to_owned(),
            size,
            task,
        });
    }

    /// Waits for the end of the upload that is under way, and notes what came of it; for ever, if there is none.
    pub(super) async fn ended(&mut self, shared: &Shared) {
        let Some(under_way) = &mut self.under_way else {
            return std::future::pending().await;
        };
        let answer = (&mut under_way.task).await.unwrap();
        let Some(UnderWay { file, call, size, .. }) = self.under_way.take() else {
            return;
        };
        let at = shared.moment();
        let mut ledger = shared.ledger.lock().unwrap();
        match answer {
            // It broke off, or the relay did.
            None => {}
            Some((201, answer)) => {
                let description: Value = serde_json::from_slice(&answer).unwrap();
                let id = description["file"].as_str().unwrap_or_default();
                ledger.uploaded(file, id, at);
                if !is_described(&description, &content(&call, file, size)) {
                    ledger.file_is_lost(file, &format!("it is said to be {description}"));
                }
                self.unnamed = Some(Uploaded {
                    file,
                    call,
                    description,
                });
            }
            // The phone is out of the call, there is no room, or enough in this call.
            Some((409 | 503 | 507, _)) => ledger.upload_refused(file),
            Some((status, answer)) => panic!("{status}: {}", String::from_utf8_lossy(&answer)),
        }
    }

    /// What the next message in this call is to name.
    pub(super) fn next_to_name(&mut self, call: &str) -> Option<Uploaded> {
        // It stays without a name if its call is not this terminal's any more.
        self.unnamed.take().filter(|uploaded| uploaded.call == call)
    }
}

/// What a message says that names a file.
pub(super) fn naming(uploaded: &Uploaded, words: &str) -> Value {
    let mut body = json!({ "words": words });
    body["file"] = uploaded.description["file"].clone();
    body
}
