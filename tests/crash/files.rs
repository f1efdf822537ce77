//! Files over HTTP, as terminals upload and fetch them.

use std::net::SocketAddr;

use callrelay::files::hex;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::dice::Dice;
use crate::http::ask_bytes;
use crate::ledger::{FileNo, MARK, Readable};

/// Where to upload a file into this call, by a name that is found again wherever it is kept.
pub(crate) fn upload_path(call: &str, file: FileNo) -> String {
    let name = format!("{MARK}{call} {file}.bin").replace(' ', "%20");
    format!("/v1/files?call={call}&name={name}")
}

/// Whether the relay says of a file what it is.
pub(crate) fn is_described(description: &Value, bytes: &[u8]) -> bool {
    description["size"] == bytes.len() && description["sha256"] == hex(&Sha256::digest(bytes))
}

/// Fetches a file whole and in part, and says what is wrong with it. `None`: the relay is gone. `attempts`: how often,
/// since a disk may fail once.
pub(crate) async fn fetch(
    relay: SocketAddr,
    token: &str,
    file: &Readable,
    attempts: usize,
    dice: &mut Dice,
) -> Option<Result<(), String>> {
    let last = file.bytes.len() - 1;
    let from = usize::try_from(dice.between(0, last as u64)).unwrap_or(0);
    let to = usize::try_from(dice.between(from as u64, last as u64)).unwrap_or(last);
    for (range, due, from, to) in [
        (String::new(), 200, 0, last),
        (format!("Range: bytes={from}-{to}\r\n"), 206, from, to),
    ] {
        let header = format!("Authorization: Bearer {token}\r\n{range}");
        let path = format!("/v1/files/{}", file.id);
        let mut answer = None;
        for _ in 0..attempts {
            answer = ask_bytes(relay, "GET", &path, &header, &[]).await;
            let is_right =
                |(status, bytes): &(u16, Vec<u8>)| *status == due && *bytes == file.bytes[from..=to];
            if answer.as_ref().is_some_and(is_right) {
                break;
            }
        }
        let (status, bytes) = answer.filter(still_serves)?;
        if status != due || bytes != file.bytes[from..=to] {
            return Some(Err(format!(
                "{status} with {} bytes for {from} to {to}",
                bytes.len()
            )));
        }
    }
    Some(Ok(()))
}

/// Whether a phone is told that there is no such file. `None`: the relay is gone.
pub(crate) async fn is_hidden(relay: SocketAddr, token: &str, file: &Readable) -> Option<bool> {
    let header = format!("Authorization: Bearer {token}\r\n");
    let path = format!("/v1/files/{}", file.id);
    let answer = ask_bytes(relay, "GET", &path, &header, &[]).await;
    let (status, _) = answer.filter(still_serves)?;
    Some(status == 404)
}

/// A relay whose store broke ends, and says so to whoever still asks it for a file.
fn still_serves((status, _): &(u16, Vec<u8>)) -> bool {
    *status != 503
}
