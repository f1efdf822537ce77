//! The PBX out of sight.

use serde_json::{Value, json};

use crate::place::Setup;
use crate::stage::Stage;
use crate::until;

fn pbx(status: &str) -> Value {
    json!({"type": "status", "status": status, "pbx": "main"})
}

#[tokio::test]
async fn while_the_pbx_is_out_of_sight_calls_stand_and_messages_go_on() {
    let mut stage = Stage::in_call().await;
    let (mut alice, mut bob) = stage.pair().await;
    stage.pbx.disconnect();
    alice.expect(pbx("uncertain")).await;
    bob.expect(pbx("uncertain")).await;
    let unready = stage.relay.ask("/readyz").await;
    assert_eq!(unready.status, 503);
    let wrong = unready.json();
    assert_eq!(
        (&wrong["ready"], &wrong["store"]),
        (&json!(false), &json!("writes"))
    );
    assert!(
        wrong["pbxs"]["main"]
            .as_str()
            .is_some_and(|why| why != "connected"),
        "{wrong}"
    );
    // Nobody hears of these.
    stage.pbx.hold("1001");
    stage.pbx.call("1003", "1004");
    alice.say("r", "are you there?").await;
    alice.expect_sent("r", "stored").await;
    bob.expect_body("are you there?").await;
    let mut carol = stage
        .linking("carol", json!({"wait": true, "terminal": "carol"}))
        .await;
    assert_eq!(carol.hear().await["calls"], json!([]));
    carol.expect(pbx("uncertain")).await;

    stage.pbx.reconnect();
    assert_eq!(
        carol.expect_status("call").await["call"]["peers"][0]["phone"],
        "1004"
    );
    assert_eq!(carol.hear().await["type"], "replayed");
    carol.expect(pbx("certain")).await;
    alice.expect(pbx("certain")).await;
    bob.expect(pbx("certain")).await;
    stage.relay.until_ready().await;
    alice.say("r2", "still here").await;
    bob.expect_body("still here").await;
}

#[tokio::test]
async fn a_call_that_ended_out_of_sight_is_over_when_the_pbx_is_back() {
    let mut stage = Stage::in_call().await;
    let (mut alice, mut bob) = stage.pair().await;
    stage.pbx.disconnect();
    alice.expect(pbx("uncertain")).await;
    stage.pbx.hang_up("1002");
    // Another one of the same phones is another one.
    stage.pbx.call("1001", "1003");
    stage.pbx.reconnect();
    let told = [alice.hear().await, alice.hear().await, alice.hear().await];
    let of = |status: &str| {
        let frame = told.iter().find(|frame| frame["status"] == status);
        frame.unwrap_or_else(|| panic!("{told:?}"))["call"]["call"].clone()
    };
    assert_eq!(of("bye"), alice.call["call"]);
    assert_ne!(of("call"), alice.call["call"]);
    assert!(told.iter().any(|frame| frame["type"] == "replayed"), "{told:?}");
    alice.expect(pbx("certain")).await;
    bob.expect(pbx("uncertain")).await;
    bob.expect_status("bye").await;
    bob.expect(pbx("certain")).await;
}

#[tokio::test]
async fn a_relay_whose_pbx_is_not_there_yet_waits_for_it() {
    let mut stage = Stage::with(Setup::default()).await;
    stage.relay.kill();
    stage.pbx.disconnect();
    stage.relay = crate::relay::Relay::start(&stage.place).await;
    until(async || {
        let answer = stage.relay.ask("/readyz").await;
        assert_eq!(answer.status, 503);
        (answer.json()["pbxs"]["main"] != "not connected yet").then_some(())
    })
    .await;
    let mut alice = stage.linking("alice", json!({"wait": true})).await;
    alice.expect_linked().await;
    alice.expect(pbx("uncertain")).await;
    stage.pbx.call("1001", "1002");
    stage.pbx.reconnect();
    alice.expect_status("call").await;
}
