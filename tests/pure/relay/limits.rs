//! Limits (semantics §4.7): past one the sender gets the reason, and nothing stored is dropped.

use std::time::Duration;

use callrelay::relay::{Rules, SendRequest};

use super::two_talk;
use crate::stage::Stage;

#[test]
fn a_body_over_the_limit_is_refused() {
    let stage = Stage::with(Rules {
        body_bytes_max: 6,
        ..Rules::default()
    });
    let (alice, bob) = two_talk(&stage);
    alice.sends("1234");
    alice.sends("12345");
    alice.gets(&["sent r1 c1 #1 stored", "send_failed r2 TooLarge"]);
    bob.gets(&["c1/e2 #1 received 1001>1002 \"1234\""]);
}

#[test]
fn a_mailbox_holds_so_many_rows_but_a_key_may_be_written_to_for_ever() {
    let stage = Stage::with(Rules {
        rows_max: 2,
        ..Rules::default()
    });
    let (alice, bob) = two_talk(&stage);
    alice.sends_keyed("k1", "page", "1");
    alice.sends("text");
    alice.sends("one too many");
    bob.sends("for me too");
    alice.sends_keyed("k2", "page", "2");
    alice.gets(&[
        "sent k1 c1 #1 stored",
        "sent r1 c1 #2 stored",
        "send_failed r2 MailboxFull",
        "sent k2 c1 #3 stored",
    ]);
    bob.gets(&[
        "c1/e2 #1 received 1001>1002 \"1\" key=page",
        "c1/e2 #2 received 1001>1002 \"text\"",
        "send_failed r1 MailboxFull",
        "c1/e2 #3 received 1001>1002 \"2\" key=page",
    ]);
    assert_eq!(stage.stored(), ["\"text\"", "\"2\""]);
}

#[test]
fn a_mailbox_holds_so_many_bytes() {
    let stage = Stage::with(Rules {
        bytes_max: 10,
        ..Rules::default()
    });
    let (alice, bob) = two_talk(&stage);
    alice.sends("123456");
    alice.sends("1");
    alice.sends("");
    alice.gets(&[
        "sent r1 c1 #1 stored",
        "send_failed r2 MailboxFull",
        "sent r3 c1 #2 stored",
    ]);
    bob.gets(&[
        "c1/e2 #1 received 1001>1002 \"123456\"",
        "c1/e2 #2 received 1001>1002 \"\"",
    ]);
}

#[test]
fn who_sends_too_fast_is_told_when_to_try_again() {
    let stage = Stage::with(Rules {
        sends_per_sec: 10,
        sends_burst: 2,
        ..Rules::default()
    });
    let (alice, bob) = two_talk(&stage);
    alice.sends("one");
    alice.sends("two");
    alice.sends("three");
    // Each step of the stage takes a millisecond.
    alice.gets(&[
        "sent r1 c1 #1 stored",
        "sent r2 c1 #2 stored",
        "send_failed r3 RateLimited { retry_after_ms: 98 }",
    ]);
    stage.waits(Duration::from_millis(98));
    alice.sends_as("r3", "three");
    alice.gets(&["sent r3 c1 #3 stored"]);
    bob.gets(&[
        "c1/e2 #1 received 1001>1002 \"one\"",
        "c1/e2 #2 received 1001>1002 \"two\"",
        "c1/e2 #3 received 1001>1002 \"three\"",
    ]);
}

#[test]
fn fields_that_the_protocol_does_not_allow_are_refused() {
    let stage = Stage::new();
    let (alice, _bob) = two_talk(&stage);
    let long = "é".repeat(65);
    for request in [
        SendRequest {
            reference: String::new(),
            ..alice.request("x")
        },
        SendRequest {
            kind: long.clone(),
            ..alice.request("x")
        },
        SendRequest {
            key: Some(String::new()),
            ..alice.request("x")
        },
        SendRequest {
            key: Some("k".repeat(129)),
            ..alice.request("x")
        },
    ] {
        let reference = request.reference.clone();
        alice.sends_request(request);
        alice.gets(&[&format!("send_failed {reference} BadRequest")]);
    }
    alice.sends_as(&long, "x");
    alice.gets(&[&format!("send_failed {long} BadRequest")]);
    assert_eq!(stage.stored(), [""; 0]);
}
