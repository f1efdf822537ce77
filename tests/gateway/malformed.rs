//! Whatever a client sends: a panic is our bug, never theirs.

use futures::SinkExt as _;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::MaybeTlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::stage::Stage;
use crate::terminal::{Terminal, credentials};

/// What the process may take more than before, in KiB.
const GROWTH_KIB_MAX: u64 = 60 * 1024;

/// Frames that are nearly right.
fn samples() -> Vec<Value> {
    let link = json!({"type": "link", "id": "alice", "password": "correct-horse-of-alice", "phone": "1001",
        "terminal": "t", "wait": true, "resume": {"epoch": "e", "seq": 1}, "replay": "all"});
    vec![
        link,
        json!({"type": "link", "token": "dG9rZW4"}),
        json!({"type": "send", "ref": "r", "body": {"a": [1, "b"]}, "kind": "chat", "key": "k",
            "transient": true, "call": "c"}),
        json!({"type": "ack", "call": "c", "seq": 1}),
        json!({"type": "unlink"}),
    ]
}

fn odd_values() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1.5e300),
        json!(""),
        json!("\u{0}\u{feff}\u{202e}\n"),
        json!("x".repeat(100_000)),
        json!([]),
        json!([[[[[{}]]]]]),
        json!({}),
    ]
}

/// Each field of each sample with each odd value.
fn wrong_types() -> Vec<String> {
    let mut texts = Vec::new();
    for sample in samples() {
        let fields: Vec<String> = sample.as_object().unwrap().keys().cloned().collect();
        for field in fields {
            for odd in odd_values() {
                let mut frame = sample.clone();
                frame[&field] = odd;
                texts.push(frame.to_string());
            }
        }
    }
    texts
}

/// Samples cut off, and with single bytes changed.
fn damaged(random: &mut StdRng) -> Vec<String> {
    let mut texts = Vec::new();
    for sample in samples() {
        let text = sample.to_string();
        for _ in 0..20 {
            texts.push(text[..random.random_range(0..text.len())].to_owned());
            let mut bytes = text.clone().into_bytes();
            let place = random.random_range(0..bytes.len());
            bytes[place] = random.random_range(0x20..0x7f);
            texts.push(String::from_utf8(bytes).unwrap());
        }
    }
    texts
}

/// Large and deep, but below the limit of a frame.
fn monstrous() -> Vec<String> {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let keys: Vec<String> = (0..20_000).map(|key| format!("\"k{key}\":0")).collect();
    let same_key = "\"type\":\"send\",".repeat(15_000);
    vec![
        deep.clone(),
        format!("{{\"type\":\"send\",\"ref\":\"r\",\"body\":{deep}}}"),
        format!("{{\"type\":\"link\",\"resume\":{deep}}}"),
        "{\"a\":".repeat(40_000),
        format!("{{{}}}", keys.join(",")),
        format!(
            "{{\"type\":\"send\",\"ref\":\"r\",\"body\":{{{}}}}}",
            keys.join(",")
        ),
        format!("{{{same_key}\"ref\":\"r\"}}"),
        r#"{"type":"ack","call":"c","seq":1e999}"#.to_owned(),
        r#"{"type":"ack","call":"c","seq":18446744073709551616}"#.to_owned(),
        r#"{"type":"send","ref":"\ud800","body":1}"#.to_owned(),
        r#"{"type":"send","ref":"r","body":"\ud800"}"#.to_owned(),
        format!(
            "{{\"type\":\"send\",\"ref\":\"r\",\"body\":1{}}}",
            "0".repeat(100_000)
        ),
        " ".repeat(200_000),
    ]
}

/// Sends it as the first frame, and on a linked session; both end, whatever they say.
async fn provoke(stage: &Stage, message: &Message) {
    for linked in [false, true] {
        let mut terminal = stage.terminal().await;
        if linked {
            terminal.send(&credentials("alice")).await;
            terminal.expect_linked().await;
        }
        // The relay may close at once, which is its right.
        let _ = terminal.socket.send(message.clone()).await;
        let _ = terminal.socket.send(Message::text(r#"{"type":"unlink"}"#)).await;
        let heard = terminal.drain().await;
        let code = heard.iter().find_map(|message| match message {
            Ok(Message::Close(frame)) => Some(frame.as_ref().map(|frame| u16::from(frame.code))),
            _ => None,
        });
        let allowed = [1000, 1009, 4400, 4401, 4409];
        assert!(
            code.flatten().is_some_and(|code| allowed.contains(&code)),
            "{code:?} after {}",
            message.to_string().chars().take(200).collect::<String>()
        );
    }
}

async fn assert_well(stage: &mut Stage, before: u64) {
    assert!(stage.relay.is_alive());
    let growth = stage.relay.resident_max_kib() - before;
    assert!(growth < GROWTH_KIB_MAX, "the relay grew by {growth} KiB");
    let mut alice = stage.linked_anew().await;
    alice.say("fine", "fine").await;
    alice.expect_sent("fine", "stored").await;
    let trouble = stage
        .relay
        .log()
        .into_iter()
        .filter(|line| line.contains("\"ERROR\"") || line.contains("panicked"));
    assert_eq!(trouble.collect::<Vec<_>>(), Vec::<String>::new());
}

#[tokio::test]
async fn no_text_however_odd_harms_the_relay() {
    let seed = 0x00ca_11ab;
    println!("seed {seed}");
    let mut stage = Stage::in_call().await;
    let before = stage.relay.resident_kib();
    let texts = [
        wrong_types(),
        damaged(&mut StdRng::seed_from_u64(seed)),
        monstrous(),
    ]
    .concat();
    assert!(texts.len() > 400);
    for text in texts {
        provoke(&stage, &Message::text(text)).await;
    }
    assert_well(&mut stage, before).await;
}

#[tokio::test]
async fn fragments_and_invalid_utf_8_are_taken_for_what_they_are() {
    let mut stage = Stage::in_call().await;
    let before = stage.relay.resident_kib();
    let frame = |opcode, bytes: &[u8], last| {
        Message::Frame(Frame::message(bytes.to_vec(), OpCode::Data(opcode), last))
    };
    for invalid in [&b"\xff"[..], b"{\"type\":\"\xc3\x28\"}", b"\xed\xa0\x80"] {
        let mut terminal = stage.terminal().await;
        terminal.send_raw(frame(Data::Text, invalid, true)).await;
        assert_eq!(terminal.close_code().await, 4400, "{invalid:?}");
    }
    // One character in two fragments, and a ping between them.
    let mut terminal = stage.terminal().await;
    let link = credentials("alice").to_string();
    let (first, rest) = link.as_bytes().split_at(20);
    terminal.send_raw(frame(Data::Text, first, false)).await;
    terminal.send_raw(Message::Ping(vec![7].into())).await;
    for byte in rest {
        terminal.send_raw(frame(Data::Continue, &[*byte], false)).await;
    }
    terminal.send_raw(frame(Data::Continue, b"", true)).await;
    terminal.expect_linked().await;
    // Fragments of a message without end.
    terminal.send_raw(frame(Data::Text, b"[", false)).await;
    for _ in 0..300 {
        let _ = terminal
            .socket
            .send(frame(Data::Continue, &[b'1'; 1_000], false))
            .await;
    }
    let end = terminal.drain().await;
    let closed = end
        .iter()
        .any(|message| matches!(message, Ok(Message::Close(Some(frame))) if u16::from(frame.code) == 1009));
    assert!(closed, "{end:?}");
    assert_well(&mut stage, before).await;
}

#[tokio::test]
async fn what_is_no_websocket_frame_ends_the_connection_and_nothing_else() {
    let mut stage = Stage::in_call().await;
    let before = stage.relay.resident_kib();
    for bytes in [
        // Not masked; with reserved bits; of a reserved kind; a fragmented ping; a ping too long.
        &[0x81, 0x02, b'{', b'}'][..],
        &[0xf1, 0x80, 0, 0, 0, 0],
        &[0x83, 0x80, 0, 0, 0, 0],
        &[0x09, 0x80, 0, 0, 0, 0],
        &[0x89, 0xfe, 0xff, 0xff, 0, 0, 0, 0],
        // A length of 2^63 - 1, and one of 2^64 - 1.
        &[
            0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0,
        ],
        &[
            0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0,
        ],
        // A continuation of nothing; a close with half a code; a close with a code that may not be.
        &[0x80, 0x80, 0, 0, 0, 0],
        &[0x88, 0x81, 0, 0, 0, 0, 3],
        &[0x88, 0x82, 0, 0, 0, 0, 3, 0xed],
        b"GET / HTTP/1.1\r\n\r\n",
    ] {
        for linked in [false, true] {
            let mut terminal = stage.terminal().await;
            if linked {
                terminal.send(&credentials("alice")).await;
                terminal.expect_linked().await;
            }
            let MaybeTlsStream::Plain(stream) = terminal.socket.get_mut() else {
                unreachable!()
            };
            stream.write_all(bytes).await.unwrap();
            // Of some, more might have come.
            stream.shutdown().await.unwrap();
            terminal.drain().await;
        }
    }
    assert_well(&mut stage, before).await;
}

impl Stage {
    /// A terminal of alice whatever there was before.
    async fn linked_anew(&self) -> Terminal {
        let mut terminal = self
            .linking("alice", json!({"terminal": "anew", "replay": "all"}))
            .await;
        while terminal.hear().await["type"] != "replayed" {}
        terminal
    }
}
