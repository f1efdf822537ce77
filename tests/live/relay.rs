//! The real binary, as an operator runs it.

use std::fs::File;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::stage::{Flavour, Pbx};
use crate::wire::Wire;

/// How long the relay may take to be ready: its own start, and the comparison with the PBX.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// Where the relays of the tests listen.
const FIRST_PORT: u16 = 18_000;
const PORTS: u16 = 12_000;
/// How often it is asked.
const ASK_EVERY: Duration = Duration::from_millis(25);
/// How long unread rows outlive their call here.
const LINGER_SECS: u32 = 2;

/// A running relay with a folder of its own.
#[derive(Debug)]
pub(crate) struct RelayProcess {
    pub(crate) process: Child,
    pub(crate) folder: Option<TempDir>,
    path: PathBuf,
    pub(crate) terminals: u16,
    pub(crate) operator: u16,
    /// The scene makes Asterisk leave out events. A real one does not do so by itself, and nothing it says
    /// late may be taken for left out.
    pub(crate) may_repair: bool,
    /// Pulls at one of two wires to the PBX.
    _puller: JoinSet<()>,
}

/// What a relay is told besides the PBX and the five phones.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Settings<'a> {
    /// More phones that have a user.
    pub(crate) phones: &'a [&'a str],
    /// Lines for `[pbx.endpoints]`.
    pub(crate) endpoints: &'a str,
    /// The PBX by another way, if it is to be reached by one.
    pub(crate) by_wire: Option<&'a Pbx>,
}

impl RelayProcess {
    /// Starts a relay that follows this PBX, with these settings and a user for each phone: `user1001`,
    /// password `secret-1001`, and so on.
    pub(crate) async fn start(pbx: &Pbx, settings: Settings<'_>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("callrelay-").tempdir()?;
        let path = folder.path().to_owned();
        let (terminals, operator) = (free_port()?, free_port()?);
        let reached = settings.by_wire.unwrap_or(pbx);
        let (reached, puller) = pulled(reached).await?;
        write_config(&path, &reached, terminals, operator, settings)?;
        let phones = ["1001", "1002", "1003", "1004", "1005"];
        for phone in phones.iter().chain(settings.phones) {
            add_user(&path, phone)?;
        }
        let process = spawn(&path)?;
        let mut relay = Self {
            process,
            folder: Some(folder),
            path,
            terminals,
            operator,
            may_repair: false,
            _puller: puller,
        };
        relay.is_ready().await?;
        Ok(relay)
    }

    /// Where terminals connect.
    pub(crate) fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/v1/terminal", self.terminals)
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Starts it again on the same store.
    pub(crate) async fn start_again(&mut self) -> Result<()> {
        self.process = spawn(&self.path)?;
        self.is_ready().await
    }

    /// What the operator is told at this path.
    pub(crate) async fn operator(&self, path: &str) -> Result<Value> {
        let answer = reqwest::get(format!("http://127.0.0.1:{}{path}", self.operator)).await?;
        Ok(answer.json().await?)
    }

    /// Whether some file of the store holds this text.
    pub(crate) fn store_holds(&self, text: &str) -> Result<bool> {
        for entry in std::fs::read_dir(&self.path)? {
            let path = entry?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if !name.starts_with("callrelay.db") {
                continue;
            }
            // A file of the store may go away while it is looked for.
            let bytes = std::fs::read(&path).unwrap_or_default();
            if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Waits until no file of the store holds this text.
    pub(crate) async fn forgets(&self, text: &str) -> Result<()> {
        let forgotten = async {
            while self.store_holds(text)? {
                tokio::time::sleep(ASK_EVERY).await;
            }
            anyhow::Ok(())
        };
        let within = Duration::from_secs(u64::from(LINGER_SECS) + 10);
        tokio::time::timeout(within, forgotten)
            .await
            .with_context(|| format!("the store still holds {text:?}"))?
    }

    /// What the relay logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path.join("relay.log")).unwrap_or_default()
    }

    async fn is_ready(&mut self) -> Result<()> {
        let ready = async {
            loop {
                if let Some(status) = self.process.try_wait()? {
                    bail!("the relay ended with {status}:\n{}", self.log());
                }
                let asked = reqwest::get(format!("http://127.0.0.1:{}/readyz", self.operator)).await;
                if asked.is_ok_and(|answer| answer.status().is_success()) {
                    return Ok(());
                }
                tokio::time::sleep(ASK_EVERY).await;
            }
        };
        let waited = tokio::time::timeout(READY_WITHIN, ready).await;
        waited.unwrap_or_else(|_| bail!("the relay was not ready in time:\n{}", self.log()))
    }
}

impl Drop for RelayProcess {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let log = self.log();
        // Only now: the process wrote into it.
        drop(self.folder.take());
        let repaired = log
            .lines()
            .filter(|line| line.contains("the PBX left out an event"));
        let repaired: Vec<&str> = repaired.collect();
        let is_well = repaired.is_empty() || self.may_repair || std::thread::panicking();
        assert!(is_well, "{repaired:#?}");
    }
}

/// The binary under test.
pub(crate) fn binary() -> PathBuf {
    let named = std::env::var_os("CALLRELAY_BIN").map(PathBuf::from);
    let built = option_env!("CARGO_BIN_EXE_callrelay").map(PathBuf::from);
    named
        .or(built)
        .unwrap_or_else(|| PathBuf::from("target/debug/callrelay"))
}

fn spawn(folder: &Path) -> Result<Child> {
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.join("relay.log"))?;
    let binary = std::path::absolute(binary())?;
    Command::new(&binary)
        .arg("serve")
        .current_dir(folder)
        .env("CALLRELAY_LOG", "debug")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .with_context(|| format!("cannot start {}", binary.display()))
}

fn write_config(
    folder: &Path,
    pbx: &Pbx,
    terminals: u16,
    operator: u16,
    settings: Settings<'_>,
) -> Result<()> {
    let endpoints = settings.endpoints;
    let account = format!("username = \"callrelay\"\npassword = \"{}\"\n", pbx.password);
    // Of one application there is one listener.
    let over_ari = format!(
        "kind = \"ari\"\nurl = \"{}\"\napp = \"callrelay-{terminals}\"\n{account}",
        pbx.ari_url
    );
    let by_manager = format!("url = \"tcp://{}\"\n{account}", pbx.ami);
    let over = match pbx.flavour {
        Flavour::Ari => over_ari,
        Flavour::Ami => format!("kind = \"ami\"\n{by_manager}"),
        Flavour::Both | Flavour::Pulled(_) => format!("{over_ari}[pbx.ami]\n{by_manager}"),
    };
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:{terminals}\"\nadmin_listen = \"127.0.0.1:{operator}\"\n\n\
         [[pbx]]\nname = \"main\"\n{over}[pbx.endpoints]\n{endpoints}\n[mailbox]\nlinger_secs = {LINGER_SECS}\n",
    );
    std::fs::write(folder.join("callrelay.toml"), config)?;
    Ok(())
}

/// The PBX with a wire to one of its interfaces that is pulled again and again, if that is asked for.
async fn pulled(pbx: &Pbx) -> Result<(Pbx, JoinSet<()>)> {
    let mut puller = JoinSet::new();
    let Flavour::Pulled(interface) = pbx.flavour else {
        return Ok((pbx.clone(), puller));
    };
    let (wire, by_wire) = Wire::to(pbx, &[interface]).await?;
    puller.spawn(wire.keeps_being_pulled());
    Ok((by_wire, puller))
}

fn add_user(folder: &Path, phone: &str) -> Result<()> {
    let mut adding = Command::new(std::path::absolute(binary())?)
        .args([
            "user",
            "add",
            "--id",
            &format!("user{phone}"),
            "--phone",
            phone,
            "--password-stdin",
        ])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = adding.stdin.take().context("standard input")?;
    writeln!(stdin, "secret-{phone}")?;
    drop(stdin);
    let added = adding.wait_with_output()?;
    let words = String::from_utf8_lossy(&added.stderr);
    ensure!(
        added.status.success(),
        "user add ended with {}: {words}",
        added.status
    );
    Ok(())
}

/// A port for the relay to listen on, now and after a restart. Below those that the system gives to
/// connections and phones: one of these would sooner or later have been given away meanwhile.
fn free_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let mine = u16::try_from(std::process::id() * 61 % u32::from(PORTS))?;
    for _ in 0..PORTS {
        let port = FIRST_PORT + (mine + NEXT.fetch_add(1, Ordering::Relaxed)) % PORTS;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free")
}
