//! The shapes that no recording has.

use super::*;
use crate::tracker::event::BridgeKind;

#[test]
fn dial_status_tells_how_far_it_has_come() {
    let mut dial = json!({"type": "Dial", "peer": {"id": "1.2", "name": "PJSIP/1002-00000001"}});
    let expected = [
        ("", DialProgress::Begun),
        ("RINGING", DialProgress::Ringing),
        ("PROGRESS", DialProgress::Ringing),
        ("PROCEEDING", DialProgress::Ringing),
        ("ANSWER", DialProgress::Answered),
        ("BUSY", DialProgress::Failed),
        ("NOANSWER", DialProgress::Failed),
        ("CANCEL", DialProgress::Failed),
        ("CHANUNAVAIL", DialProgress::Failed),
        ("CONGESTION", DialProgress::Failed),
        ("SOMETHING_NEW", DialProgress::Failed),
    ];
    for (status, progress) in expected {
        dial["dialstatus"] = json!(status);
        assert_eq!(
            translated(&dial),
            PbxEvent::Dial {
                caller: None,
                peer: ChannelInfo::named("1.2", "PJSIP/1002-00000001"),
                progress,
                forwarded: None,
            }
        );
    }
    dial["forwarded"] = json!({"id": "1.3", "name": "Local/1003@internal-00000000;1"});
    let PbxEvent::Dial { forwarded, .. } = translated(&dial) else {
        panic!("no dial")
    };
    assert_eq!(
        forwarded,
        Some(ChannelInfo::named("1.3", "Local/1003@internal-00000000;1"))
    );
}

#[test]
fn blind_transfer_may_name_nobody_and_may_fail() {
    let mut transfer = json!({
        "type": "BridgeBlindTransfer", "exten": "1003", "context": "internal", "is_external": true,
        "channel": {"id": "1.1", "name": "PJSIP/1001-00000001"},
    });
    for (result, success) in [
        ("Success", true),
        ("Fail", false),
        ("Invalid", false),
        ("Not Permitted", false),
    ] {
        transfer["result"] = json!(result);
        assert_eq!(
            translated(&transfer),
            PbxEvent::BlindTransfer {
                transferer: ChannelInfo::named("1.1", "PJSIP/1001-00000001"),
                transferee: None,
                exten: "1003".to_owned(),
                success,
            }
        );
    }
}

#[test]
fn attended_transfer_hands_over_unless_it_failed_or_became_a_three_way_call() {
    let leg = json!({"id": "1.1", "name": "PJSIP/1001-00000001"});
    let mut transfer = json!({
        "type": "BridgeAttendedTransfer", "is_external": false,
        "transferer_first_leg": leg, "transferer_second_leg": leg,
        "transferer_first_leg_bridge": {"id": "b1"},
        "transferee": {"id": "1.2", "name": "PJSIP/1002-00000002"},
        "destination_link_first_leg": {"id": "1.4", "name": "Local/x@y-00000001;1"},
        "destination_link_second_leg": {"id": "1.5", "name": "Local/x@y-00000001;2"},
        "destination_threeway_channel": leg,
        "destination_threeway_bridge": {"id": "b1"},
        "destination_application": "VoiceMail",
    });
    for (destination, result, expected) in [
        ("bridge", "Success", true),
        ("application", "Success", true),
        ("link", "Success", true),
        ("threeway", "Success", false),
        ("fail", "Success", false),
        ("fail", "Fail", false),
        ("bridge", "Invalid", false),
        ("link", "Not Permitted", false),
    ] {
        transfer["destination_type"] = json!(destination);
        transfer["result"] = json!(result);
        assert_eq!(
            translated(&transfer),
            PbxEvent::AttendedTransfer {
                first_leg: ChannelInfo::named("1.1", "PJSIP/1001-00000001"),
                second_leg: ChannelInfo::named("1.1", "PJSIP/1001-00000001"),
                first_bridge: Some(BridgeId::new("b1")),
                second_bridge: None,
                transferee: Some(ChannelInfo::named("1.2", "PJSIP/1002-00000002")),
                target: None,
                success: expected,
            },
            "{destination} {result}"
        );
    }
}

#[test]
fn bridges_are_told_apart_by_what_they_are_for() {
    let cases = [
        (
            json!({"bridge_type": "mixing", "bridge_class": "basic", "technology": "simple_bridge"}),
            BridgeKind::Mixing,
            false,
        ),
        (
            json!({"bridge_type": "mixing", "bridge_class": "basic", "technology": "softmix"}),
            BridgeKind::Mixing,
            false,
        ),
        (
            json!({"bridge_type": "mixing", "bridge_class": "base", "technology": "softmix"}),
            BridgeKind::Mixing,
            true,
        ),
        (
            json!({"bridge_type": "mixing", "bridge_class": "base", "creator": "ConfBridge"}),
            BridgeKind::Mixing,
            true,
        ),
        (
            json!({"bridge_type": "mixing", "creator": "MeetMe"}),
            BridgeKind::Mixing,
            true,
        ),
        (
            json!({"bridge_type": "mixing", "bridge_class": "stasis", "technology": "softmix"}),
            BridgeKind::Mixing,
            false,
        ),
        (
            json!({"bridge_type": "holding", "bridge_class": "parking"}),
            BridgeKind::Parking,
            false,
        ),
        (
            json!({"bridge_type": "holding", "bridge_class": "base", "creator": "BridgeWait"}),
            BridgeKind::Holding,
            false,
        ),
        (
            json!({"technology": "holding_bridge"}),
            BridgeKind::Holding,
            false,
        ),
        (json!({}), BridgeKind::Mixing, false),
    ];
    for (mut bridge, kind, conference) in cases {
        bridge["id"] = json!("b1");
        let expected = BridgeInfo {
            id: BridgeId::new("b1"),
            kind,
            conference,
        };
        assert_eq!(
            translated(&json!({"type": "BridgeCreated", "bridge": bridge})),
            PbxEvent::BridgeSeen(expected),
            "{bridge}"
        );
    }
}

#[test]
fn kinds_that_do_not_matter_are_none() {
    for kind in [
        "StasisStart",
        "ContactStatusChange",
        "ApplicationReplaced",
        "BridgeVideoSourceChanged",
        "FromTheFuture",
    ] {
        assert_eq!(
            event(&json!({"type": kind, "channel": 7}).to_string()),
            Ok(None),
            "{kind}"
        );
    }
}

#[test]
fn only_the_announcement_of_a_replacement_says_replaced() {
    assert!(says_replaced(
        r#"{"type":"ApplicationReplaced","application":"callrelay"}"#
    ));
    for other in [
        "",
        "7",
        "[]",
        "{}",
        r#"{"type":7}"#,
        r#"{"type":"Dial","app":"ApplicationReplaced"}"#,
    ] {
        assert!(!says_replaced(other), "{other}");
    }
}
