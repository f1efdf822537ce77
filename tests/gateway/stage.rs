//! A PBX, a relay beside it, and terminals.

use serde_json::{Value, json};

use crate::pbx::FakePbx;
use crate::place::{Place, Setup};
use crate::relay::Relay;
use crate::terminal::{Terminal, credentials};
use crate::until;

/// Everything a scene needs.
pub(crate) struct Stage {
    pub(crate) pbx: FakePbx,
    pub(crate) place: Place,
    pub(crate) relay: Relay,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        let pbx = FakePbx::start().await;
        let place = Place::new(&pbx.url(), setup);
        let relay = Relay::start(&place).await;
        relay.until_ready().await;
        Self { pbx, place, relay }
    }

    /// A stage on which 1001 and 1002 talk.
    pub(crate) async fn in_call() -> Self {
        Self::in_call_with(Setup::default()).await
    }

    pub(crate) async fn in_call_with(setup: Setup) -> Self {
        let mut stage = Self::with(setup).await;
        stage.pbx.call("1001", "1002");
        stage.until_talking(&["1001", "1002"]).await;
        stage
    }

    /// Starts another relay where the last one was. Ready when this returns.
    pub(crate) async fn restart(&mut self) {
        self.relay = Relay::start(&self.place).await;
        self.relay.until_ready().await;
    }

    /// Waits until the relay knows of a call of these phones.
    pub(crate) async fn until_talking(&self, phones: &[&str]) {
        until(async || {
            let calls = self.calls().await;
            let talking = calls.iter().any(|call| parties(call) == phones);
            talking.then_some(())
        })
        .await;
    }

    /// Waits until the relay has no call left, not even an ended one.
    pub(crate) async fn until_no_call(&self) {
        until(async || self.calls().await.is_empty().then_some(())).await;
    }

    /// What `/v1/calls` lists.
    pub(crate) async fn calls(&self) -> Vec<Value> {
        let answer = self.relay.ask("/v1/calls").await.json();
        answer["calls"].as_array().unwrap().clone()
    }

    /// A terminal that is connected and says nothing yet.
    pub(crate) async fn terminal(&self) -> Terminal {
        Terminal::connect(self.relay.listen).await
    }

    /// A terminal of a user that links as the frame says, besides its credentials. `linked` is its
    /// next frame.
    pub(crate) async fn linking(&self, user: &str, more: Value) -> Terminal {
        let mut terminal = self.terminal().await;
        let mut frame = credentials(user);
        for (key, value) in more.as_object().unwrap() {
            frame[key] = value.clone();
        }
        terminal.send(&frame).await;
        terminal
    }

    /// A terminal of a user whose phone is in a call without a past, linked and up to date.
    pub(crate) async fn linked(&self, user: &str) -> Terminal {
        let mut terminal = self.linking(user, json!({"terminal": user})).await;
        terminal.expect_linked().await;
        terminal
            .expect(
                json!({"type": "replayed", "call": terminal.call["call"], "epoch": terminal.call["epoch"],
                "seq": 0, "reset": false}),
            )
            .await;
        terminal
    }

    /// Terminals of alice and bob, who talk, both up to date.
    pub(crate) async fn pair(&self) -> (Terminal, Terminal) {
        let mut alice = self.linked("alice").await;
        let bob = self.linked("bob").await;
        let told = alice.expect_status("parties").await;
        alice.call = told["call"].clone();
        (alice, bob)
    }

    /// A terminal that waits for calls of its phone.
    pub(crate) async fn waiting(&self, user: &str) -> Terminal {
        let mut terminal = self.linking(user, json!({"terminal": user, "wait": true})).await;
        let linked = terminal.expect_linked().await;
        assert_eq!(linked["calls"], json!([]), "{linked}");
        terminal
    }
}

/// The phones of a call that stands, sorted; none of one that is over.
fn parties(call: &Value) -> Vec<&str> {
    if call.get("ended_at").is_some() {
        return Vec::new();
    }
    let parties = call["parties"].as_array().unwrap().iter();
    parties.map(|party| party["phone"].as_str().unwrap()).collect()
}
