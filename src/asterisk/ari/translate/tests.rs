//! Every recorded event, the shapes that no recording has, and garbage.

mod garbage;
mod recorded;
mod shapes;
mod snapshots;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{TranslationError, event, says_replaced, snapshot};
use crate::asterisk::recording;
use crate::model::{BridgeId, ChannelId};
use crate::tracker::event::{
    BridgeInfo, BridgeKind, ChannelInfo, ChannelState, DialProgress, NumberAndName, PbxEvent,
};

/// The texts of one recorded stream.
fn trace(name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/traces/{name}.ari.jsonl"));
    let text = fs::read(path).unwrap();
    recording::read(text.as_slice())
        .map(|line| line.unwrap().event.get().to_owned())
        .collect()
}

fn traces() -> Vec<(String, Vec<String>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces");
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| {
            Some(
                entry
                    .unwrap()
                    .file_name()
                    .to_str()?
                    .strip_suffix(".ari.jsonl")?
                    .to_owned(),
            )
        })
        .collect();
    names.sort();
    assert!(names.len() >= 12, "recorded streams are missing: {names:?}");
    names
        .into_iter()
        .map(|name| (name.clone(), trace(&name)))
        .collect()
}

fn translated(value: &Value) -> PbxEvent {
    event(&value.to_string()).unwrap().unwrap()
}

/// The events of one kind in a stream, translated.
fn of_kind(name: &str, kind: &str) -> Vec<PbxEvent> {
    let marker = format!("\"type\":\"{kind}\"");
    trace(name)
        .iter()
        .filter(|text| text.contains(&marker))
        .map(|text| event(text).unwrap().unwrap())
        .collect()
}

fn kind_of(event: &PbxEvent) -> &'static str {
    match event {
        PbxEvent::ChannelSeen(_) => "seen",
        PbxEvent::ChannelGone(_) => "gone",
        PbxEvent::BridgeSeen(_) => "bridge",
        PbxEvent::BridgeGone(_) => "bridge gone",
        PbxEvent::Entered { .. } => "entered",
        PbxEvent::Left { .. } => "left",
        PbxEvent::Merged { .. } => "merged",
        PbxEvent::Dial { .. } => "dial",
        PbxEvent::Hold(_) => "hold",
        PbxEvent::Unhold(_) => "unhold",
        PbxEvent::BlindTransfer { .. } => "blind",
        PbxEvent::AttendedTransfer { .. } => "attended",
    }
}

/// How many events of which kind a stream holds for us, as `kind n` in the order of the kinds.
fn counts(texts: &[String]) -> String {
    let mut counts = BTreeMap::new();
    for text in texts {
        if let Some(event) = event(text).unwrap() {
            *counts.entry(kind_of(&event)).or_insert(0) += 1;
        }
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(kind, count)| format!("{kind} {count}"))
        .collect();
    counts.join(", ")
}

fn number_and_name(number: &str, name: &str) -> NumberAndName {
    NumberAndName {
        number: number.to_owned(),
        name: name.to_owned(),
    }
}

fn basic_bridge(id: &str) -> BridgeInfo {
    BridgeInfo {
        id: BridgeId::new(id),
        kind: BridgeKind::Mixing,
        conference: false,
    }
}
