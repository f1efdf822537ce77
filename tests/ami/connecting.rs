//! How a connection comes about, and why it may not.

use std::sync::Arc;

use callrelay::config;
use callrelay::model::{BridgeId, ChannelId};
use callrelay::pbx::PbxNews;
use callrelay::tracker::event::{BridgeInfo, ChannelState, PbxEvent};
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

use crate::connector::{CALM, within};
use crate::fake::{FakeAmi, hear};

/// A channel as its lines.
fn channel(id: &str, phone: &str) -> String {
    format!(
        "Channel: PJSIP/{phone}-{id}\nChannelStateDesc: Up\nCallerIDNum: {phone}\nCallerIDName: <unknown>\nUniqueid: {id}"
    )
}

#[tokio::test]
async fn everything_that_is_there_is_known_and_then_what_happened_meanwhile() {
    let fake = FakeAmi::start().await;
    let talking = |id, phone| format!("{}\nBridgeId: b1\nApplication: Dial", channel(id, phone));
    fake.lists(
        "CoreShowChannels",
        &[
            &talking("1.1", "1001"),
            &talking("1.2", "1002"),
            "Channel: nameless",
        ],
    );
    fake.lists(
        "BridgeList",
        &["BridgeUniqueid: b1\nBridgeType: basic\nBridgeTechnology: simple_bridge"],
    );
    fake.lists("PJSIPShowEndpoints", &["ObjectName: 1001", "ObjectName: trunk"]);
    fake.lists("SIPpeers", &["ObjectName: old"]);
    fake.lists(
        "DeviceStateList",
        &[
            "Device: PJSIP/1001\nState: INUSE",
            "Device: SCCP/1009\nState: NOT_INUSE",
            "Device: Queue:support_pause_Local/1003@phones/n\nState: NOT_INUSE",
            "Device: Local/1003@phones\nState: NOT_INUSE",
            "Device: confbridge:800\nState: INUSE",
        ],
    );
    fake.says_before(
        "BridgeList",
        &format!(
            "Event: Hold\r\n{}\r\n\r\n",
            channel("1.1", "1001").replace('\n', "\r\n")
        ),
    );
    let mut running = fake.heard(CALM);
    let (snapshot, meanwhile) = running.known().await;
    let channels: Vec<_> = snapshot
        .channels
        .iter()
        .map(|it| (it.name.as_str(), it.state, it.app_name.as_str()))
        .collect();
    assert_eq!(
        channels,
        [
            ("PJSIP/1001-1.1", ChannelState::Up, "Dial"),
            ("PJSIP/1002-1.2", ChannelState::Up, "Dial")
        ]
    );
    let bridge = BridgeInfo {
        id: BridgeId::new("b1"),
        kind: callrelay::tracker::event::BridgeKind::Mixing,
        conference: false,
    };
    assert_eq!(
        snapshot.bridges,
        [(bridge, vec![ChannelId::new("1.1"), ChannelId::new("1.2")])]
    );
    assert_eq!(snapshot.endpoints, ["1001", "1009", "old", "trunk"]);
    assert!(
        matches!(meanwhile.as_slice(), [PbxEvent::Hold(_)]),
        "{meanwhile:?}"
    );
    assert_eq!(running.counters.untranslatable(), 1);
}

#[tokio::test]
async fn the_password_is_not_sent_and_only_events_of_calls_are_asked_for() {
    let mut fake = FakeAmi::start().await;
    let mut running = fake.heard(CALM);
    running.known().await;
    let actions = fake.actions_until("DeviceStateList").await;
    assert_eq!(
        actions,
        [
            "Challenge, AuthType: MD5",
            "Login, AuthType: MD5, Username: callrelay, Events: call",
            "Filter, Operation: Add, Filter: !^Event: DeviceStateChange",
            "Filter, Operation: Add, Filter: !^Event: ExtensionStatus",
            "Filter, Operation: Add, Filter: !^Event: MusicOnHold",
            "Filter, Operation: Add, Filter: !^Event: PresenceStateChange",
            "CoreShowChannels",
            "BridgeList",
            "PJSIPShowEndpoints",
            "SIPpeers",
            "IAXpeerlist",
            "DeviceStateList",
        ]
    );
}

#[tokio::test]
async fn a_wrong_password_is_told_as_such() {
    let fake = FakeAmi::start().await;
    let settings = config::Ami {
        password: "wrong".into(),
        ..fake.settings()
    };
    assert_eq!(
        hear(settings, CALM).lost().await,
        "Asterisk refused the manager account `callrelay`; name and password must be those of a section of manager.conf, \
         and its `permit` has to let this machine in"
    );
}

#[tokio::test]
async fn whoever_does_not_greet_as_asterisk_does_is_none() {
    for greeting in ["SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n"] {
        let fake = FakeAmi::start().await;
        fake.greets(greeting);
        assert_eq!(
            fake.heard(CALM).lost().await,
            "whoever answers there is no Asterisk manager; `url` has to name the `bindaddr` and `port` of manager.conf"
        );
    }
}

#[tokio::test]
async fn a_list_that_the_account_may_not_see_is_told_with_the_reason() {
    let fake = FakeAmi::start().await;
    fake.refuses("BridgeList");
    assert_eq!(
        fake.heard(CALM).lost().await,
        "BridgeList: Asterisk refused (Permission denied); see `read` and `write` of the account in manager.conf"
    );
}

#[tokio::test]
async fn over_tls_only_whoever_has_a_certificate_that_is_trusted_is_heard() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    crate::connector::install_crypto();
    let tls = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let fake = FakeAmi::start_with(move |socket| {
        let acceptor = acceptor.clone();
        async move { acceptor.accept(socket).await.ok() }
    })
    .await;
    let settings = config::Ami {
        tls: true,
        host: "localhost".to_owned(),
        ..fake.settings()
    };
    let reason = hear(settings.clone(), CALM).lost().await;
    assert!(
        reason
            .starts_with("the connection to the manager broke, or cannot be made: invalid peer certificate"),
        "{reason}"
    );
    // Where it is trusted.
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, made.cert.pem()).unwrap();
    let mut running = hear(
        config::Ami {
            ca: Some(ca),
            ..settings
        },
        CALM,
    );
    assert!(matches!(within(running.news()).await, PbxNews::Known { .. }));
}
