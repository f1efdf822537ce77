//! A small file system of its own, filled up and freed.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system in memory, unmounted when the test ends.
pub(crate) struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// One with room for so many bytes. `None` where mounting is not permitted.
    pub(crate) fn mount(bytes: u64) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={bytes}");
        let mount = ["-t", "tmpfs", "-o", &options, "callrelay-test"];
        let mounted = Command::new("mount").args(mount).arg(folder.path()).output();
        mounted
            .is_ok_and(|output| output.status.success())
            .then_some(Self { folder })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }

    /// Leaves about so many bytes; with 0, not a page.
    pub(crate) fn fill_but(&self, bytes: u64) {
        let mut filler = File::create(self.filler()).unwrap();
        for piece in [vec![1; 64 * 1024], vec![1; 4096]] {
            while filler.write_all(&piece).is_ok() {}
        }
        if bytes > 0 {
            let size = filler.metadata().unwrap().len();
            filler.set_len(size.saturating_sub(bytes)).unwrap();
        }
    }

    /// Frees it, if it was filled.
    pub(crate) fn free(&self) {
        let _ = std::fs::remove_file(self.filler());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the relay may still be ending.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
