//! How things look in lines.

use std::fmt::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::frames::{Call, Peer, Row, Status};
use super::machine::Print;

/// One or more lines, without the last line break. Times are shown in `zone`.
pub(super) fn line(print: &Print, zone: &TimeZone) -> String {
    match print {
        Print::Row(row) => row_line(row, zone),
        Print::Raw(frame) => frame.replace(['\n', '\r'], " "),
        Print::Status(status) => format!("-- {} --", status_words(status)),
        Print::Linked {
            phone,
            again,
            waiting,
        } => {
            let again = if *again { " again" } else { "" };
            let waiting = if *waiting { ", waiting for a call" } else { "" };
            format!("-- linked{again} to {}{waiting} --", clean(phone))
        }
        Print::Lost(reason) => format!("-- connection lost: {}; trying again --", clean(reason)),
        Print::Refused { text, reason } => {
            format!("-- not sent ({}): {} --", refusal(reason), clean(text))
        }
        Print::Held => "-- kept until the call is off hold --".to_owned(),
        Print::Error { reason, detail } => format!("-- error: {}: {} --", clean(reason), clean(detail)),
        Print::BadInput(problem) => format!("-- {} --", clean(problem)),
    }
}

fn row_line(row: &Row, zone: &TimeZone) -> String {
    let mut line = match row.sent_at.parse::<Timestamp>() {
        Ok(at) => at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string(),
        Err(_) => "--:--:--".to_owned(),
    };
    if row.transferred.is_some() {
        line.push_str(" [history]");
    }
    line.push(' ');
    line.push_str(&clean(&row.from));
    if row.direction == "sent" {
        line.push_str(" (you)");
    }
    if let Some(kind) = row.kind.as_deref().filter(|kind| *kind != "chat") {
        // Writing to a text cannot fail.
        let _ = write!(line, " [{}]", clean(kind));
    }
    line.push_str(": ");
    match row.body.as_str() {
        Some(text) => line.push_str(&clean(text)),
        None => line.push_str(&clean(&row.body.to_string())),
    }
    line
}

fn status_words(status: &Status) -> String {
    let peers = status
        .call
        .as_ref()
        .map_or(&status.peers, |call: &Call| &call.peers);
    let peers = if peers.is_empty() {
        "nobody".to_owned()
    } else {
        names(peers)
    };
    let pbx = || clean(status.pbx.as_deref().unwrap_or("?"));
    match status.status.as_str() {
        "ringing" if status.direction.as_deref() == Some("out") => format!("ringing at {}", ringing(status)),
        "ringing" => format!("ringing: {} calls", ringing(status)),
        "ringing_over" => "the ringing is over".to_owned(),
        "call" => format!("call with {peers}"),
        "hold_on" => "on hold".to_owned(),
        "hold_off" => "off hold".to_owned(),
        "transferring" => "being transferred".to_owned(),
        "transfer" => "the call was transferred, its messages with it".to_owned(),
        "parties" => format!("now on the call: {peers}"),
        "bye" => "the call is over".to_owned(),
        "uncertain" => format!("PBX {} is out of reach; calls may have changed", pbx()),
        "certain" => format!("PBX {} is back", pbx()),
        other => clean(other),
    }
}

fn ringing(status: &Status) -> String {
    match (&status.peers[..], &status.call) {
        ([], Some(call)) => names(&call.peers),
        ([], None) => "somebody".to_owned(),
        (peers, _) => names(peers),
    }
}

fn names(peers: &[Peer]) -> String {
    let name = |peer: &Peer| match peer.name.as_deref() {
        Some(name) if !name.is_empty() && name != peer.phone => {
            format!("{} ({})", clean(name), clean(&peer.phone))
        }
        Some(_) | None => clean(&peer.phone),
    };
    peers.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn refusal(reason: &str) -> String {
    match reason {
        "not_in_call" => "that call is over, or there is none".to_owned(),
        "too_large" => "too large".to_owned(),
        "mailbox_full" => "the mailbox is full".to_owned(),
        "rate_limited" => "too many at once".to_owned(),
        "unavailable" => "the relay cannot store it now".to_owned(),
        other => clean(other),
    }
}

/// Without control characters: what somebody else wrote must not move the cursor or ring the bell.
/// Lines after the first are set in, so that they cannot pass for messages of their own.
fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.trim_end_matches(['\n', '\r']).chars() {
        match c {
            '\n' => clean.push_str("\n    "),
            '\t' => clean.push(c),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => clean.push('\u{fffd}'),
            c if c.is_control() => clean.push('\u{fffd}'),
            c => clean.push(c),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn row(frame: Value) -> String {
        line(
            &Print::Row(serde_json::from_value(frame).unwrap()),
            &TimeZone::UTC,
        )
    }

    fn status(frame: Value) -> String {
        line(
            &Print::Status(serde_json::from_value(frame).unwrap()),
            &TimeZone::UTC,
        )
    }

    #[test]
    fn rows_are_lines_with_time_sender_and_text() {
        let at = "2026-11-23T10:32:07.123Z";
        for (frame, expected) in [
            (
                json!({"from": "1001", "body": "Hello", "sent_at": at}),
                "10:32:07 1001: Hello",
            ),
            (
                json!({"from": "1002", "direction": "sent", "kind": "chat", "body": "Hi", "sent_at": at}),
                "10:32:07 1002 (you): Hi",
            ),
            (
                json!({"from": "1001", "body": "old", "sent_at": at, "transferred": "send"}),
                "10:32:07 [history] 1001: old",
            ),
            (
                json!({"from": "1001", "kind": "file", "body": {"name": "a.pdf"}, "sent_at": at}),
                "10:32:07 1001 [file]: {\"name\":\"a.pdf\"}",
            ),
            (
                json!({"from": "1001", "body": null, "sent_at": "then"}),
                "--:--:-- 1001: null",
            ),
        ] {
            assert_eq!(row(frame), expected);
        }
        let tokyo = TimeZone::fixed(jiff::tz::offset(9));
        let at = Row {
            sent_at: at.to_owned(),
            from: "1".to_owned(),
            body: json!("x"),
            ..Row::default()
        };
        assert_eq!(line(&Print::Row(at), &tokyo), "19:32:07 1: x");
    }

    #[test]
    fn a_message_cannot_play_tricks_on_the_screen() {
        let body = "one\u{1b}[2J\u{7}\r\n10:32:07 1001: two\t\u{202e}x\u{9b}\n";
        assert_eq!(
            row(json!({"from": "10\u{1b}01", "kind": "a\nb", "body": body, "sent_at": ""})),
            "--:--:-- 10\u{fffd}01 [a\n    b]: one\u{fffd}[2J\u{fffd}\u{fffd}\n    10:32:07 1001: two\t\u{fffd}x\u{fffd}"
        );
    }

    #[test]
    fn every_status_has_its_words() {
        let call = json!({"call": "c1", "state": "talking", "epoch": "e", "peers": [
            {"phone": "1002", "name": "User 1002", "linked": true}, {"phone": "1003", "name": "", "linked": false}]});
        let peers = json!([{"phone": "1002", "name": "User 1002"}]);
        for (frame, expected) in [
            (
                json!({"status": "ringing", "direction": "in", "peers": peers}),
                "-- ringing: User 1002 (1002) calls --",
            ),
            (
                json!({"status": "ringing", "direction": "out", "peers": peers}),
                "-- ringing at User 1002 (1002) --",
            ),
            (json!({"status": "ringing_over"}), "-- the ringing is over --"),
            (
                json!({"status": "call", "call": call}),
                "-- call with User 1002 (1002), 1003 --",
            ),
            (json!({"status": "hold_on", "call": call}), "-- on hold --"),
            (json!({"status": "hold_off", "call": call}), "-- off hold --"),
            (
                json!({"status": "transferring", "call": call}),
                "-- being transferred --",
            ),
            (
                json!({"status": "transfer", "call": call}),
                "-- the call was transferred, its messages with it --",
            ),
            (
                json!({"status": "parties", "call": call}),
                "-- now on the call: User 1002 (1002), 1003 --",
            ),
            (json!({"status": "bye", "call": call}), "-- the call is over --"),
            (
                json!({"status": "uncertain", "pbx": "main"}),
                "-- PBX main is out of reach; calls may have changed --",
            ),
            (
                json!({"status": "certain", "pbx": "main"}),
                "-- PBX main is back --",
            ),
            (json!({"status": "new\u{7}"}), "-- new\u{fffd} --"),
        ] {
            assert_eq!(status(frame), expected);
        }
    }
}
