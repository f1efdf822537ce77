//! What is heard while the connection holds.

use std::time::Duration;

use callrelay::asterisk::Tuning;
use callrelay::pbx::PbxNews;
use callrelay::tracker::event::PbxEvent;

use crate::connector::CALM;
use crate::fake::FakeAmi;

/// An event about a channel, as its lines.
fn about(event: &str, id: &str) -> String {
    format!("Event: {event}\nChannel: PJSIP/1001-{id}\nChannelStateDesc: Up\nUniqueid: {id}")
}

#[tokio::test]
async fn events_come_in_order_and_those_that_do_not_matter_not_at_all() {
    let mut fake = FakeAmi::start().await;
    let mut running = fake.heard(CALM);
    running.known().await;
    let asterisk = fake.connection().await;
    asterisk.says(&about("Hold", "1.1")).await;
    asterisk.says("Event: VarSet\nVariable: x\nValue: y").await;
    asterisk.says("Response: Success\nPing: Pong").await;
    asterisk.says("Event: Hold\nChannel: without an id").await;
    asterisk
        .says("a line break in a caller's name\nEvent: Hangup\nUniqueid: 1.1")
        .await;
    let PbxEvent::Hold(channel) = running.event().await else {
        panic!("no hold")
    };
    assert_eq!(channel.id.as_str(), "1.1");
    assert!(matches!(running.event().await, PbxEvent::ChannelGone(id) if id.as_str() == "1.1"));
    assert_eq!(
        (running.counters.events(), running.counters.untranslatable()),
        (2, 1)
    );
}

#[tokio::test]
async fn what_asterisk_knows_is_compared_again_and_again() {
    let fake = FakeAmi::start().await;
    let tuning = Tuning {
        compare_every: Duration::from_millis(5),
        ..CALM
    };
    let mut running = fake.heard(tuning);
    running.known().await;
    fake.lists(
        "CoreShowChannels",
        &["Channel: PJSIP/1001-1\nUniqueid: 1.1\nChannelStateDesc: Ringing"],
    );
    loop {
        let (asked_at, answered_at, snapshot) = running.compared().await;
        assert!(asked_at <= answered_at);
        assert_eq!(snapshot.endpoints, Vec::<String>::new());
        if let [channel] = snapshot.channels.as_slice() {
            assert_eq!(channel.id.as_str(), "1.1");
            break;
        }
    }
}

#[tokio::test]
async fn what_was_said_before_an_answer_is_told_before_it() {
    let mut fake = FakeAmi::start().await;
    let tuning = Tuning {
        compare_every: Duration::from_millis(5),
        ..CALM
    };
    fake.lists("CoreShowChannels", &[]);
    let mut running = fake.heard(tuning);
    running.known().await;
    let events: String = (0..10)
        .map(|id| about("Hold", &id.to_string()).replace('\n', "\r\n") + "\r\n\r\n")
        .collect();
    fake.says_before("BridgeList", &events);
    fake.connection().await;
    // Ten events of the same question come before its answer.
    loop {
        let news = running.news().await;
        if let callrelay::pbx::PbxNews::Event(PbxEvent::Hold(first)) = news {
            assert_eq!(first.id.as_str(), "0");
            break;
        }
    }
    for id in 1..10 {
        let PbxEvent::Hold(channel) = running.event().await else {
            panic!("no hold")
        };
        assert_eq!(channel.id.as_str(), id.to_string());
    }
    running.compared().await;
}

#[tokio::test]
async fn whoever_has_no_endpoints_is_asked_for_them_again() {
    let fake = FakeAmi::start().await;
    let eager = Tuning {
        compare_every: Duration::from_millis(5),
        ..CALM
    };
    let mut running = fake.heard(eager);
    let (snapshot, _) = running.known().await;
    assert_eq!(snapshot.endpoints, Vec::<String>::new());
    fake.lists("DeviceStateList", &["Device: PJSIP/1001\nState: UNAVAILABLE"]);
    assert_eq!(
        running.news_but_comparisons().await,
        PbxNews::Endpoints(vec!["1001".to_owned()])
    );
}
