//! The shim under the relay (`shim.c`): compiles it, and says what a relay is to be started with.
//!
//! It is loaded with `LD_PRELOAD` and shadows what the C library offers for files, so it lies beneath SQLite and
//! beneath everything else that touches the disk, and the relay is the one that is shipped: no
//! switch of its own makes it weaker. Of the ways to lose what was not synced this is the one that needs no root, no
//! kernel module and no other file system, and, since it only keeps a journal, shows not one power cut a run but
//! any number of them (`disk.rs`).

use std::path::{Path, PathBuf};
use std::process::Command;

/// An operation that fails once, the so-many-th of its kind, with an input/output error.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    Write(u64),
    Sync(u64),
    Read(u64),
}

/// How the disk of a relay behaves.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Behaviour {
    pub(crate) fault: Option<Fault>,
    /// Syncs are said to have succeeded, and sync nothing.
    pub(crate) lies: bool,
}

/// The compiled shim.
pub(crate) struct Shim {
    library: PathBuf,
}

impl Shim {
    /// Compiles it into this folder.
    pub(crate) fn compile(folder: &Path) -> Self {
        let (source, library) = (folder.join("shim.c"), folder.join("shim.so"));
        std::fs::write(&source, include_str!("shim.c")).unwrap();
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let output = Command::new(&compiler)
            .args(["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-pthread", "-o"])
            .args([&library, &source])
            .output()
            .unwrap_or_else(|error| panic!("there is no C compiler ({compiler}): {error}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        Self { library }
    }

    /// The variables of a relay whose store and files are on this disk.
    pub(crate) fn variables(
        &self,
        disk: &Path,
        journal: &Path,
        behaviour: Behaviour,
    ) -> Vec<(&'static str, String)> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let mut variables = vec![
            ("LD_PRELOAD", text(&self.library)),
            ("CRASHTEST_FOLDER", text(disk)),
            ("CRASHTEST_JOURNAL", text(journal)),
        ];
        let fault = behaviour.fault.map(|fault| match fault {
            Fault::Write(number) => format!("write:{number}"),
            Fault::Sync(number) => format!("sync:{number}"),
            Fault::Read(number) => format!("read:{number}"),
        });
        variables.extend(fault.map(|fault| ("CRASHTEST_FAULT", fault)));
        variables.extend(behaviour.lies.then(|| ("CRASHTEST_LIES", "1".to_owned())));
        variables
    }
}
