//! The answers to `GET /channels`, `GET /bridges` and `GET /endpoints`.

use super::*;

#[test]
fn snapshot_holds_channels_bridges_with_their_members_and_endpoints() {
    let channels = json!([
        {"id": "1.1", "name": "PJSIP/1001-00000001", "state": "Up", "caller": {"number": "1001", "name": "User 1001"}},
        {"id": "1.2", "name": "PJSIP/1002-00000002", "state": "Ringing"},
        {"name": "no id"}, 7,
    ]);
    let bridges = json!([
        {"id": "b1", "bridge_type": "mixing", "bridge_class": "basic", "channels": ["1.1", 7, "1.2"]},
        {"id": "b2", "bridge_type": "holding", "bridge_class": "parking", "channels": "none"},
        {"channels": ["1.1"]},
    ]);
    let endpoints = json!([
        {"technology": "PJSIP", "resource": "1001", "state": "online", "channel_ids": ["1.1"]},
        {"technology": "PJSIP", "resource": "trunk"}, {"technology": "PJSIP"},
    ]);
    let (snapshot, unusable) = snapshot(
        &channels.to_string(),
        &bridges.to_string(),
        &endpoints.to_string(),
    )
    .unwrap();
    assert_eq!(unusable, 4);
    let first = ChannelInfo {
        state: ChannelState::Up,
        caller: number_and_name("1001", "User 1001"),
        ..ChannelInfo::named("1.1", "PJSIP/1001-00000001")
    };
    let second = ChannelInfo {
        state: ChannelState::Ringing,
        ..ChannelInfo::named("1.2", "PJSIP/1002-00000002")
    };
    assert_eq!(snapshot.channels, [first, second]);
    let lot = BridgeInfo {
        id: BridgeId::new("b2"),
        kind: BridgeKind::Parking,
        conference: false,
    };
    assert_eq!(
        snapshot.bridges,
        [
            (
                basic_bridge("b1"),
                vec![ChannelId::new("1.1"), ChannelId::new("1.2")]
            ),
            (lot, Vec::new()),
        ]
    );
    assert_eq!(snapshot.endpoints, ["1001", "trunk"]);
}

#[test]
fn snapshot_of_something_else_is_an_error() {
    for text in ["", "{}", "null", "{\"message\":\"Internal Server Error\"}"] {
        assert_eq!(
            snapshot(text, "[]", "[]"),
            Err(TranslationError::NotAnArray { resource: "channels" })
        );
        assert_eq!(
            snapshot("[]", text, "[]"),
            Err(TranslationError::NotAnArray { resource: "bridges" })
        );
        assert_eq!(
            snapshot("[]", "[]", text),
            Err(TranslationError::NotAnArray {
                resource: "endpoints"
            })
        );
    }
}
