//! The shapes of events, every recorded one in every broken form, and garbage. That recordings come to what happened in
//! them is shown by `tests/pure/recorded.rs`.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::asterisk::recording;
use crate::tracker::event::BridgeKind;

fn message(value: &Value) -> Message {
    serde_json::from_value(value.clone()).unwrap()
}

fn translated(translator: &mut Translator, value: &Value) -> PbxEvent {
    translator.event(&message(value)).unwrap().unwrap()
}

/// The fields of a channel, each with something before its name.
fn channel(prefix: &str, id: &str, name: &str) -> Value {
    let fields = [
        ("Uniqueid", id),
        ("Channel", name),
        ("CallerIDNum", "<unknown>"),
        ("Linkedid", "1.1"),
    ];
    fields
        .iter()
        .map(|(field, value)| (format!("{prefix}{field}"), json!(value)))
        .collect()
}

fn event(kind: &str, parts: &[Value]) -> Value {
    let mut whole = json!({"Event": kind});
    for part in parts {
        whole
            .as_object_mut()
            .unwrap()
            .extend(part.as_object().unwrap().clone());
    }
    whole
}

fn dialling(of: &PbxEvent) -> String {
    let PbxEvent::ChannelSeen(channel) = of else {
        panic!("{of:?}")
    };
    format!("{}({})", channel.app_name, channel.app_data)
}

#[test]
fn what_a_channel_dials_is_known_for_as_long_as_it_does() {
    let mut translator = Translator::default();
    let caller = channel("", "1.1", "PJSIP/1001-1");
    let seen = event_of("Newstate", &caller);
    let mut after = |kind: &str, id: &str, name: &str, more: Value| {
        let parts = [caller.clone(), channel("Dest", id, name), more];
        translated(&mut translator, &event(kind, &parts));
        dialling(&translated(&mut translator, &seen))
    };
    let steps = [
        after("DialBegin", "1.2", "PJSIP/1002-2", json!({"DialString": "1002"})),
        after(
            "DialBegin",
            "1.3",
            "PJSIP/trunk-3",
            json!({"DialString": "9815@trunk"}),
        ),
        after(
            "DialState",
            "1.2",
            "PJSIP/1002-2",
            json!({"DialStatus": "RINGING"}),
        ),
        after(
            "DialEnd",
            "1.2",
            "PJSIP/1002-2",
            json!({"DialStatus": "NOANSWER"}),
        ),
        after("DialEnd", "1.3", "PJSIP/trunk-3", json!({"DialStatus": "ANSWER"})),
    ];
    assert_eq!(
        steps,
        [
            "Dial(PJSIP/1002)",
            "Dial(PJSIP/9815@trunk&PJSIP/1002)",
            "Dial(PJSIP/9815@trunk&PJSIP/1002)",
            "Dial(PJSIP/9815@trunk)",
            "Dial(PJSIP/9815@trunk)",
        ]
    );
    translated(&mut translator, &event("Hangup", &[caller]));
    assert_eq!(translator.dials.remembered(), 0);
}

#[test]
fn a_call_that_is_forwarded_goes_to_the_channel_that_was_made_for_it() {
    let mut translator = Translator::default();
    let made = [
        ("1.2", "PJSIP/1002-2", "1.1"),
        ("1.3", "Local/1003@phones-1;1", "1.1"),
        ("1.4", "Local/1003@phones-1;2", "1.1"),
        ("9.9", "PJSIP/1009-9", "9.9"),
    ];
    for (id, name, chain) in made {
        let parts = [channel("", id, name), json!({"Linkedid": chain})];
        translated(&mut translator, &event("Newchannel", &parts));
    }
    let parts = [
        channel("", "1.1", "PJSIP/1001-1"),
        channel("Dest", "1.2", "PJSIP/1002-2"),
        json!({"DialStatus": "CANCEL", "Forward": "1003"}),
    ];
    let PbxEvent::Dial {
        progress, forwarded, ..
    } = translated(&mut translator, &event("DialEnd", &parts))
    else {
        panic!("no dial");
    };
    assert_eq!(progress, DialProgress::Failed);
    assert_eq!(forwarded.unwrap().id.as_str(), "1.3");
}

#[test]
fn bridges_are_what_their_class_and_technology_say() {
    let mut translator = Translator::default();
    for (class, technology, creator, kind, conference) in [
        ("basic", "simple_bridge", "<unknown>", BridgeKind::Mixing, false),
        ("basic", "softmix", "<unknown>", BridgeKind::Mixing, false),
        ("base", "softmix", "ConfBridge", BridgeKind::Mixing, true),
        (
            "parking",
            "holding_bridge",
            "<unknown>",
            BridgeKind::Parking,
            false,
        ),
        ("base", "holding_bridge", "ConfBridge", BridgeKind::Holding, false),
    ] {
        let made = json!({
            "Event": "BridgeCreate", "BridgeUniqueid": "b", "BridgeType": class, "BridgeTechnology": technology,
            "BridgeCreator": creator,
        });
        let expected = BridgeInfo {
            id: BridgeId::new("b"),
            kind,
            conference,
        };
        assert_eq!(translated(&mut translator, &made), PbxEvent::BridgeSeen(expected));
    }
}

#[test]
fn a_transfer_that_hands_nobody_over_is_none() {
    let mut translator = Translator::default();
    let legs = [
        channel("OrigTransferer", "1.1", "PJSIP/1001-1"),
        channel("SecondTransferer", "1.2", "PJSIP/1001-2"),
    ];
    for (kind, result, success) in [
        ("Bridge", "Success", true),
        ("App", "Success", true),
        ("Threeway", "Success", false),
        ("Fail", "Success", false),
        ("Bridge", "Not Permitted", false),
    ] {
        let parts = [
            legs[0].clone(),
            legs[1].clone(),
            json!({"DestType": kind, "Result": result}),
        ];
        let PbxEvent::AttendedTransfer { success: found, .. } =
            translated(&mut translator, &event("AttendedTransfer", &parts))
        else {
            panic!("no transfer");
        };
        assert_eq!(found, success, "{kind} {result}");
    }
}

#[test]
fn an_event_without_its_channel_or_bridge_is_an_error_that_names_the_part() {
    let ours = channel("", "1.1", "PJSIP/1001-1");
    for (value, event, part) in [
        (
            json!({"Event": "Newchannel", "Channel": "PJSIP/1001-1"}),
            "Newchannel",
            "channel",
        ),
        (json!({"Event": "Hold", "Uniqueid": "1.1"}), "Hold", "channel"),
        (json!({"Event": "Hangup"}), "Hangup", "channel"),
        (json!({"Event": "BridgeCreate"}), "BridgeCreate", "bridge"),
        (event_of("BridgeEnter", &ours), "BridgeEnter", "bridge"),
        (
            json!({"Event": "BridgeMerge", "ToBridgeUniqueid": "b"}),
            "BridgeMerge",
            "From",
        ),
        (event_of("DialBegin", &ours), "DialBegin", "Dest"),
        (json!({"Event": "BlindTransfer"}), "BlindTransfer", "Transferer"),
    ] {
        assert_eq!(
            Translator::default().event(&message(&value)),
            Err(TranslationError { event, part }),
            "{value}"
        );
    }
}

fn event_of(kind: &str, channel: &Value) -> Value {
    event(kind, std::slice::from_ref(channel))
}

/// All recorded events, one of each kind of each recording.
fn recorded() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces");
    let mut found: BTreeMap<(String, String), Value> = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.ends_with(".ami.jsonl") {
            continue;
        }
        for line in recording::read(fs::read(&path).unwrap().as_slice()) {
            let event: Value = serde_json::from_str(line.unwrap().event.get()).unwrap();
            let kind = event["Event"].as_str().unwrap().to_owned();
            found.entry((name.clone(), kind)).or_insert(event);
        }
    }
    found.into_values().collect()
}

#[test]
fn every_recorded_event_is_understood_and_no_missing_or_broken_field_does_harm() {
    let events = recorded();
    assert!(events.len() > 100, "{}", events.len());
    let mut translator = Translator::default();
    for event in &events {
        translator.event(&message(event)).unwrap();
        for field in event.as_object().unwrap().keys() {
            for broken in [
                json!(null),
                json!(""),
                json!(7),
                json!("é\u{0}\n"),
                json!(["a", "b"]),
                json!({"a": 1}),
            ] {
                let mut changed = event.clone();
                changed[field] = broken;
                let Ok(message) = serde_json::from_value::<Message>(changed) else {
                    continue;
                };
                // An error or an event: either will do.
                let _ = translator.event(&message);
            }
        }
    }
}

#[test]
fn whom_a_channel_dialled_is_forgotten_when_that_one_is_gone() {
    let mut translator = Translator::default();
    let caller = channel("", "1.1", "DAHDI/1-1");
    for (number, expected) in [("1.2", "Dial(DAHDI/g1/111)"), ("1.3", "Dial(DAHDI/g1/222)")] {
        let dialled = channel("Dest", number, &format!("DAHDI/i1/9-{number}"));
        let target = json!({"DialString": if number == "1.2" { "g1/111" } else { "g1/222" }});
        translated(
            &mut translator,
            &event("DialBegin", &[caller.clone(), dialled.clone(), target]),
        );
        let answer = json!({"DialStatus": "ANSWER"});
        translated(
            &mut translator,
            &event("DialEnd", &[caller.clone(), dialled, answer]),
        );
        let PbxEvent::ChannelSeen(seen) =
            translated(&mut translator, &event("Newstate", std::slice::from_ref(&caller)))
        else {
            panic!("no channel");
        };
        assert_eq!(format!("{}({})", seen.app_name, seen.app_data), expected);
        // It hangs up, and its caller goes on in the dialplan.
        translated(
            &mut translator,
            &event("Hangup", &[channel("", number, "DAHDI/i1/9")]),
        );
    }
    assert_eq!(translator.dials.remembered(), 0);
}

#[test]
fn an_event_that_names_a_channel_twice_is_refused() {
    let mut message = Message::default();
    for (name, value) in [
        ("Event", "Newstate"),
        ("Channel", "PJSIP/trunk-1"),
        ("ChannelStateDesc", "Up"),
        ("CallerIDName", "Olga"),
        ("uniqueid", "1.1"),
        ("ConnectedLineName", "<unknown>"),
        ("Uniqueid", "1.2"),
    ] {
        message.push(name, value);
    }
    assert_eq!(
        Translator::default().event(&message).unwrap_err().to_string(),
        "an event names no usable channel, but two under one name"
    );
}

#[test]
fn what_is_remembered_has_a_bound() {
    let mut translator = Translator::default();
    for number in 0..200_000 {
        let parts = [
            channel("", &format!("{}", number / 100), "PJSIP/1001-1"),
            channel("Dest", &format!("d{number}"), "PJSIP/1002-2"),
            json!({"DialString": "1002"}),
        ];
        translated(&mut translator, &event("DialBegin", &parts));
        let newly = channel("", &format!("n{number}"), "PJSIP/1003-3");
        translated(&mut translator, &event_of("Newchannel", &newly));
    }
    let remembered = translator.dials.remembered();
    assert!((1..=65_536).contains(&remembered), "{remembered}");
    assert_eq!(translator.new.len(), NEW_MAX);
}

proptest! {
    #[test]
    fn no_message_panics(
        kind in prop::sample::select(vec![
            "Newchannel", "Newstate", "Hangup", "Hold", "Unhold", "BridgeCreate", "BridgeEnter", "BridgeLeave", "BridgeMerge",
            "DialBegin", "DialState", "DialEnd", "BlindTransfer", "AttendedTransfer",
        ]),
        fields in prop::collection::vec((
            prop::sample::select(vec![
                "Uniqueid", "Channel", "DestUniqueid", "DestChannel", "BridgeUniqueid", "ToBridgeUniqueid", "Linkedid", "Forward",
                "DialString", "TransfererUniqueid", "TransfererChannel", "Result",
            ]),
            ".{0,12}",
        ), 0..12),
    ) {
        let mut message = Message::default();
        message.push("Event", kind);
        for (name, value) in fields {
            message.push(name, value);
        }
        let mut translator = Translator::default();
        for _ in 0..2 {
            let _ = translator.event(&message);
        }
    }
}
