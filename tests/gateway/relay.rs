//! The relay's process: its addresses, its log, its memory, its end.

use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::sync::watch;

use crate::http::{Answer, get};
use crate::place::Place;
use crate::{until, within};

/// A relay that runs; killed if the test ends first.
pub(crate) struct Relay {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    logged: watch::Receiver<usize>,
    /// Where terminals connect.
    pub(crate) listen: SocketAddr,
    /// Where the operator connects.
    pub(crate) admin: SocketAddr,
}

impl Relay {
    /// Starts a relay in this place, and waits until it listens.
    pub(crate) async fn start(place: &Place) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callrelay"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CALLRELAY_") {
                command.env_remove(name);
            }
        }
        command
            .env_remove("RUST_LOG")
            .envs(place.env().iter().copied())
            .current_dir(place.folder())
            .args(["--log-format", "json", "serve", "--config", "callrelay.toml"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Arc::<Mutex<Vec<String>>>::default();
        let logged = keep_log(child.stderr.take().unwrap(), Arc::clone(&log));
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut relay = Self {
            child,
            log,
            logged,
            listen: anywhere,
            admin: anywhere,
        };
        let up = relay.until_logged("the relay is up", 1).await;
        relay.listen = up["listen"].as_str().unwrap().parse().unwrap();
        relay.admin = up["admin"].as_str().unwrap().parse().unwrap();
        relay
    }

    /// Waits until something was logged so many times; gives back the fields of the last one.
    pub(crate) async fn until_logged(&mut self, message: &str, times: usize) -> Value {
        let log = Arc::clone(&self.log);
        let mut logged = self.logged.clone();
        let found = async move {
            loop {
                logged.borrow_and_update();
                let fields: Vec<Value> = {
                    let lines = log.lock().unwrap();
                    let fields = lines.iter().filter_map(|line| fields_of(line, message));
                    fields.collect()
                };
                if let Some(last) = fields.get(times - 1) {
                    return last.clone();
                }
                let goes_on = logged.changed().await.is_ok();
                assert!(goes_on, "the relay ended: {:#?}", log.lock().unwrap());
            }
        };
        within(found).await
    }

    /// Waits until the PBX has been compared.
    pub(crate) async fn until_ready(&self) {
        until(async || (self.ask("/readyz").await.status == 200).then_some(())).await;
    }

    /// `GET` at the operator's listener.
    pub(crate) async fn ask(&self, path: &str) -> Answer {
        get(self.admin, path, &[]).await
    }

    /// Everything that was logged so far, line by line.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// `SIGTERM`.
    pub(crate) fn terminate(&self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// `SIGKILL`, and waits for the end.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the process to end by itself.
    pub(crate) async fn exit_code(&mut self) -> i32 {
        let status = until(async || self.child.try_wait().unwrap()).await;
        status.code().unwrap_or(-1)
    }

    /// Whether the process is still there.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Resident memory, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        self.status_kib("VmRSS:")
    }

    /// The most resident memory there ever was, in KiB.
    pub(crate) fn resident_max_kib(&self) -> u64 {
        self.status_kib("VmHWM:")
    }

    fn status_kib(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Clock ticks of processor time used so far.
    pub(crate) fn processor_ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // After the name, which may hold anything: state, then the numbers; utime and stime are 14th and 15th.
        let (_, numbers) = stat.rsplit_once(") ").unwrap();
        let ticks = numbers.split(' ').skip(11).take(2);
        ticks.map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            for line in self.log.lock().unwrap().iter().rev().take(40).rev() {
                println!("{line}");
            }
        }
    }
}

fn keep_log(stderr: impl Read + Send + 'static, log: Arc<Mutex<Vec<String>>>) -> watch::Receiver<usize> {
    let (count, logged) = watch::channel(0);
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            log.lock().unwrap().push(line);
            count.send_modify(|lines| *lines += 1);
        }
    });
    logged
}

fn fields_of(line: &str, message: &str) -> Option<Value> {
    // Most lines are others, and need not be parsed.
    if !line.contains(message) {
        return None;
    }
    let line: Value = serde_json::from_str(line).ok()?;
    (line["fields"]["message"] == message).then(|| line["fields"].clone())
}
