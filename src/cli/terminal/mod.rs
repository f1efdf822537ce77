//! `callrelay terminal`: a terminal in lines, for people and scripts.
//!
//! `machine` decides, `connection` carries, `print` shows; this file ties them together.

mod calls;
mod connection;
mod frames;
mod machine;
mod outbox;
mod print;

use std::future::pending;
use std::io::{self, BufRead, Write};
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use jiff::tz::TimeZone;
use rand::RngExt;
use rand::rngs::StdRng;
use secrecy::SecretString;
use tokio::sync::mpsc;
use tokio::time::{Sleep, sleep};

use self::connection::{Connection, Event, terminal_url};
use self::machine::{Effect, Frame, Machine, Print, Settings};
use super::output::note;
use super::{WrongUsage, password};

/// The password, for scripts.
const PASSWORD_VARIABLE: &str = "CALLRELAY_PASSWORD";

/// Lines read ahead.
const INPUT_QUEUE: usize = 16;

/// `callrelay terminal`
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Args, Debug)]
#[command(after_help = "\
The password is taken from --password-stdin (first line), else from CALLRELAY_PASSWORD, else asked for.

A lost connection is made again; what was typed meanwhile is sent then, once. Exit code 0: the session \
ended as it should and every line was accepted. 1: refused, displaced, or lines were not accepted.")]
pub(super) struct TerminalArgs {
    /// The relay, such as `ws://127.0.0.1:8480` or `https://relay.example.com`
    #[arg(long)]
    url: String,
    /// The name to sign in with
    #[arg(long)]
    id: String,
    /// Which phone, for somebody who has several
    #[arg(long)]
    phone: Option<String>,
    /// A name for this terminal; a second one of the same name displaces the first [default: random]
    #[arg(long, value_name = "NAME", value_parser = terminal_name)]
    terminal: Option<String>,
    /// Link also while the phone is not in a call, and wait for the next one
    #[arg(long)]
    wait: bool,
    /// Print each frame as one line of JSON, and take frames as lines of JSON
    #[arg(long)]
    json: bool,
    /// With --json: do not acknowledge rows; the script does
    #[arg(long, requires = "json")]
    no_ack: bool,
    /// Go on listening after the end of standard input
    #[arg(long)]
    stay: bool,
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
}

/// The protocol's limit.
fn terminal_name(name: &str) -> Result<String, String> {
    match name.chars().count() {
        1..=64 => Ok(name.to_owned()),
        _ => Err("1 to 64 characters".to_owned()),
    }
}

/// Runs the terminal until the session ends or there is nothing left to do.
pub(super) async fn run(args: &TerminalArgs) -> anyhow::Result<ExitCode> {
    let url = terminal_url(&args.url)?;
    let password = password_of(args)?;
    let mut random: StdRng = rand::make_rng();
    let settings = Settings {
        id: args.id.clone(),
        password,
        phone: args.phone.clone(),
        terminal: args
            .terminal
            .clone()
            .unwrap_or_else(|| format!("lines-{:016x}", random.random::<u64>())),
        ref_prefix: format!("{:016x}", random.random::<u64>()),
        wait: args.wait,
        json: args.json,
        ack: !args.no_ack,
        stay: args.stay,
    };
    let terminal = Terminal {
        url,
        json: args.json,
        zone: TimeZone::system(),
        random,
        connection: Connection::default(),
        typed: read_lines(),
        reconnect: Timer::default(),
        wake: Timer::default(),
    };
    terminal.run(Machine::new(settings)).await
}

fn password_of(args: &TerminalArgs) -> anyhow::Result<SecretString> {
    if args.password_stdin {
        return password::from_stdin();
    }
    match std::env::var(PASSWORD_VARIABLE) {
        Ok(password) if !password.is_empty() => Ok(SecretString::from(password)),
        Ok(_) | Err(_) if args.json => {
            let message =
                format!("with --json the password comes from {PASSWORD_VARIABLE} or --password-stdin");
            Err(WrongUsage(message).into())
        }
        Ok(_) | Err(_) => password::ask("Password: "),
    }
}

/// Standard input, line by line. A thread of its own reads it, which may never end; so the process does
/// not wait for it.
fn read_lines() -> mpsc::Receiver<String> {
    let (queue, lines) = mpsc::channel(INPUT_QUEUE);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        let mut line = Vec::new();
        loop {
            line.clear();
            // A broken input is an ended one.
            if input.read_until(b'\n', &mut line).unwrap_or(0) == 0 {
                return;
            }
            let text = String::from_utf8_lossy(&line);
            if queue
                .blocking_send(text.trim_end_matches(['\n', '\r']).to_owned())
                .is_err()
            {
                return;
            }
        }
    });
    lines
}

/// Everything around the machine.
struct Terminal {
    url: String,
    json: bool,
    zone: TimeZone,
    random: StdRng,
    connection: Connection,
    typed: mpsc::Receiver<String>,
    reconnect: Timer,
    wake: Timer,
}

impl Terminal {
    async fn run(mut self, mut machine: Machine) -> anyhow::Result<ExitCode> {
        loop {
            while let Some(effect) = machine.poll_effect() {
                if let Some(code) = self.carry_out(effect, &mut machine).await? {
                    return Ok(code);
                }
            }
            tokio::select! {
                event = self.connection.next() => tell(&mut machine, event),
                line = self.typed.recv(), if machine.wants_input() => match line {
                    Some(line) => machine.handle_typed(&line),
                    None => machine.handle_end_of_input(),
                },
                () = self.wake.elapsed() => machine.handle_wake(),
                () = self.reconnect.elapsed() => match Connection::connect(&self.url).await {
                    Ok(connection) => {
                        self.connection = connection;
                        machine.handle_connected();
                    }
                    Err(reason) => machine.handle_connect_failed(reason),
                },
            }
        }
    }

    /// Does one thing; `Some` if it was the last.
    async fn carry_out(&mut self, effect: Effect, machine: &mut Machine) -> anyhow::Result<Option<ExitCode>> {
        match effect {
            Effect::Send(Frame(frame)) => {
                if let Some(event) = self.connection.send(frame).await {
                    tell(machine, event);
                }
            }
            Effect::Print(print) => self.print(&print)?,
            Effect::Connect(least, most) => {
                self.connection.drop_it();
                self.wake.stop();
                let after = self.between(least, most);
                self.reconnect.start(after);
            }
            Effect::Wake(after) => self.wake.start(after),
            Effect::End(Ok(())) => return Ok(Some(ExitCode::SUCCESS)),
            Effect::End(Err(reason)) => bail!(reason),
        }
        Ok(None)
    }

    /// With `--json` standard output is for the frames alone.
    fn print(&self, print: &Print) -> io::Result<()> {
        let line = print::line(print, &self.zone);
        if self.json && !matches!(print, Print::Raw(_)) {
            note(line);
            return Ok(());
        }
        let mut out = io::stdout().lock();
        writeln!(out, "{line}")?;
        // A row is acknowledged next; so it has to be out.
        out.flush()
    }

    fn between(&mut self, least: Duration, most: Duration) -> Duration {
        least + most.saturating_sub(least).mul_f64(self.random.random::<f64>())
    }
}

fn tell(machine: &mut Machine, event: Event) {
    match event {
        Event::Frame(text) => machine.handle_frame(&text),
        Event::Closed(code, reason) => machine.handle_closed(code, reason),
    }
}

/// Elapses once after it was started; never, if it was not.
#[derive(Debug, Default)]
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    fn start(&mut self, after: Duration) {
        self.0 = Some(Box::pin(sleep(after)));
    }

    fn stop(&mut self) {
        self.0 = None;
    }

    async fn elapsed(&mut self) {
        match &mut self.0 {
            Some(sleep) => sleep.await,
            None => pending().await,
        }
        self.0 = None;
    }
}
