//! What the log does not say.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::place::{Setup, password_of};
use crate::stage::Stage;

/// What nobody may read in a log, whatever its level: what was said, and what lets somebody in.
const BODY: &str = "the-body-of-which-nobody-may-hear";
const KEY: &str = "the-key-of-which-nobody-may-hear";

/// A conversation with everything in it. Gives back what was logged, after a look for secrets.
async fn talk(filter: &'static str) -> Vec<Value> {
    let mut stage = Stage::with(Setup {
        env: vec![("RUST_LOG", filter)],
        sections: "[call]\nsettle_ms = 200\nresume_delay_ms = 50\n[mailbox]\nlinger_secs = 1".to_owned(),
        ..Setup::default()
    })
    .await;
    stage.pbx.call("1001", "1002");
    stage.until_talking(&["1001", "1002"]).await;
    let (mut alice, mut bob) = stage.pair().await;
    let mut secrets = vec![
        BODY.to_owned(),
        KEY.to_owned(),
        alice.token.clone(),
        bob.token.clone(),
    ];
    secrets.extend(["alice", "bob", "nobody"].map(password_of));
    secrets.push("not-the-pbx-password".to_owned());

    alice
        .send(&json!({"type": "send", "ref": "a", "body": BODY, "key": KEY}))
        .await;
    alice.expect_sent("a", "stored").await;
    bob.expect_body(BODY).await;
    bob.ack(1).await;
    assert_eq!(alice.hear().await["type"], "delivered");
    bob.say("large", &BODY.repeat(4_000)).await;
    assert_eq!(bob.hear().await["reason"], "too_large");
    let mut guesser = stage.linking("nobody", json!({})).await;
    assert_eq!(guesser.hear().await["reason"], "denied");
    drop(bob);
    alice.expect_status("parties").await;
    let mut again = stage.terminal().await;
    again
        .send(&json!({"type": "link", "token": alice.token, "terminal": "again"}))
        .await;
    again.expect_linked().await;
    again.send_raw(Message::text(format!("{BODY} is no JSON"))).await;
    assert!(matches!(again.drain().await.last(), Some(Ok(Message::Close(_)))));

    stage.pbx.blind_transfer("1001", "1002", "1003");
    stage.pbx.answer("1002", "1003");
    stage.until_talking(&["1002", "1003"]).await;
    stage.pbx.disconnect();
    alice.expect_status("transfer").await;
    alice.expect_status("uncertain").await;
    stage.pbx.reconnect();
    alice.expect_status("certain").await;
    stage.pbx.hang_up("1002");
    stage.until_no_call().await;
    stage.relay.terminate();
    assert_eq!(stage.relay.exit_code().await, 0);
    let lines = stage.relay.log();
    for line in &lines {
        for secret in &secrets {
            assert!(!line.contains(secret), "{secret} in {line}");
        }
    }
    let parsed = lines.iter().map(|line| serde_json::from_str(line).unwrap());
    parsed.collect()
}

#[tokio::test]
async fn the_log_holds_no_secret_at_any_level_and_no_phone_above_debug() {
    // The last one asks for the very lines in which libraries show what they carry.
    let precise = "trace,tungstenite::protocol=trace,hyper::proto=trace,reqwest::connect=trace";
    for filter in ["trace", "debug", "info", precise] {
        let lines = talk(filter).await;
        let at = |level: &str| lines.iter().filter(|line| line["level"] == level).count();
        assert!(at("INFO") > 0);
        assert_eq!(at("DEBUG") > 0, filter != "info");
        // An operator of an ordinary day need not be woken.
        assert_eq!(at("ERROR"), 0);
        for mut line in lines {
            if line["level"] == "DEBUG" || line["level"] == "TRACE" {
                continue;
            }
            // A close code, or a fraction of a second, may look like a phone.
            line["fields"]["code"] = Value::Null;
            line["timestamp"] = Value::Null;
            let text = line.to_string();
            let mut words = text.split(|character: char| !character.is_alphanumeric());
            let said = words.find(|word| ["1001", "1002", "1003", "alice", "bob", "User"].contains(word));
            assert_eq!(said, None, "{text}");
        }
    }
}
