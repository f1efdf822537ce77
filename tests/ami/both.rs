//! One Asterisk over both interfaces: either may be lost without a word.

use std::time::Duration;

use callrelay::asterisk::{Both, Renewal, Tuning, ami, ari};
use callrelay::clock::Clock;
use callrelay::config;
use callrelay::model::PbxName;
use callrelay::pbx::{PbxNews, PbxReport};
use callrelay::tracker::event::PbxEvent;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::connector::{CALM, install_crypto, within};
use crate::fake::FakeAmi;
use crate::fake_ari::{FakeAri, PASSWORD, USERNAME};

/// Hears both, calmly.
fn hear(rest: &FakeAri, manager: &FakeAmi) -> mpsc::Receiver<PbxReport> {
    hear_tuned(rest, manager, CALM).0
}

/// Hears both.
fn hear_tuned(rest: &FakeAri, manager: &FakeAmi, tuning: Tuning) -> (mpsc::Receiver<PbxReport>, Renewal) {
    install_crypto();
    let (pbx, clock) = (PbxName::new("main"), Clock::start());
    let account = config::Ari {
        url: rest.url(),
        username: USERNAME.to_owned(),
        password: PASSWORD.into(),
        app: "callrelay".to_owned(),
    };
    let rest = ari::connector(pbx.clone(), account, clock).with_tuning(tuning);
    let manager = ami::connector(pbx, manager.settings(), clock).with_tuning(tuning);
    let (sender, reports) = mpsc::channel(64);
    let both = Both::new(rest, manager, clock);
    let renewal = both.renewal();
    tokio::spawn(both.run(sender));
    (reports, renewal)
}

async fn news(reports: &mut mpsc::Receiver<PbxReport>) -> PbxNews {
    within(reports.recv())
        .await
        .expect("nobody reports any more")
        .news
}

/// The channel of the next news, which has to be a hold.
async fn held(reports: &mut mpsc::Receiver<PbxReport>) -> String {
    held_in(news(reports).await)
}

/// The channel of the next news but comparisons, which has to be a hold.
async fn held_but_comparisons(reports: &mut mpsc::Receiver<PbxReport>) -> String {
    loop {
        let news = news(reports).await;
        if !matches!(news, PbxNews::Compared { .. }) {
            return held_in(news);
        }
    }
}

fn held_in(news: PbxNews) -> String {
    let PbxNews::Event(PbxEvent::Hold(channel)) = news else {
        panic!("no hold: {news:?}");
    };
    channel.id.as_str().to_owned()
}

/// The same hold, as each of them says it.
fn hold_of_ari(id: &str) -> serde_json::Value {
    json!({"type": "ChannelHold", "channel": {"id": id, "name": format!("PJSIP/1001-{id}"), "state": "Up"}})
}

fn hold_of_manager(id: &str) -> String {
    format!("Event: Hold\nUniqueid: {id}\nChannel: PJSIP/1001-{id}\nChannelStateDesc: Up")
}

#[tokio::test]
async fn what_both_say_is_told_once_and_what_one_says_at_once() {
    let (mut rest, mut manager) = (FakeAri::start().await, FakeAmi::start().await);
    let mut reports = hear(&rest, &manager);
    assert!(matches!(news(&mut reports).await, PbxNews::Known { .. }));
    let (ari, ami) = (rest.socket().await, manager.connection().await);
    manager.actions_until("DeviceStateList").await;
    for id in ["1.1", "1.2", "1.3"] {
        ari.event(&hold_of_ari(id)).await;
        ami.says(&hold_of_manager(id)).await;
    }
    for id in ["1.1", "1.2", "1.3"] {
        assert_eq!(held(&mut reports).await, id);
    }
    // The same channel holds again: that is news, and the first to say it is enough.
    ami.says(&hold_of_manager("1.1")).await;
    assert_eq!(held(&mut reports).await, "1.1");
    ari.event(&hold_of_ari("1.1")).await;
    ari.event(&hold_of_ari("1.4")).await;
    assert_eq!(held(&mut reports).await, "1.4");
}

#[tokio::test]
async fn only_when_both_are_lost_is_the_pbx_out_of_sight() {
    let (mut rest, mut manager) = (FakeAri::start().await, FakeAmi::start().await);
    let mut reports = hear(&rest, &manager);
    assert!(matches!(news(&mut reports).await, PbxNews::Known { .. }));
    let (ari, ami) = (rest.socket().await, manager.connection().await);
    manager.actions_until("DeviceStateList").await;
    // One is lost and comes back, and nobody hears of it; the other one goes on.
    ari.cut();
    let again = rest.socket().await;
    ami.says(&hold_of_manager("1.1")).await;
    assert_eq!(held(&mut reports).await, "1.1");
    // And so the other way round, until there is nobody to come back to.
    rest.change_password("another");
    manager.greets("gone\r\n");
    ami.cuts().await;
    again.cut();
    assert!(matches!(news(&mut reports).await, PbxNews::Lost { .. }));
    rest.change_password(PASSWORD);
    loop {
        // Why it cannot connect is told when the reason changes.
        match news(&mut reports).await {
            PbxNews::Known { .. } => break,
            PbxNews::Lost { .. } | PbxNews::Endpoints(_) => {}
            other @ (PbxNews::Event(_) | PbxNews::AtOnce(_) | PbxNews::Compared { .. }) => {
                panic!("{other:?}")
            }
        }
    }
}

#[tokio::test]
async fn asked_to_connect_anew_they_do_so_one_after_the_other() {
    let (mut rest, mut manager) = (FakeAri::start().await, FakeAmi::start().await);
    let (mut reports, renewal) = hear_tuned(&rest, &manager, CALM);
    assert!(matches!(news(&mut reports).await, PbxNews::Known { .. }));
    let (ari, ami) = (rest.socket().await, manager.connection().await);
    ari.event(&hold_of_ari("0.1")).await;
    assert_eq!(held(&mut reports).await, "0.1");
    ami.says(&hold_of_manager("0.2")).await;
    assert_eq!(held(&mut reports).await, "0.2");
    rest.hold("GET /channels");
    renewal.ask();
    let again = rest.socket().await;
    rest.until_asked("GET /channels", 2).await;
    assert!(manager.no_connection());
    rest.release("GET /channels");
    let _ami = manager.connection().await;
    // Nobody was told of it.
    again.event(&hold_of_ari("1.1")).await;
    assert_eq!(held(&mut reports).await, "1.1");
}

#[tokio::test]
async fn if_one_was_dead_before_the_other_came_back_what_is_known_is_not_trusted() {
    let (mut rest, mut manager) = (FakeAri::start().await, FakeAmi::start().await);
    let impatient = Tuning {
        ping_every: Duration::from_millis(100),
        silence_max: Duration::from_secs(2),
        ..CALM
    };
    let (mut reports, _) = hear_tuned(&rest, &manager, impatient);
    assert!(matches!(news(&mut reports).await, PbxNews::Known { .. }));
    let (ari, ami) = (rest.socket().await, manager.connection().await);
    manager.actions_until("Ping").await;
    ami.plays_dead().await;
    ari.cut();
    let _ari = rest.socket().await;
    assert_eq!(
        told_lost(news(&mut reports).await),
        "for a while the PBX was heard over neither of its interfaces"
    );
    assert!(matches!(news(&mut reports).await, PbxNews::Known { .. }));
}

fn told_lost(news: PbxNews) -> String {
    let PbxNews::Lost { reason, .. } = news else {
        panic!("not lost: {news:?}");
    };
    reason
}

#[tokio::test]
async fn one_that_leaves_out_everything_connects_anew_and_nobody_hears_of_it() {
    let (mut rest, mut manager) = (FakeAri::start().await, FakeAmi::start().await);
    let eager = Tuning {
        compare_every: Duration::from_millis(50),
        ..CALM
    };
    let (mut reports, _) = hear_tuned(&rest, &manager, eager);
    assert!(matches!(news(&mut reports).await, PbxNews::Known { .. }));
    let (ari, _ami) = (rest.socket().await, manager.connection().await);
    manager.actions_until("DeviceStateList").await;
    // It is said until it is missed, since nothing counts that happened just after the two connected.
    let missed = async {
        for number in 1.. {
            let id = format!("1.{number}");
            ari.event(&hold_of_ari(&id)).await;
            assert_eq!(held_but_comparisons(&mut reports).await, id);
            if let Ok(again) = timeout(Duration::from_millis(100), manager.connection()).await {
                return again;
            }
        }
        unreachable!("there are numbers enough")
    };
    let again = within(missed).await;
    again.says(&hold_of_manager("2.1")).await;
    assert_eq!(held_but_comparisons(&mut reports).await, "2.1");
}
