//! What Asterisk should not send. A panic on it is our bug, never Asterisk's.

use super::*;

#[test]
fn what_is_no_event_is_an_error() {
    for text in [
        "",
        "null",
        "7",
        "\"ChannelCreated\"",
        "[\"ChannelCreated\"]",
        "{\"type\":\"Chan",
        "{}}",
        "\u{0}",
    ] {
        assert_eq!(event(text), Err(TranslationError::NotAnObject), "{text}");
    }
    for text in [
        "{}",
        r#"{"type":null}"#,
        r#"{"type":7}"#,
        r#"{"type":""}"#,
        r#"{"type":{"type":"Dial"}}"#,
    ] {
        assert_eq!(event(text), Err(TranslationError::NoType), "{text}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(
        event(&format!("{{\"type\":\"Dial\",\"peer\":{deep}")),
        Err(TranslationError::NotAnObject)
    );
}

#[test]
fn event_without_its_channel_or_bridge_is_an_error_that_names_the_part() {
    let channel = json!({"id": "1.1", "name": "PJSIP/1001-00000001"});
    let cases = [
        (json!({"type": "ChannelCreated"}), "ChannelCreated", "channel"),
        (
            json!({"type": "ChannelHold", "channel": {"name": "PJSIP/1001-00000001"}}),
            "ChannelHold",
            "channel",
        ),
        (
            json!({"type": "ChannelUnhold", "channel": {"id": "1.1"}}),
            "ChannelUnhold",
            "channel",
        ),
        (
            json!({"type": "ChannelDestroyed", "channel": {"id": 7}}),
            "ChannelDestroyed",
            "channel",
        ),
        (
            json!({"type": "ChannelEnteredBridge", "bridge": {"id": "b1"}}),
            "ChannelEnteredBridge",
            "channel",
        ),
        (
            json!({"type": "ChannelLeftBridge", "channel": channel}),
            "ChannelLeftBridge",
            "bridge",
        ),
        (
            json!({"type": "BridgeMerged", "bridge": {"id": "b1"}}),
            "BridgeMerged",
            "bridge_from",
        ),
        (json!({"type": "Dial", "caller": channel}), "Dial", "peer"),
        (
            json!({"type": "Dial", "peer": channel, "caller": 7}),
            "Dial",
            "caller",
        ),
        (
            json!({"type": "BridgeBlindTransfer", "channel": channel, "transferee": {}}),
            "BridgeBlindTransfer",
            "transferee",
        ),
    ];
    for (value, kind, part) in cases {
        assert_eq!(
            event(&value.to_string()),
            Err(TranslationError::Unusable { kind, part }),
            "{value}"
        );
    }
}

/// Every way to spoil one value.
fn spoilt() -> Vec<Option<Value>> {
    vec![
        None,
        Some(Value::Null),
        Some(json!(-7.5e300)),
        Some(json!(true)),
        Some(json!("")),
        Some(json!("\u{0}; DROP 🦀")),
        Some(json!([])),
        Some(json!({})),
        Some(json!([[[[{"id": [{"id": {"id": null}}]}]]]])),
        Some(json!({"id": {"name": [1, 2, {"channel": "x"}]}, "name": 3, "channels": {"0": []}})),
    ]
}

/// The paths of all values in `value`, its parts' parts included.
fn paths(value: &Value, at: &str, into: &mut Vec<String>) {
    let parts: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, part)| (name.clone(), part)).collect(),
        Value::Array(parts) => parts
            .iter()
            .enumerate()
            .map(|(index, part)| (index.to_string(), part))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    for (name, part) in parts {
        let path = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        paths(part, &path, into);
        into.push(path);
    }
}

fn with(value: &Value, path: &str, replacement: Option<Value>) -> Value {
    let mut value = value.clone();
    if let Some(replacement) = replacement {
        *value.pointer_mut(path).unwrap() = replacement;
        return value;
    }
    let (parent, name) = path.rsplit_once('/').unwrap();
    match value.pointer_mut(parent).unwrap() {
        Value::Object(fields) => drop(fields.remove(&name.replace("~1", "/").replace("~0", "~"))),
        Value::Array(parts) => drop(parts.remove(name.parse().unwrap())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => unreachable!(),
    }
    value
}

/// Fields without which an event may mean nothing. Any other may be spoilt and the event still counts.
const NEEDED: [&str; 14] = [
    "type",
    "id",
    "name",
    "channel",
    "bridge",
    "bridge_from",
    "caller",
    "peer",
    "transferee",
    "transfer_target",
    "transferer_first_leg",
    "transferer_second_leg",
    "transferer_first_leg_bridge",
    "transferer_second_leg_bridge",
];

/// A panic on what Asterisk sends is our bug, never Asterisk's.
#[test]
fn no_spoilt_field_of_any_recorded_event_panics() {
    let mut one_of_each: BTreeMap<String, Value> = BTreeMap::new();
    for (_, texts) in traces() {
        for text in texts {
            let value: Value = serde_json::from_str(&text).unwrap();
            let shape: Vec<&String> = value.as_object().unwrap().keys().collect();
            one_of_each.insert(format!("{} {shape:?}", value["type"]), value);
        }
    }
    assert!(one_of_each.len() >= 19, "{}", one_of_each.len());
    let mut tried = 0;
    for value in one_of_each.values() {
        let mut all = Vec::new();
        paths(value, "", &mut all);
        for path in &all {
            for replacement in spoilt() {
                let outcome = event(&with(value, path, replacement).to_string());
                let (_, leaf) = path.rsplit_once('/').unwrap();
                assert!(outcome.is_ok() || NEEDED.contains(&leaf), "{path}: {outcome:?}");
                tried += 1;
            }
        }
        let text = value.to_string();
        for end in (0..text.len())
            .step_by(7)
            .filter(|end| text.is_char_boundary(*end))
        {
            assert!(event(&text[..end]).is_err());
        }
    }
    assert!(tried > 5_000, "{tried}");
}
