//! What is over leaves no trace.

use serde_json::json;

use crate::place::Setup;
use crate::stage::Stage;
use crate::until;

const SECRET: &str = "the-unforgettable-body-of-this-test";

/// Alice says it, with much beside it, so that it is in many pages.
async fn stage_with_secret(linger_secs: u32) -> Stage {
    let stage = Stage::in_call_with(Setup::sections(&format!(
        "[mailbox]\nlinger_secs = {linger_secs}"
    )))
    .await;
    let (mut alice, mut bob) = stage.pair().await;
    for number in 0..50 {
        let body = format!("{SECRET} {number} {}", "x".repeat(200 * number));
        alice.say(&format!("r{number}"), &body).await;
        alice.expect_sent(&format!("r{number}"), "stored").await;
        bob.expect_body(&body).await;
    }
    assert!(
        stage.place.store_holds(SECRET),
        "the test looks in the wrong place"
    );
    stage
}

#[tokio::test]
async fn bodies_are_in_no_file_once_the_linger_is_over() {
    let mut stage = stage_with_secret(1).await;
    stage.pbx.hang_up("1001");
    stage.until_no_call().await;
    until(async || (!stage.place.store_holds(SECRET)).then_some(())).await;
}

#[tokio::test]
async fn unread_bodies_are_kept_for_as_long_as_they_linger() {
    let mut stage = stage_with_secret(3600).await;
    stage.pbx.hang_up("1001");
    until(async || {
        let calls = stage.calls().await;
        (calls[0]["state"] == "ended").then_some(())
    })
    .await;
    assert!(stage.place.store_holds(SECRET));
    let mut late = stage.linking("bob", json!({"terminal": "bob"})).await;
    assert_eq!(late.hear().await["type"], "linked");
    late.call = late.expect_body(&format!("{SECRET} 0 ")).await;
    // What everybody has read need not linger.
    for _ in 1..50 {
        while late.hear().await["type"] != "message" {}
    }
    late.ack(50).await;
    stage.until_no_call().await;
    until(async || (!stage.place.store_holds(SECRET)).then_some(())).await;
}

#[tokio::test]
async fn a_restarted_relay_removes_the_traces_that_a_killed_one_left() {
    let mut stage = stage_with_secret(1).await;
    stage.pbx.hang_up("1001");
    stage.until_no_call().await;
    // Erased, but perhaps not yet gone from the log. Or not even erased:
    stage.relay.kill();
    stage.restart().await;
    stage.until_no_call().await;
    until(async || (!stage.place.store_holds(SECRET)).then_some(())).await;
}
