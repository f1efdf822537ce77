//! The ways a connection ends, and what comes after.

use std::time::Duration;

use callrelay::asterisk::Tuning;
use callrelay::pbx::PbxNews;
use callrelay::tracker::event::PbxEvent;

use crate::connector::{CALM, within};
use crate::fake::FakeAmi;

#[tokio::test]
async fn a_connection_that_is_cut_is_a_loss_after_what_was_read_and_made_anew() {
    let mut fake = FakeAmi::start().await;
    let mut running = fake.heard(CALM);
    running.known().await;
    let asterisk = fake.connection().await;
    asterisk.says("Event: Hangup\nUniqueid: 1.1").await;
    asterisk.cuts().await;
    assert!(matches!(running.event().await, PbxEvent::ChannelGone(_)));
    assert_eq!(running.lost().await, "Asterisk closed the connection");
    running.known().await;
    assert_eq!(
        (running.counters.connections(), running.counters.losses()),
        (2, 1)
    );
}

#[tokio::test]
async fn a_half_open_connection_is_noticed_because_pings_are_not_answered() {
    let mut fake = FakeAmi::start().await;
    let tuning = Tuning {
        ping_every: Duration::from_millis(20),
        silence_max: Duration::from_millis(300),
        ..CALM
    };
    let mut running = fake.heard(tuning);
    running.known().await;
    fake.actions_until("Ping").await;
    fake.connection().await.plays_dead().await;
    assert_eq!(running.lost().await, "nothing was heard for 300ms");
    running.known().await;
}

#[tokio::test]
async fn a_manager_that_answers_no_questions_is_given_up() {
    let mut fake = FakeAmi::start().await;
    let tuning = Tuning {
        request_max: Duration::from_millis(50),
        compare_every: Duration::from_millis(5),
        compare_failures_max: 2,
        ..CALM
    };
    let mut running = fake.heard(tuning);
    running.known().await;
    fake.ignores("CoreShowChannels");
    let PbxNews::Lost { reason, .. } = running.news_but_comparisons().await else {
        panic!("not lost");
    };
    assert_eq!(
        reason,
        "2 questions in a row were not answered, the last one: CoreShowChannels: no answer within 50ms"
    );
    fake.connection().await;
}

#[tokio::test]
async fn what_is_no_ami_ends_the_connection_and_nothing_grows() {
    let mut fake = FakeAmi::start().await;
    let mut running = fake.heard(CALM);
    running.known().await;
    let endless = vec![b'x'; 40_000];
    let many = "a: b\r\n".repeat(2_000).into_bytes();
    for (bytes, reason) in [
        (
            endless,
            "what the manager sends cannot be read: a line is longer than 32768 bytes",
        ),
        (
            many,
            "what the manager sends cannot be read: a message has more than 1024 values",
        ),
    ] {
        fake.connection().await.sends(&bytes).await;
        assert_eq!(running.lost().await, reason);
        running.known().await;
    }
}

#[tokio::test]
async fn more_than_can_wait_ends_the_connection() {
    let mut fake = FakeAmi::start().await;
    let mut running = fake.heard(Tuning { queue_max: 8, ..CALM });
    running.known().await;
    let asterisk = fake.connection().await;
    // The reports are not taken: 16 of them wait, one is held, and 8 events.
    for id in 0..200 {
        asterisk.says(&format!("Event: Hangup\nUniqueid: {id}")).await;
    }
    let mut events = 0;
    let reason = loop {
        let news = running.news().await;
        if let PbxNews::Lost { reason, .. } = news {
            break reason;
        }
        assert!(matches!(news, PbxNews::Event(_)), "{news:?}");
        events += 1;
    };
    assert_eq!(
        reason,
        "more than 8 messages, or 67108864 bytes, were waiting to be translated"
    );
    assert!((8..200).contains(&events), "{events}");
    assert_eq!(running.counters.overflows(), 1);
}

#[tokio::test]
async fn nobody_who_takes_reports_is_the_end() {
    let fake = FakeAmi::start().await;
    let mut running = fake.heard(CALM);
    running.known().await;
    drop(running.reports);
    within(running.task).await.unwrap();
}

#[tokio::test]
async fn whoever_misses_events_has_it_connect_anew() {
    let fake = FakeAmi::start().await;
    let mut running = fake.heard(CALM);
    running.known().await;
    running.renewal.ask();
    assert_eq!(
        running.lost().await,
        "Asterisk keeps leaving out events; it may have forgotten the subscription of ARI, or the account of AMI has no \
         `read = call`"
    );
    running.known().await;
    assert_eq!(running.counters.renewals(), 1);
}
