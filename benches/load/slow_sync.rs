//! A disk that takes longer to sync, under a relay that knows nothing of it.
//!
//! A library of a few lines (`slow_sync.c`) is loaded into the relay with `LD_PRELOAD` and makes every call that
//! syncs wait first. Everything else of the relay costs what it costs without: `strace --inject` could delay the same
//! calls, but it stops the thread twice for each and hears of every signal and every thread.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

const SOURCE: &str = include_str!("slow_sync.c");

/// How much longer every sync of a relay takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SlowSync {
    pub(crate) ms: u32,
}

impl SlowSync {
    /// What a setting says of it.
    pub(crate) fn described(slow: Option<Self>) -> String {
        slow.map(|slow| format!(", every sync {} ms slower", slow.ms))
            .unwrap_or_default()
    }

    /// Compiles the library into this folder.
    pub(crate) fn compile(self, folder: &Path) -> anyhow::Result<Library> {
        let (source, path) = (folder.join("slow_sync.c"), folder.join("slow_sync.so"));
        std::fs::write(&source, SOURCE)?;
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let output = Command::new(&compiler)
            .args(["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o"])
            .args([&path, &source])
            .output()
            .with_context(|| format!("there is no C compiler ({compiler})"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "slow_sync.c: {said}");
        Ok(Library { path, slow: self })
    }
}

/// The compiled library.
#[derive(Debug)]
pub(crate) struct Library {
    path: PathBuf,
    slow: SlowSync,
}

impl Library {
    /// Has a process that is to be started load it.
    pub(crate) fn load_into(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.path)
            .env("SLOW_SYNC_MS", self.slow.ms.to_string());
    }

    /// Fails if this process does not have it; the loader only warns of that.
    pub(crate) fn ensure_loaded(&self, pid: u32) -> anyhow::Result<()> {
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps"))?;
        let path = self.path.to_str().context("an odd folder")?;
        ensure!(maps.contains(path), "the relay did not load {path}");
        Ok(())
    }
}
