//! The recorded streams.

use super::*;
use crate::tracker::event::BridgeKind;

#[test]
fn every_recorded_event_is_translated_or_known_not_to_matter() {
    let expected = [
        (
            "attended-transfer",
            "attended 1, bridge 2, bridge gone 2, dial 6, entered 5, gone 4, hold 1, left 5, seen 20, unhold 2",
        ),
        (
            "attended-transfer-feature-code",
            "attended 1, bridge 3, bridge gone 3, dial 8, entered 8, gone 5, hold 1, left 8, merged 1, seen 31",
        ),
        (
            "basic",
            "bridge 1, bridge gone 1, dial 3, entered 2, gone 2, left 2, seen 9",
        ),
        (
            "blind-transfer-by-callee",
            "blind 1, bridge 2, bridge gone 2, dial 6, entered 4, gone 3, left 4, seen 14, unhold 1",
        ),
        (
            "blind-transfer-by-caller",
            "blind 1, bridge 2, bridge gone 2, dial 6, entered 4, gone 3, left 4, seen 15, unhold 1",
        ),
        ("caller-cancels", "dial 3, gone 2, seen 7"),
        (
            "conference",
            "bridge 1, bridge gone 1, entered 3, gone 3, hold 1, left 3, seen 12, unhold 1",
        ),
        (
            "consult-and-return",
            "bridge 2, bridge gone 2, dial 6, entered 4, gone 4, hold 1, left 4, seen 18, unhold 1",
        ),
        (
            "hold",
            "bridge 1, bridge gone 1, dial 3, entered 2, gone 2, hold 2, left 2, seen 9, unhold 2",
        ),
        (
            "park-and-retrieve",
            "blind 1, bridge 3, bridge gone 2, dial 3, entered 5, gone 3, left 5, seen 14, unhold 1",
        ),
        (
            "trunk-inbound-then-blind-transfer",
            "blind 1, bridge 2, bridge gone 2, dial 6, entered 4, gone 3, left 4, seen 14, unhold 1",
        ),
        (
            "trunk-outbound",
            "bridge 1, bridge gone 1, dial 3, entered 2, gone 2, left 2, seen 10",
        ),
    ];
    let found: BTreeMap<String, String> = traces()
        .into_iter()
        .map(|(name, texts)| (name, counts(&texts)))
        .collect();
    for (name, counts) in expected {
        assert_eq!(found[name], counts, "{name}");
    }
}

#[test]
fn kinds_that_the_filter_keeps_away_do_not_matter() {
    for (_, texts) in traces() {
        for text in texts {
            let value: Value = serde_json::from_str(&text).unwrap();
            let kind = value["type"].as_str().unwrap();
            if crate::asterisk::ari::filter::DISALLOWED.contains(&kind) {
                assert_eq!(event(&text), Ok(None), "{kind}");
            }
        }
    }
}

#[test]
fn created_channel_is_seen_with_its_name_number_and_application() {
    let events = of_kind("trunk-outbound", "Dial");
    let PbxEvent::Dial {
        caller,
        peer,
        progress,
        forwarded,
    } = events[1].clone()
    else {
        panic!("no dial: {:?}", events[1]);
    };
    assert_eq!(progress, DialProgress::Ringing);
    assert_eq!(forwarded, None);
    assert_eq!(
        caller,
        Some(ChannelInfo {
            id: ChannelId::new("1795397897.138"),
            name: "PJSIP/1001-00000080".to_owned(),
            state: ChannelState::Other,
            caller: number_and_name("1001", "User 1001"),
            connected: number_and_name("9815551234", ""),
            app_name: "Dial".to_owned(),
            app_data: "PJSIP/815551234@trunk,20,Tt".to_owned(),
            protocol_id: "46d3392fd1164add".to_owned(),
        })
    );
    assert_eq!(
        peer,
        ChannelInfo {
            id: ChannelId::new("1795397897.139"),
            name: "PJSIP/trunk-00000081".to_owned(),
            state: ChannelState::Ringing,
            caller: number_and_name("9815551234", ""),
            connected: number_and_name("1001", "User 1001"),
            app_name: "AppDial".to_owned(),
            app_data: "(Outgoing Line)".to_owned(),
            protocol_id: "311d6a1d-ac49-45ba-adbd-15aadc4bacbd".to_owned(),
        }
    );
}

#[test]
fn dial_of_a_feature_code_transfer_has_no_caller() {
    let progress: Vec<DialProgress> = of_kind("attended-transfer-feature-code", "Dial")
        .into_iter()
        .filter_map(|event| {
            let PbxEvent::Dial {
                caller: None,
                progress,
                ..
            } = event
            else {
                return None;
            };
            Some(progress)
        })
        .collect();
    assert_eq!(progress, [DialProgress::Ringing, DialProgress::Answered]);
}

#[test]
fn blind_transfer_names_who_is_sent_where() {
    let PbxEvent::BlindTransfer {
        transferer,
        transferee,
        exten,
        success,
    } = of_kind("blind-transfer-by-callee", "BridgeBlindTransfer").remove(0)
    else {
        panic!("no blind transfer")
    };
    assert_eq!(transferer.name, "PJSIP/1002-0000003c");
    assert_eq!(transferee.unwrap().name, "PJSIP/1001-0000003b");
    assert_eq!(exten, "1003");
    assert!(success);
}

#[test]
fn attended_transfer_of_two_legs_names_both_bridges() {
    let PbxEvent::AttendedTransfer {
        first_leg,
        second_leg,
        first_bridge,
        second_bridge,
        transferee,
        target,
        success,
    } = of_kind("attended-transfer", "BridgeAttendedTransfer").remove(0)
    else {
        panic!("no attended transfer")
    };
    assert_eq!(first_leg.name, "PJSIP/1001-00000067");
    assert_eq!(second_leg.name, "PJSIP/1001-00000069");
    assert_eq!(
        first_bridge,
        Some(BridgeId::new("522e4d50-1099-48d2-a326-f9b05b60a887"))
    );
    assert_eq!(
        second_bridge,
        Some(BridgeId::new("805ad268-0b86-4fe2-b93b-fe1f1816ccfe"))
    );
    assert_eq!(transferee.unwrap().name, "PJSIP/1002-00000068");
    assert_eq!(target.unwrap().name, "PJSIP/1003-0000006a");
    assert!(success);
}

#[test]
fn attended_transfer_by_feature_code_has_one_leg_and_a_local_target() {
    let PbxEvent::AttendedTransfer {
        first_leg,
        second_leg,
        target,
        success,
        ..
    } = of_kind("attended-transfer-feature-code", "BridgeAttendedTransfer").remove(0)
    else {
        panic!("no attended transfer")
    };
    assert_eq!(first_leg, second_leg);
    assert_eq!(target.unwrap().name, "Local/1003@internal-00000003;1");
    assert!(success);
    assert_eq!(
        of_kind("attended-transfer-feature-code", "BridgeMerged"),
        [PbxEvent::Merged {
            into: basic_bridge("c885cda1-7f96-4ed3-976e-2525424b03d4"),
            from: basic_bridge("0167dd16-ac92-4a7e-ae06-2d8adeaee873"),
        }]
    );
}

#[test]
fn conference_and_parking_lot_are_recognised_in_the_recordings() {
    let rooms = of_kind("conference", "ChannelEnteredBridge");
    let in_room = rooms
        .iter()
        .filter(|event| matches!(event, PbxEvent::Entered { bridge, .. } if bridge.conference));
    assert_eq!(in_room.count(), rooms.len());
    let lots = of_kind("park-and-retrieve", "BridgeCreated");
    let parking = lots
        .iter()
        .filter(|event| matches!(event, PbxEvent::BridgeSeen(bridge) if bridge.kind == BridgeKind::Parking));
    assert_eq!(parking.count(), 1);
}
