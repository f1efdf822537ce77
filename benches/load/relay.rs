//! A relay's process, and the folder it lives in.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use argon2::password_hash::PasswordHasher as _;
use argon2::{Algorithm, Argon2, Params, Version};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::cores::Cores;
use crate::http;
use crate::line::Address;
use crate::slow_sync::{Library, SlowSync};
use crate::{sockets, usage};

/// Everybody's password.
pub(crate) const PASSWORD: &str = "password-of-everybody";
/// The token of the switch that posts what happens to calls.
const TOKEN: &str = "token-of-the-switch";
/// How long a relay may take to be up.
const PATIENCE: Duration = Duration::from_mins(2);
/// Lines of one post; well below its limit in bytes.
const POST_LINES: u32 = 2_000;

/// A relay that runs; killed, and its folder removed, when this is dropped.
pub(crate) struct Relay {
    child: Child,
    folder: TempDir,
    slow_sync: Option<Library>,
    starts: u32,
    listen: SocketAddr,
    admin: SocketAddr,
}

impl Relay {
    /// Starts a relay with so many users, a phone each.
    pub(crate) async fn start(cores: &Cores, users: u32) -> anyhow::Result<Self> {
        Self::start_on(cores, users, None).await
    }

    /// Starts one whose syncs may take longer than the disk does.
    pub(crate) async fn start_on(
        cores: &Cores,
        users: u32,
        slow_sync: Option<SlowSync>,
    ) -> anyhow::Result<Self> {
        // Beside what is built, which is on a disk; a temporary folder may be in memory, where syncs cost nothing.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        std::fs::write(folder.path().join("callrelay.toml"), config())?;
        std::fs::write(folder.path().join("users.toml"), users_file(users)?)?;
        let slow_sync = slow_sync.map(|slow| slow.compile(folder.path())).transpose()?;
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let child = spawn(cores, &folder, slow_sync.as_ref(), 1, anywhere, anywhere)?;
        let mut relay = Self {
            child,
            folder,
            slow_sync,
            starts: 1,
            listen: anywhere,
            admin: anywhere,
        };
        (relay.listen, relay.admin) = relay.until_up().await?;
        if let Some(library) = &relay.slow_sync {
            library.ensure_loaded(relay.pid())?;
        }
        Ok(relay)
    }

    /// `SIGKILL`.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts a relay where the last one was. Gives back how long it took to listen.
    pub(crate) async fn restart(&mut self, cores: &Cores) -> anyhow::Result<Duration> {
        let began = Instant::now();
        self.starts += 1;
        self.child = spawn(
            cores,
            &self.folder,
            self.slow_sync.as_ref(),
            self.starts,
            self.listen,
            self.admin,
        )?;
        self.until_up().await?;
        Ok(began.elapsed())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where the operator connects.
    pub(crate) const fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Where terminals connect.
    pub(crate) fn terminals(&self) -> Address {
        Address {
            server: self.listen,
            path: "/v1/terminal".to_owned(),
            subprotocol: "callrelay.v1",
        }
    }

    /// Has the phones of the first so many pairs call each other.
    pub(crate) async fn call(&self, pairs: u32) -> anyhow::Result<()> {
        let mut posted = 0;
        while posted < pairs {
            let until = pairs.min(posted + POST_LINES);
            let mut lines = String::new();
            for pair in posted..until {
                writeln!(lines, "CALL FROM={} TO={}", phone(2 * pair), phone(2 * pair + 1))?;
            }
            http::post(self.listen, "/v1/pbx/switch/events", TOKEN, &lines).await?;
            posted = until;
        }
        Ok(())
    }

    /// Rows that wait for somebody, over all calls.
    pub(crate) async fn unread(&self) -> anyhow::Result<u64> {
        let calls: Value = serde_json::from_str(&http::get(self.admin, "/v1/calls").await?)?;
        let calls = calls["calls"].as_array().into_iter().flatten();
        let parties = calls.filter_map(|call| call["parties"].as_array()).flatten();
        Ok(parties.filter_map(|party| party["unread"].as_u64()).sum())
    }

    /// How many of these phones have a terminal that is linked.
    pub(crate) async fn linked(&self, phones: &BTreeSet<String>) -> anyhow::Result<u64> {
        let links: Value = serde_json::from_str(&http::get(self.admin, "/v1/links").await?)?;
        let links = links["links"].as_array().into_iter().flatten();
        let linked = links.filter_map(|link| link["phone"].as_str());
        Ok(linked.filter(|phone| phones.contains(*phone)).count() as u64)
    }

    /// Connections of terminals that have not taken yet what the relay's kernel has for them.
    pub(crate) fn full_sockets(&self) -> anyhow::Result<BTreeSet<(String, String)>> {
        let table = std::fs::read_to_string("/proc/net/tcp").context("cannot read /proc/net/tcp")?;
        Ok(sockets::full(&table, self.listen.port()))
    }

    pub(crate) fn resident_kib(&self) -> anyhow::Result<u64> {
        usage::resident_kib(self.pid())
    }

    /// Waits for the log to say so, and reads the addresses there.
    async fn until_up(&mut self) -> anyhow::Result<(SocketAddr, SocketAddr)> {
        let began = Instant::now();
        let path = log(&self.folder, self.starts);
        while began.elapsed() < PATIENCE {
            let log = std::fs::read_to_string(&path)?;
            if let Some(line) = log.lines().find(|line| line.contains("the relay is up")) {
                let line: Value = serde_json::from_str(line)?;
                let address = |name: &str| -> anyhow::Result<SocketAddr> {
                    let text = line["fields"][name].as_str();
                    Ok(text.context("no address in the relay's log")?.parse()?)
                };
                return Ok((address("listen")?, address("admin")?));
            }
            ensure!(self.child.try_wait()?.is_none(), "the relay ended: {log}");
            sleep(Duration::from_millis(1)).await;
        }
        bail!("the relay was not up within {PATIENCE:?}")
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One of the numbers for Prometheus at an operator's listener.
pub(crate) async fn number(admin: SocketAddr, name: &str) -> anyhow::Result<u64> {
    let numbers = http::get(admin, "/metrics").await?;
    let value = numbers
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(value
        .with_context(|| format!("/metrics has no {name}"))?
        .parse()?)
}

fn spawn(
    cores: &Cores,
    folder: &TempDir,
    slow_sync: Option<&Library>,
    starts: u32,
    listen: SocketAddr,
    admin: SocketAddr,
) -> anyhow::Result<Child> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callrelay"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CALLRELAY_") {
            command.env_remove(name);
        }
    }
    command
        .env_remove("RUST_LOG")
        .current_dir(folder.path())
        .args(["--log-format", "json", "serve", "--config", "callrelay.toml"])
        .args([
            "--listen",
            &listen.to_string(),
            "--admin-listen",
            &admin.to_string(),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(log(folder, starts))?);
    if let Some(library) = slow_sync {
        library.load_into(&mut command);
    }
    cores
        .as_server(|| command.spawn())?
        .context("cannot start the relay")
}

fn log(folder: &TempDir, starts: u32) -> PathBuf {
    folder.path().join(format!("log.{starts}"))
}

/// Nothing is limited that a load may reach.
fn config() -> String {
    format!(
        "[store]\nurl = \"sqlite:relay.db\"\n\
         [[pbx]]\nname = \"switch\"\nkind = \"notify\"\ntoken = \"{TOKEN}\"\n\
         [users]\nfile = \"users.toml\"\n\
         [mailbox]\nrows_max = 100000000\nbytes_max = 100000000000\n\
         [limits]\nsends_per_sec = 1000000\nsends_burst = 1000000\n"
    )
}

/// Everybody has the same password, at the least work there is: what is measured is not Argon2.
fn users_file(users: u32) -> anyhow::Result<String> {
    let params = Params::new(Params::MIN_M_COST, 1, 1, None).context("Argon2 takes no less work")?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon2
        .hash_password_with_salt(PASSWORD.as_bytes(), b"salt of the bench")
        .map_err(|error| anyhow::anyhow!("the password cannot be hashed: {error}"))?
        .to_string();
    let mut text = String::new();
    for user in 0..users {
        let phone = phone(user);
        writeln!(
            text,
            "[[user]]\nid = \"{phone}\"\nphones = [\"{phone}\"]\npassword_hash = \"{hash}\""
        )?;
    }
    Ok(text)
}

/// The phone of a user, which is the user's id too. Two in a row are a pair.
pub(crate) fn phone(user: u32) -> String {
    (100_000 + user).to_string()
}
