//! `callrelay replay`: runs a recorded stream through the tracker and prints what it concluded.

use std::fmt::Display;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::asterisk::merge::{Merger, Side};
use crate::asterisk::recording::{self, Origin, RecordedEvent};
use crate::asterisk::{ami, ari};
use crate::config;
use crate::model::{Moment, Phone};
use crate::tracker::{CallNumber, Conclusion, EndpointMap, Patience, PbxEvent, Tracker, What};

/// `callrelay replay FILE`
#[derive(Args, Debug)]
pub struct ReplayArgs {
    /// The recording, as `callrelay record` writes it (`-` for standard input)
    file: PathBuf,
    /// A TOML table of endpoint patterns and phones, as `[pbx.endpoints]`
    #[arg(long, value_name = "MAP.toml")]
    endpoints: Option<PathBuf>,
    /// Endpoint names that lead outside; may be given several times [default: trunk*]
    #[arg(long, value_name = "GLOB")]
    trunk: Vec<String>,
    /// Say with each line why, and which report of the PBX led to it
    #[arg(long)]
    why: bool,
}

/// Runs the command: one JSON object a line on `out`, what could not be read on `err`.
pub fn run(args: &ReplayArgs, out: &mut impl Write, err: &mut impl Write) -> anyhow::Result<()> {
    let pairs = match &args.endpoints {
        Some(path) => config::load_endpoints(path)?,
        None => Vec::new(),
    };
    let trunks = if args.trunk.is_empty() {
        vec!["trunk*".to_owned()]
    } else {
        args.trunk.clone()
    };
    let endpoints = EndpointMap::new(&pairs, &trunks)?;
    if args.file.as_os_str() == "-" {
        return replay(std::io::stdin().lock(), endpoints, args.why, out, err);
    }
    let file = File::open(&args.file).with_context(|| format!("cannot open {}", args.file.display()))?;
    let replayed = replay(BufReader::new(file), endpoints, args.why, out, err);
    match replayed {
        // Whoever reads has seen enough.
        Err(error) if is_broken_pipe(&error) => Ok(()),
        replayed => replayed.with_context(|| format!("while replaying {}", args.file.display())),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let of_io = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    let of_json = error
        .downcast_ref::<serde_json::Error>()
        .and_then(serde_json::Error::io_error_kind);
    of_io.or(of_json) == Some(std::io::ErrorKind::BrokenPipe)
}

/// Replays one recording. What cannot be understood is said on `err` and passed over.
pub fn replay(
    recording: impl BufRead,
    endpoints: EndpointMap,
    why: bool,
    out: &mut impl Write,
    err: &mut impl Write,
) -> anyhow::Result<()> {
    let mut complaints = Complaints { err, made: 0 };
    let mut replay = Replay {
        ear: Ear::default(),
        tracker: Tracker::new(endpoints, Patience::default()),
        why,
        out,
    };
    let mut understood = 0_u64;
    let mut last = Moment::default();
    for record in recording::read(recording) {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                complaints.make(&error)?;
                continue;
            }
        };
        // A line that went back in time happened no earlier than the one before it.
        last = last.max(record.at);
        replay.until(last)?;
        match replay.ear.translated(&record) {
            Ok(None) => understood += u64::from(record.origin().is_some()),
            Ok(Some((side, event))) => {
                understood += 1;
                let cause = why.then(|| format!("line {}: {}", record.line, told(record.event.get())));
                let news = replay.ear.merger.hear(side, last, event);
                replay.hear(last, &news, cause.as_deref())?;
            }
            Err(error) => complaints.make(&format_args!("line {}: {error}", record.line))?,
        }
    }
    complaints.sum_up()?;
    if understood == 0 && complaints.made > 0 {
        bail!("there is no event of ARI or AMI in it, as `callrelay record` writes them");
    }
    while let Some(deadline) = replay.next_deadline() {
        replay.until(deadline)?;
    }
    replay.out.flush()?;
    Ok(())
}

/// A replay under way.
struct Replay<'a, W> {
    ear: Ear,
    tracker: Tracker,
    why: bool,
    out: &'a mut W,
}

impl<W: Write> Replay<'_, W> {
    /// When something falls due.
    fn next_deadline(&self) -> Option<Moment> {
        let deadlines = [self.tracker.next_deadline(), self.ear.merger.next_deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// Prints what falls due by `now`, each with the moment it falls due.
    fn until(&mut self, now: Moment) -> anyhow::Result<()> {
        while let Some(deadline) = self.next_deadline().filter(|deadline| *deadline <= now) {
            let news = self.ear.merger.release(deadline);
            self.hear(
                deadline,
                &news,
                self.why.then_some("the other interface had said nothing by then"),
            )?;
            let conclusions = self.tracker.tick(deadline);
            let cause = self.why.then_some("nothing else was reported in time");
            print(&conclusions, cause, self.out)?;
        }
        self.ear.forget(now);
        Ok(())
    }

    fn hear(&mut self, at: Moment, news: &[PbxEvent], cause: Option<&str>) -> anyhow::Result<()> {
        for event in news {
            print(&self.tracker.handle(at, event), cause, self.out)?;
        }
        Ok(())
    }
}

/// How often what is over is forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(1);

/// Understands what either interface said. One that says something is connected.
#[derive(Default)]
struct Ear {
    manager: ami::translate::Translator,
    merger: Merger,
    forgot_at: Moment,
}

impl Ear {
    /// Forgets now and then what is over; what the two disagree about is not asked here.
    fn forget(&mut self, at: Moment) {
        if self.forgot_at + FORGET_EVERY <= at {
            self.forgot_at = at;
            self.merger.settle(at);
        }
    }

    fn translated(&mut self, record: &RecordedEvent) -> Result<Option<(Side, PbxEvent)>, String> {
        let text = record.event.get();
        let (side, event) = match record.origin() {
            Some(Origin::Ami) => {
                let message = serde_json::from_str(text).map_err(|error| error.to_string())?;
                let event = self.manager.event(&message);
                (Side::Ami, event.map_err(|error| error.to_string())?)
            }
            Some(Origin::Ari) | None => {
                let event = ari::translate::event(text);
                (Side::Ari, event.map_err(|error| error.to_string())?)
            }
        };
        if record.origin().is_some() && !self.merger.hears(side) {
            self.merger.connects(side, record.at, record.at);
        }
        Ok(event.map(|event| (side, event)))
    }
}

/// How many lines that were passed over are told one by one.
const COMPLAINTS_MAX: u64 = 10;

/// What could not be understood. A file of another kind is not told line by line.
struct Complaints<'a, W> {
    err: &'a mut W,
    made: u64,
}

impl<W: Write> Complaints<'_, W> {
    fn make(&mut self, what: &dyn Display) -> std::io::Result<()> {
        self.made += 1;
        if self.made <= COMPLAINTS_MAX {
            writeln!(self.err, "{what}")
        } else {
            Ok(())
        }
    }

    fn sum_up(&mut self) -> std::io::Result<()> {
        match self.made.saturating_sub(COMPLAINTS_MAX) {
            0 => Ok(()),
            more => writeln!(self.err, "and {more} more lines were passed over"),
        }
    }
}

/// An event in a few words: its kind, and which channels, bridge and extension it names.
fn told(event: &str) -> String {
    /// Where ARI and AMI have them, and what stands before.
    const NAMED: [(&str, &str); 15] = [
        ("/type", ""),
        ("/Event", ""),
        ("/caller/name", ""),
        ("/channel/name", ""),
        ("/peer/name", ""),
        ("/transferer_first_leg/name", ""),
        ("/Channel", ""),
        ("/DestChannel", ""),
        ("/dialstatus", ""),
        ("/DialStatus", ""),
        ("/bridge/id", "bridge"),
        ("/BridgeUniqueid", "bridge"),
        ("/transferee/name", "transferee"),
        ("/transfer_target/name", "target"),
        ("/exten", "to"),
    ];
    let Ok(event) = serde_json::from_str::<Value>(event) else {
        return String::new();
    };
    let named = NAMED.iter().filter_map(|(pointer, before)| {
        let name = event.pointer(pointer)?.as_str().filter(|name| !name.is_empty())?;
        Some([*before, name])
    });
    let words: Vec<&str> = named.flatten().filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// One line of output (`docs/protocol.md`, commands).
#[derive(Serialize)]
struct Line<'a> {
    at: f64,
    event: &'static str,
    call: u64,
    phones: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
}

fn print(conclusions: &[Conclusion], why: Option<&str>, out: &mut impl Write) -> anyhow::Result<()> {
    for conclusion in conclusions {
        let why = why.map(|cause| format!("{} ({cause})", conclusion.because));
        for line in lines(conclusion, why.as_deref()) {
            serde_json::to_writer(&mut *out, &line)?;
            out.write_all(b"\n")?;
        }
    }
    Ok(())
}

/// What is said of one conclusion: nothing of what no party would notice, and of two calls that became
/// one the end of the one and each phone that joined the other.
fn lines<'a>(conclusion: &'a Conclusion, why: Option<&'a str>) -> Vec<Line<'a>> {
    let (event, from, to) = match &conclusion.what {
        What::Ringing { from, to } => (
            "ringing",
            from.as_ref().map(|named| &named.phone),
            Some(&to.phone),
        ),
        What::Call { from, to } => ("call", from.as_ref(), to.as_ref()),
        What::Join { phone } => ("join", None, Some(phone)),
        What::Leave { phone } => ("leave", Some(phone), None),
        What::HoldOn { by } => ("hold_on", Some(by), None),
        What::HoldOff { by } => ("hold_off", Some(by), None),
        What::Transferring { from } => ("transferring", Some(from), None),
        What::Transfer { from, to } => ("transfer", Some(from), Some(to)),
        What::Bye => ("bye", None, None),
        What::Merge { absorbed, joined } => return merged(conclusion, *absorbed, joined, why),
        What::RingingOver { .. } | What::Remember => return Vec::new(),
    };
    vec![Line {
        at: conclusion.at.as_secs_f64(),
        event,
        call: conclusion.call.0,
        phones: conclusion.view.parties.keys().map(Phone::as_str).collect(),
        from: from.map(Phone::as_str),
        to: to.map(Phone::as_str),
        why,
    }]
}

fn merged<'a>(
    conclusion: &'a Conclusion,
    absorbed: CallNumber,
    joined: &'a [Phone],
    why: Option<&'a str>,
) -> Vec<Line<'a>> {
    let at = conclusion.at.as_secs_f64();
    let over = Line {
        at,
        event: "bye",
        call: absorbed.0,
        phones: Vec::new(),
        from: None,
        to: None,
        why,
    };
    let joins = joined.iter().enumerate().map(|(index, phone)| {
        let still_to_come = &joined[index + 1..];
        let parties = conclusion.view.parties.keys();
        Line {
            at,
            event: "join",
            call: conclusion.call.0,
            phones: parties
                .filter(|party| !still_to_come.contains(party))
                .map(Phone::as_str)
                .collect(),
            from: None,
            to: Some(phone.as_str()),
            why,
        }
    });
    std::iter::once(over).chain(joins).collect()
}
