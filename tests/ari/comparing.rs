//! The running comparison: what Asterisk knows is asked for again and again, beside the events.

use std::time::Duration;

use callrelay::asterisk::Tuning;
use callrelay::model::{BridgeId, ChannelId};
use callrelay::pbx::PbxNews;
use serde_json::json;

use crate::fake::FakeAri;
use crate::support::{CALM, channel, held, hold, settings, start, within};

const SOON: Duration = Duration::from_millis(10);

/// Compares all the time.
const EAGER: Tuning = Tuning {
    compare_every: SOON,
    ..CALM
};

#[tokio::test]
async fn channels_and_bridges_are_asked_for_again_and_again() {
    let fake = FakeAri::start().await;
    let phone = json!([{"technology": "PJSIP", "resource": "1001", "channel_ids": []}]);
    fake.answer("GET /endpoints", 200, &phone);
    let mut running = start(settings(&fake), EAGER, 16);
    running.known().await;
    fake.answer("GET /channels", 200, &json!([channel("1.1", "1001")]));
    fake.answer(
        "GET /bridges",
        200,
        &json!([{"id": "b1", "bridge_type": "mixing", "channels": ["1.1"]}]),
    );
    let mut last = None;
    let snapshot = loop {
        let (asked_at, at, snapshot) = running.compared().await;
        assert!(asked_at <= at && last.is_none_or(|last| last + SOON <= asked_at));
        last = Some(asked_at);
        if !snapshot.bridges.is_empty() {
            break snapshot;
        }
    };
    assert_eq!(snapshot.channels[0].id, ChannelId::new("1.1"));
    let (bridge, members) = &snapshot.bridges[0];
    assert_eq!(
        (&bridge.id, members),
        (&BridgeId::new("b1"), &vec![ChannelId::new("1.1")])
    );
    assert_eq!(fake.times_asked("GET /endpoints"), 1);
    assert!(running.counters.comparisons() > 0);
}

#[tokio::test]
async fn events_do_not_wait_for_a_slow_answer_and_come_before_it() {
    let mut fake = FakeAri::start().await;
    let mut running = start(settings(&fake), EAGER, 16);
    fake.until_asked("GET /channels", 1).await;
    let socket = fake.socket().await;
    running.known().await;
    fake.hold("GET /bridges");
    fake.until_asked("GET /bridges", fake.times_asked("GET /bridges") + 1)
        .await;
    socket.event(&hold("1.1")).await;
    let PbxNews::Event(event) = running.news_but_comparisons().await else {
        panic!("no event");
    };
    assert_eq!(held(&event), "1.1");
    socket.event(&hold("1.2")).await;
    within(socket.settle()).await;
    fake.release("GET /bridges");
    assert_eq!(held(&running.event().await), "1.2");
    running.compared().await;
}

#[tokio::test]
async fn there_are_never_two_questions_at_once() {
    let mut fake = FakeAri::start().await;
    let tuning = Tuning {
        ping_every: SOON * 2,
        ..EAGER
    };
    let mut running = start(settings(&fake), tuning, 16);
    let socket = fake.socket().await;
    running.known().await;
    fake.hold("GET /channels");
    fake.until_asked("GET /channels", fake.times_asked("GET /channels") + 1)
        .await;
    let asked = fake.asked().len();
    within(socket.until_pinged(20)).await;
    assert_eq!(fake.asked().len(), asked);
    fake.release("GET /channels");
    within(fake.until_asked("GET /bridges", 3)).await;
}

#[tokio::test]
async fn a_slow_asterisk_is_asked_less_often() {
    let mut fake = FakeAri::start().await;
    let tuning = Tuning {
        ping_every: SOON,
        compare_rest_per_work: 1_000,
        ..EAGER
    };
    fake.hold("GET /bridges");
    let mut running = start(settings(&fake), tuning, 16);
    let socket = fake.socket().await;
    within(socket.until_pinged(3)).await;
    fake.release("GET /bridges");
    running.known().await;
    // Even the quickest answer takes some microseconds; these take some milliseconds.
    fake.hold("GET /bridges");
    fake.until_asked("GET /bridges", 2).await;
    within(socket.until_pinged(10)).await;
    fake.release("GET /bridges");
    running.compared().await;
    let asked = fake.asked().len();
    within(socket.until_pinged(30)).await;
    assert_eq!(fake.asked().len(), asked);
}

#[tokio::test]
async fn a_question_may_go_astray() {
    let fake = FakeAri::start().await;
    let tuning = Tuning {
        compare_every: SOON * 5,
        compare_failures_max: 10,
        ..CALM
    };
    let mut running = start(settings(&fake), tuning, 16);
    running.known().await;
    let mut failed = 0;
    for _ in 0..12 {
        fake.answer("GET /channels", 500, &json!({"message": "Internal Server Error"}));
        within(async {
            while running.counters.comparisons_failed() == failed {
                tokio::time::sleep(Duration::from_micros(100)).await;
            }
        })
        .await;
        fake.answer_as_usual("GET /channels");
        let compared = running.counters.comparisons();
        while running.counters.comparisons() == compared {
            running.compared().await;
        }
        failed = running.counters.comparisons_failed();
    }
    assert_eq!(running.counters.losses(), 0);
}

#[tokio::test]
async fn a_connection_on_which_no_question_is_answered_is_lost() {
    let mut fake = FakeAri::start().await;
    let tuning = Tuning {
        request_max: Duration::from_millis(200),
        ..EAGER
    };
    let mut running = start(settings(&fake), tuning, 16);
    let socket = fake.socket().await;
    running.known().await;
    fake.hold("GET /channels");
    let PbxNews::Lost { reason, .. } = running.news_but_comparisons().await else {
        panic!("not lost");
    };
    assert_eq!(
        reason,
        "3 questions in a row were not answered, the last one: GET /channels: no answer within 200ms"
    );
    assert_eq!(running.counters.comparisons_failed(), 3);
    assert!(within(socket.until_ended()).await, "left without a farewell");
    fake.release("GET /channels");
    running.known().await;
}

#[tokio::test]
async fn a_connection_is_made_anew_on_request_and_not_too_often() {
    let mut fake = FakeAri::start().await;
    let mut running = start(settings(&fake), CALM, 16);
    running.known().await;
    let socket = fake.socket().await;
    running.renewal.ask();
    assert_eq!(
        running.lost().await,
        "Asterisk keeps leaving out events; it may have forgotten the subscription of ARI, or the account of AMI has no \
         `read = call`"
    );
    assert!(within(socket.until_ended()).await, "left without a farewell");
    running.known().await;
    assert_eq!(fake.times_asked("POST /applications"), 2);

    let socket = fake.socket().await;
    running.renewal.ask();
    socket.event(&hold("1.1")).await;
    assert_eq!(held(&running.event().await), "1.1");
    assert_eq!((running.counters.renewals(), running.counters.losses()), (1, 1));
}

#[tokio::test]
async fn whoever_has_no_endpoints_is_asked_for_them_again() {
    let fake = FakeAri::start().await;
    let mut running = start(settings(&fake), EAGER, 16);
    let (snapshot, _) = running.known().await;
    assert_eq!(snapshot.endpoints, Vec::<String>::new());
    let phone = json!([{"technology": "PJSIP", "resource": "1001", "channel_ids": []}]);
    fake.answer("GET /endpoints", 200, &phone);
    assert_eq!(
        running.news_but_comparisons().await,
        PbxNews::Endpoints(vec!["1001".to_owned()])
    );
}
