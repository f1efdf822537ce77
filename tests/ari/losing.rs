//! The ways a connection ends, and what comes after.

use std::time::Duration;

use callrelay::asterisk::Tuning;
use callrelay::pbx::PbxNews;
use serde_json::json;

use crate::fake::FakeAri;
use crate::support::{CALM, channel, held, hold, settings, start, within};

#[tokio::test]
async fn socket_cut_without_a_close_frame_is_a_loss_after_what_was_read() {
    let mut fake = FakeAri::start().await;
    let mut running = start(settings(&fake), CALM, 16);
    running.known().await;
    let socket = fake.socket().await;
    socket.event(&hold("1.1")).await;
    socket.event(&hold("1.2")).await;
    within(socket.settle()).await;
    socket.cut();
    assert_eq!(held(&running.event().await), "1.1");
    assert_eq!(held(&running.event().await), "1.2");
    running.lost().await;
    running.known().await;
    assert_eq!(
        (running.counters.connections(), running.counters.losses()),
        (2, 1)
    );
}

#[tokio::test]
async fn close_frame_is_a_loss() {
    let mut fake = FakeAri::start().await;
    let mut running = start(settings(&fake), CALM, 16);
    running.known().await;
    fake.socket().await.close().await;
    assert_eq!(running.lost().await, "Asterisk closed the connection");
    running.known().await;
}

#[tokio::test]
async fn restarted_asterisk_is_known_anew() {
    let mut fake = FakeAri::start().await;
    fake.answer("GET /channels", 200, &json!([channel("1.1", "1001")]));
    let mut running = start(settings(&fake), CALM, 16);
    assert_eq!(running.known().await.0.channels[0].id.as_str(), "1.1");
    fake.answer("GET /channels", 200, &json!([channel("2.1", "1002")]));
    fake.socket().await.close().await;
    running.lost().await;
    let (snapshot, _) = running.known().await;
    assert_eq!(snapshot.channels.len(), 1);
    assert_eq!(snapshot.channels[0].id.as_str(), "2.1");
}

#[tokio::test]
async fn half_open_connection_is_noticed() {
    let mut fake = FakeAri::start().await;
    let tuning = Tuning {
        ping_every: Duration::from_millis(20),
        silence_max: Duration::from_millis(200),
        ..CALM
    };
    let mut running = start(settings(&fake), tuning, 16);
    running.known().await;
    let socket = fake.socket().await;
    within(socket.until_pinged(1)).await;
    socket.play_dead().await;
    assert_eq!(running.lost().await, "nothing was heard for 200ms");
    running.known().await;
}

#[tokio::test]
async fn socket_lost_during_the_comparison_makes_a_failed_attempt() {
    let mut fake = FakeAri::start().await;
    fake.hold("GET /endpoints");
    let mut running = start(settings(&fake), CALM, 16);
    let socket = fake.socket().await;
    fake.until_asked("GET /endpoints", 1).await;
    socket.close().await;
    within(socket.until_ended()).await;
    fake.release("GET /endpoints");
    assert_eq!(running.lost().await, "Asterisk closed the connection");
    assert_eq!(running.counters.connections(), 0);
    running.known().await;
}

#[tokio::test]
async fn replaced_listener_leaves_it_to_the_other_while_that_is_there() {
    let mut fake = FakeAri::start().await;
    let mut running = start(settings(&fake), CALM, 16);
    running.known().await;
    let socket = fake.socket().await;
    let asked = fake.times_asked("GET /applications");
    socket
        .event(&json!({"type": "ApplicationReplaced", "application": "callrelay"}))
        .await;
    let reason = running.lost().await;
    assert!(
        reason.contains("another listener") && reason.contains("`callrelay`"),
        "{reason}"
    );
    within(fake.until_asked("GET /applications", asked + 5)).await;
    assert!(fake.no_socket(), "fought for the application");
    fake.answer(
        "GET /applications",
        404,
        &json!({"message": "Application not found"}),
    );
    running.known().await;
}

#[tokio::test]
async fn replaced_listener_takes_the_application_back_in_the_end() {
    let mut fake = FakeAri::start().await;
    let tuning = Tuning {
        replaced_max: Duration::from_millis(100),
        ..CALM
    };
    let mut running = start(settings(&fake), tuning, 16);
    running.known().await;
    fake.socket()
        .await
        .event(&json!({"type": "ApplicationReplaced"}))
        .await;
    running.lost().await;
    running.known().await;
}

#[tokio::test]
async fn replacement_during_the_comparison_is_noticed() {
    let mut fake = FakeAri::start().await;
    fake.hold("GET /channels");
    let mut running = start(settings(&fake), CALM, 16);
    let socket = fake.socket().await;
    fake.until_asked("GET /channels", 1).await;
    socket.event(&json!({"type": "ApplicationReplaced"})).await;
    within(socket.settle()).await;
    fake.answer("GET /applications", 404, &json!({}));
    fake.release("GET /channels");
    assert!(running.lost().await.contains("another listener"));
    running.known().await;
}

#[tokio::test]
async fn too_many_waiting_messages_give_the_connection_up_and_are_counted() {
    let mut fake = FakeAri::start().await;
    let tuning = Tuning { queue_max: 8, ..CALM };
    // Nobody takes the second report, so that everything after it piles up.
    let mut running = start(settings(&fake), tuning, 1);
    let socket = fake.socket().await;
    running.known().await;
    for number in 0..100 {
        socket.event(&hold(&format!("1.{number}"))).await;
    }
    within(socket.until_ended()).await;
    let mut told = 0;
    let reason = loop {
        match running.news().await {
            PbxNews::Event(event) => {
                assert_eq!(held(&event), format!("1.{told}"), "an event is missing");
                told += 1;
            }
            PbxNews::Lost { reason, .. } => break reason,
            other @ (PbxNews::AtOnce(_)
            | PbxNews::Known { .. }
            | PbxNews::Compared { .. }
            | PbxNews::Endpoints(_)) => {
                panic!("known before it was lost: {other:?}")
            }
        }
    };
    assert_eq!(
        reason,
        "more than 8 messages, or 67108864 bytes, were waiting to be translated"
    );
    assert!((8..100).contains(&told), "{told}");
    running.known().await;
    assert_eq!(running.counters.overflows(), 1);
}

#[tokio::test]
async fn message_past_the_limit_gives_the_connection_up() {
    let mut fake = FakeAri::start().await;
    let mut running = start(settings(&fake), CALM, 16);
    running.known().await;
    let socket = fake.socket().await;
    let long = "x".repeat(2 * 1024 * 1024);
    socket
        .event(&json!({"type": "ChannelVarset", "value": long}))
        .await;
    let reason = running.lost().await;
    assert!(reason.contains("too long"), "{reason}");
    running.known().await;
}
