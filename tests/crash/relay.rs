//! The relay's process: started, asked, killed.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::sync::watch;

use crate::PATIENCE;

/// A relay that runs; killed if it is dropped.
pub(crate) struct Relay {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    /// The lines logged so far; gone when the process is.
    logged: watch::Receiver<usize>,
}

/// Where it listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) terminals: SocketAddr,
    pub(crate) operator: SocketAddr,
}

impl Relay {
    /// Starts the program in this folder, with these variables.
    pub(crate) fn spawn(program: &Path, folder: &Path, variables: &[(&str, String)]) -> Self {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CALLRELAY_") {
                command.env_remove(name);
            }
        }
        let mut child = command
            .env_remove("RUST_LOG")
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .current_dir(folder)
            .args(["--log-format", "json", "serve", "--config", "callrelay.toml"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::<Mutex<Vec<String>>>::default();
        let (count, logged) = watch::channel(0);
        let (stderr, kept) = (child.stderr.take().unwrap(), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                kept.lock().unwrap().push(line);
                count.send_modify(|lines| *lines += 1);
            }
        });
        Self { child, log, logged }
    }

    /// Waits until it listens; `None` if it ends before.
    pub(crate) async fn up(&self) -> Option<Addresses> {
        let mut logged = self.logged.clone();
        loop {
            logged.borrow_and_update();
            if let Some(addresses) = self.log.lock().unwrap().iter().find_map(|line| addresses(line)) {
                return Some(addresses);
            }
            let changed = tokio::time::timeout(PATIENCE, logged.changed()).await;
            if changed.expect("the relay neither listens nor ends").is_err() {
                return None;
            }
        }
    }

    /// `SIGKILL`, and waits for the end. The exit code, if it had ended by itself.
    pub(crate) fn kill(&mut self) -> Option<i32> {
        // It may have ended by itself.
        let _ = self.child.kill();
        self.child.wait().unwrap().code()
    }

    /// Waits for the end of the process, which is near.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        let mut logged = self.logged.clone();
        let gone = async { while logged.changed().await.is_ok() {} };
        tokio::time::timeout(PATIENCE, gone).await.ok()?;
        self.child.wait().unwrap().code()
    }

    /// Whether nothing more is to be heard of it.
    pub(crate) fn is_gone(&self) -> bool {
        self.logged.has_changed().is_err()
    }

    /// What it logged last.
    pub(crate) fn last_words(&self) -> String {
        let log = self.log.lock().unwrap();
        let telling = log.iter().filter(|line| !line.contains("a terminal was"));
        let telling: Vec<&str> = telling.map(String::as_str).collect();
        telling[telling.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.kill();
    }
}

fn addresses(line: &str) -> Option<Addresses> {
    if !line.contains("the relay is up") {
        return None;
    }
    let line: Value = serde_json::from_str(line).ok()?;
    let address = |name: &str| line["fields"][name].as_str()?.parse().ok();
    Some(Addresses {
        terminals: address("listen")?,
        operator: address("admin")?,
    })
}
