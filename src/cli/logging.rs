//! Log lines, on standard error.

use std::io::{self, IsTerminal};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{Directive, LevelFilter};

use super::WrongUsage;

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// Libraries that show at debug or trace what they carry: bodies, passwords, tokens. They are kept
/// above that whatever the filter says.
const CARRIERS: [&str; 5] = [
    "tungstenite",
    "tokio_tungstenite",
    "hyper",
    "hyper_util",
    "reqwest",
];

/// Starts the log of the process.
pub(super) fn start(format: Format) -> anyhow::Result<()> {
    let mut filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse(wanted().unwrap_or_default())
        .map_err(|error| WrongUsage(format!("CALLRELAY_LOG or RUST_LOG: {error}")))?;
    for carrier in CARRIERS {
        filter = filter.add_directive(format!("{carrier}=info").parse::<Directive>()?);
    }
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    match format {
        Format::Text => lines.with_ansi(io::stderr().is_terminal()).init(),
        Format::Json => lines.json().init(),
    }
    Ok(())
}

/// Our own variable wins over the one that every Rust program of the machine shares.
fn wanted() -> Option<String> {
    ["CALLRELAY_LOG", "RUST_LOG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|filter| !filter.is_empty()))
}
