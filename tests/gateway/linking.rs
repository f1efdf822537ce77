//! Who is let in, as what, and for how long.

use serde_json::{Value, json};

use crate::place::{Setup, User, everybody, password_of};
use crate::relay::Relay;
use crate::stage::Stage;
use crate::terminal::{Terminal, credentials};

fn linked(phone: &str, terminal: &str, calls: &[Value]) -> Value {
    json!({"type": "linked", "phone": phone, "terminal": terminal, "session": "<text>",
        "resume_token": "<text>", "calls": calls})
}

fn call_with(phone: &str, is_linked: bool) -> Value {
    let peer = json!({"phone": phone, "name": format!("User {phone}"), "linked": is_linked});
    json!({"call": "<id>", "state": "talking", "epoch": "<id>", "peers": [peer], "started_at": "<time>"})
}

async fn refusal(terminal: &mut Terminal, frame: &Value) -> Value {
    terminal.send(frame).await;
    terminal.hear().await
}

#[tokio::test]
async fn a_terminal_links_by_id_and_is_told_of_its_call() {
    let stage = Stage::in_call().await;
    let mut desk = stage.linking("alice", json!({"terminal": "desk"})).await;
    let told = desk
        .expect(linked("1001", "desk", &[call_with("1002", false)]))
        .await;
    let call = &told["calls"][0];
    desk.expect(
        json!({"type": "replayed", "call": call["call"], "epoch": call["epoch"], "seq": 0,
        "reset": false}),
    )
    .await;
    // One that gives itself no name is given one.
    let mut nameless = stage.linking("bob", json!({})).await;
    nameless
        .expect(linked("1002", "<text>", &[call_with("1001", true)]))
        .await;
}

#[tokio::test]
async fn a_terminal_links_by_phone_with_credentials_that_cover_it() {
    let mut stage = Stage::new().await;
    stage.pbx.call("1005", "1002");
    stage.until_talking(&["1002", "1005"]).await;
    let mut desk = stage
        .linking("dave", json!({"phone": "1005", "terminal": "desk"}))
        .await;
    desk.expect(linked("1005", "desk", &[call_with("1002", false)]))
        .await;
}

#[tokio::test]
async fn a_user_of_several_phones_is_asked_which_one() {
    let stage = Stage::new().await;
    let mut desk = stage
        .linking("dave", json!({"terminal": "desk", "wait": true}))
        .await;
    let choice = json!({"type": "link_failed", "reason": "choose_phone", "phones": ["1004", "1005"]});
    desk.expect(choice).await;
    let mut frame = credentials("dave");
    frame["phone"] = json!("1004");
    frame["terminal"] = json!("desk");
    desk.send(&frame).await;
    desk.expect(json!({"type": "link_failed", "reason": "not_in_call"}))
        .await;
    frame["wait"] = json!(true);
    desk.send(&frame).await;
    desk.expect(linked("1004", "desk", &[])).await;
}

#[tokio::test]
async fn a_resume_token_links_again_also_at_a_restarted_relay() {
    let mut stage = Stage::in_call().await;
    let first = stage.linked("alice").await;
    let by_token = json!({"type": "link", "token": first.token, "wait": true});
    drop(first);
    for _ in 0..2 {
        let mut again = stage.terminal().await;
        again.send(&by_token).await;
        // It stands for the terminal, too.
        again
            .expect(linked("1001", "alice", &[call_with("1002", false)]))
            .await;
        stage.relay.kill();
        stage.restart().await;
    }
    let mut elsewhere = stage.terminal().await;
    elsewhere
        .send(&json!({"type": "link", "token": by_token["token"], "phone": "1002"}))
        .await;
    elsewhere
        .expect(json!({"type": "link_failed", "reason": "denied"}))
        .await;
}

#[tokio::test]
async fn every_refusal_of_credentials_looks_the_same() {
    let stage = Stage::in_call().await;
    let frames = [
        json!({"type": "link", "id": "nobody", "password": password_of("alice")}),
        json!({"type": "link", "id": "alice", "password": "wrong"}),
        json!({"type": "link", "id": "alice", "password": password_of("alice"), "phone": "1002"}),
        json!({"type": "link", "id": "alice", "password": password_of("alice"), "phone": "9999"}),
        json!({"type": "link", "id": "dave", "password": "wrong"}),
        credentials("eve"),
        json!({"type": "link", "token": "bm90IGEgdG9rZW4"}),
        json!({"type": "link", "id": "alice"}),
        json!({"type": "link", "phone": "1001"}),
        json!({"type": "link", "id": "alice", "password": "x".repeat(5_000)}),
    ];
    for frame in frames {
        let answer = refusal(&mut stage.terminal().await, &frame).await;
        assert_eq!(
            answer,
            json!({"type": "link_failed", "reason": "denied"}),
            "{frame}"
        );
    }
}

#[tokio::test]
async fn the_third_denial_closes_the_session() {
    let stage = Stage::in_call().await;
    let mut guesser = stage.terminal().await;
    for guess in ["one", "two", "three"] {
        let frame = json!({"type": "link", "id": "alice", "password": guess});
        let answer = refusal(&mut guesser, &frame).await;
        assert_eq!(answer, json!({"type": "link_failed", "reason": "denied"}));
    }
    assert_eq!(guesser.close_code().await, 4401);
    // Two leave the door open.
    let mut clumsy = stage.terminal().await;
    for guess in ["one", "two"] {
        refusal(
            &mut clumsy,
            &json!({"type": "link", "id": "alice", "password": guess}),
        )
        .await;
    }
    assert_eq!(
        refusal(&mut clumsy, &credentials("alice")).await["type"],
        "linked"
    );
}

#[tokio::test]
async fn a_session_ends_with_its_credentials() {
    let stage = Stage::in_call().await;
    let carol = User {
        password: "another".to_owned(),
        ..User::new("carol", &["1003"])
    };
    let without = |id: &str| {
        everybody()
            .into_iter()
            .filter(|user| user.id != id)
            .collect::<Vec<_>>()
    };
    let disabled = User {
        disabled: true,
        ..User::new("alice", &["1001"])
    };
    let endings = [
        ("bob", without("bob")),
        ("alice", [without("alice"), vec![disabled]].concat()),
        ("carol", [without("carol"), vec![carol]].concat()),
        (
            "carol",
            [without("carol"), vec![User::new("carol", &["1009"])]].concat(),
        ),
    ];
    for (user, users) in endings {
        let mut standing = stage.linking(user, json!({"terminal": user, "wait": true})).await;
        let token = standing.hear().await["resume_token"].clone();
        let mut other = stage
            .linking("dave", json!({"phone": "1004", "wait": true}))
            .await;
        other.expect_linked().await;
        stage.place.write_users(&users);
        let heard = standing.drain().await;
        let code = heard.iter().find_map(|message| match message {
            Ok(tokio_tungstenite::tungstenite::Message::Close(frame)) => {
                Some(u16::from(frame.as_ref()?.code))
            }
            _ => None,
        });
        assert_eq!(code, Some(4401), "{user}: {heard:?}");
        let mut back = stage.terminal().await;
        back.send(&json!({"type": "link", "token": token})).await;
        back.expect(json!({"type": "link_failed", "reason": "denied"}))
            .await;
        other.expect_nothing_more().await;
        stage.place.write_users(&everybody());
        let mut stage_ready = stage.terminal().await;
        wait_until_let_in(&stage, &mut stage_ready, user).await;
    }
}

async fn wait_until_let_in(stage: &Stage, terminal: &mut Terminal, user: &str) {
    let let_in = crate::until(async || {
        let mut frame = credentials(user);
        frame["wait"] = json!(true);
        frame["terminal"] = json!("probe");
        let answer = refusal(terminal, &frame).await;
        if answer["type"] == "linked" {
            return Some(());
        }
        *terminal = stage.terminal().await;
        None
    });
    let_in.await;
}

#[tokio::test]
async fn a_user_who_was_added_is_let_in_without_a_restart() {
    let stage = Stage::new().await;
    let frank = User::new("frank", &["1007"]);
    let mut early = stage.terminal().await;
    let answer = refusal(&mut early, &credentials("frank")).await;
    assert_eq!(answer["reason"], "denied");
    stage.place.write_users(&[everybody(), vec![frank]].concat());
    wait_until_let_in(&stage, &mut early, "frank").await;
}

#[tokio::test]
async fn more_links_than_a_phone_may_have_are_refused_and_a_freed_place_is_taken() {
    let stage = Stage::with(Setup::sections("[limits]\nlinks_per_phone_max = 2")).await;
    let mut first = stage
        .linking("alice", json!({"terminal": "a", "wait": true}))
        .await;
    first.hear().await;
    let mut second = stage
        .linking("alice", json!({"terminal": "b", "wait": true}))
        .await;
    second.hear().await;
    let mut third = stage
        .linking("alice", json!({"terminal": "c", "wait": true}))
        .await;
    third
        .expect(json!({"type": "link_failed", "reason": "unavailable"}))
        .await;
    // The name of one that is there takes its place, and needs no other.
    let mut again = stage
        .linking("alice", json!({"terminal": "a", "wait": true}))
        .await;
    again.expect_linked().await;
    assert_eq!(first.close_code().await, 4409);
    second.send(&json!({"type": "unlink"})).await;
    assert_eq!(second.close_code().await, 1000);
    crate::until(async || (links(&stage.relay).await == 1).then_some(())).await;
    let mut frame = credentials("alice");
    frame["wait"] = json!(true);
    third.send(&frame).await;
    third.expect_linked().await;
}

async fn links(relay: &Relay) -> usize {
    relay.ask("/v1/links").await.json()["links"]
        .as_array()
        .unwrap()
        .len()
}
