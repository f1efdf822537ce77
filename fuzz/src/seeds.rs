//! First inputs.
//!
//! A target that is started with `CALLRELAY_SEEDS=FOLDER` writes its own there, and ends. So that they are small, they
//! have of the recordings only what is read, which the dictionaries tell.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, process};

use callrelay::asterisk::recording::{self, RecordedEvent};
use callrelay::asterisk::{ami, ari};
use callrelay::tracker::PbxEvent;
use serde_json::{Map, Value, json};

/// Inputs, by the names of their files.
pub type Seeds = Vec<(String, Vec<u8>)>;

/// Writes the inputs and ends the process, if it was started for that.
///
/// # Panics
///
/// If they cannot be made or written.
pub fn written_if_asked(seeds: fn() -> Seeds) {
    let Some(folder) = env::var_os("CALLRELAY_SEEDS").map(PathBuf::from) else {
        return;
    };
    let seeds = seeds();
    fs::create_dir_all(&folder).expect("the folder of the first inputs can be made");
    for (name, bytes) in &seeds {
        fs::write(folder.join(name), bytes).expect("a first input can be written");
    }
    println!("{} first inputs", seeds.len());
    process::exit(0);
}

/// The recordings over AMI, as they came over the wire, and one in which the connection is lost.
#[must_use]
pub fn ami() -> Seeds {
    let dictionary = Dictionary::new(include_str!("../dictionaries/ami.dict"));
    let mut seeds: Seeds = recordings(".ami.jsonl")
        .into_iter()
        .map(|(name, records)| (name, over_ami(&records, &dictionary).into_bytes()))
        .collect();
    seeds.push((
        "lost_and_found".to_owned(),
        include_bytes!("seeds/lost_and_found.ami").to_vec(),
    ));
    seeds
}

/// The same, cut into pieces of several sizes.
#[must_use]
pub fn ami_in_pieces() -> Seeds {
    let in_pieces = |(name, text): (String, Vec<u8>)| (name, [vec![7, 64, 1, 0, 1], text].concat());
    ami().into_iter().map(in_pieces).collect()
}

/// The recordings over ARI, and one in which the connection is lost.
#[must_use]
pub fn ari() -> Seeds {
    let dictionary = Dictionary::new(include_str!("../dictionaries/ari.dict"));
    let mut seeds: Seeds = recordings(".ari.jsonl")
        .into_iter()
        .map(|(name, records)| (name, over_ari(&records, &dictionary).into_bytes()))
        .collect();
    seeds.push((
        "lost_and_found".to_owned(),
        include_bytes!("seeds/lost_and_found.ari").to_vec(),
    ));
    seeds
}

/// One frame of each kind, with all its fields.
#[must_use]
pub fn frames() -> Seeds {
    let frames = include_str!("seeds/frames.jsonl").lines().enumerate();
    frames
        .map(|(index, frame)| (index.to_string(), frame.as_bytes().to_vec()))
        .collect()
}

/// Nothing: random ones are as good.
#[must_use]
pub fn none() -> Seeds {
    Seeds::new()
}

/// All recordings with this ending, by names that are made of their paths.
fn recordings(ending: &str) -> Vec<(String, Vec<RecordedEvent>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/traces");
    let (mut found, mut open) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("the folder of recordings can be read") {
            let path = entry.expect("an entry can be read").path();
            let name = path
                .strip_prefix(&root)
                .expect("it is in there")
                .to_string_lossy()
                .replace('/', "-");
            if path.is_dir() {
                open.push(path);
            } else if name.ends_with(ending) {
                let text = fs::read(&path).expect("a recording can be read");
                let records =
                    recording::read(text.as_slice()).map(|record| record.expect("it is a recording"));
                found.push((name, records.collect()));
            }
        }
    }
    found
}

/// When an event came, counted from the first one.
fn since(records: &[RecordedEvent], record: &RecordedEvent) -> f64 {
    record.at.since(records[0].at).as_secs_f64()
}

fn over_ami(records: &[RecordedEvent], dictionary: &Dictionary) -> String {
    let (mut whole, mut shortened) = (
        ami::translate::Translator::default(),
        ami::translate::Translator::default(),
    );
    let mut text = String::new();
    for record in records {
        let fields: Map<String, Value> =
            serde_json::from_str(record.event.get()).expect("AMI is recorded as objects");
        let mut message = ami::Message::default();
        for (name, value) in fields.iter().filter(|(name, _)| dictionary.names_field(name)) {
            message.push(name, value.as_str().unwrap_or_default());
        }
        let expected = whole.event(&serde_json::from_str(record.event.get()).expect("it is a message"));
        assert_eq!(shortened.event(&message), expected, "ami.dict lacks a name");
        let Ok(Some(_)) = expected else { continue };
        for (name, value) in fields.iter().filter(|(name, _)| dictionary.names_field(name)) {
            let _ = write!(text, "{name}: {}\r\n", value.as_str().unwrap_or_default());
        }
        let _ = write!(text, "Timestamp: {:.3}\r\n\r\n", since(records, record));
    }
    text
}

fn over_ari(records: &[RecordedEvent], dictionary: &Dictionary) -> String {
    let mut text = String::new();
    for record in records {
        let translated = |event: &str| ari::translate::event(event).expect("a recorded event makes sense");
        let Some(expected): Option<PbxEvent> = translated(record.event.get()) else {
            continue;
        };
        let mut event: Value = serde_json::from_str(record.event.get()).expect("ARI is JSON");
        dictionary.shorten(&mut event);
        assert_eq!(
            translated(&event.to_string()),
            Some(expected),
            "ari.dict lacks a name"
        );
        let line = json!({"at": (since(records, record) * 1e3).round() / 1e3, "event": event});
        let _ = writeln!(text, "{line}");
    }
    text
}

/// The names that are read, after a dictionary of libFuzzer.
struct Dictionary {
    names: BTreeSet<String>,
    prefixes: Vec<String>,
}

impl Dictionary {
    fn new(text: &str) -> Self {
        let values = |kind: &str| {
            let lines = text
                .lines()
                .filter_map(|line| line.strip_prefix(kind)?.strip_prefix('='));
            let bare = |value: &str| value.replace(['"', '\\', ':'], "").trim_end().to_owned();
            lines.map(bare).collect::<Vec<_>>()
        };
        Self {
            names: values("name").into_iter().collect(),
            prefixes: values("prefix"),
        }
    }

    fn names_field(&self, name: &str) -> bool {
        let behind = |prefix: &String| {
            name.strip_prefix(prefix.as_str())
                .is_some_and(|name| self.names.contains(name))
        };
        self.names.contains(name) || self.prefixes.iter().any(behind)
    }

    fn shorten(&self, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, value| {
                    self.shorten(value);
                    let is_empty = value == "" || value.as_object().is_some_and(Map::is_empty);
                    self.names.contains(name) && !is_empty
                });
            }
            Value::Array(entries) => entries.iter_mut().for_each(|entry| self.shorten(entry)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}
