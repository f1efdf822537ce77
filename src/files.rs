//! The bytes of uploaded files: one file each, named by its id, in a folder of their own.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use tracing::warn;

use crate::model::FileId;
use crate::store::StoreError;

/// Hexadecimal digits of an id.
const ID_CHARS: usize = 32;
/// What the name of a file ends with that is not whole yet.
const PART: &str = ".part";

/// A folder for uploaded files.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Opens the folder, and makes it if there is none. It survives a power cut when this returns.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let is_missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
        let missing = path.ancestors().take_while(is_missing).count();
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .recursive(true)
            .create(path)
            .map_err(|error| broken(path, &error))?;
        // One that is there may have been made by a process that was killed right then.
        for made in path.ancestors().take(missing.max(1)) {
            let outer = folder_of(made);
            match sync_folder(outer) {
                // Somebody else made it, and saw to that.
                Err(error) if missing == 0 && error.kind() == io::ErrorKind::PermissionDenied => {}
                synced => synced.map_err(|error| broken(outer, &error))?,
            }
        }
        Ok(Self(path.to_owned()))
    }

    /// The folder at this path, which is there.
    pub(crate) fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Where the bytes of a file are. An id is made by the relay, so it is a plain name.
    #[must_use]
    pub fn path(&self, file: &FileId) -> PathBuf {
        self.0.join(file.as_str())
    }

    /// Begins a file that nobody may read yet.
    pub fn begin(&self, file: &FileId) -> io::Result<Beginning> {
        let path = self.0.join(format!("{file}{PART}"));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&path)?;
        Ok(Beginning {
            path,
            whole: self.path(file),
            kept: false,
        })
    }

    /// Forgets a file, if it is there.
    pub(crate) fn remove(&self, file: &FileId) {
        remove(&self.path(file));
    }

    /// Removes what was made here, but for these files.
    pub(crate) fn keep_only<'a>(&self, files: impl Iterator<Item = &'a FileId>) -> Result<(), StoreError> {
        let kept: BTreeSet<&str> = files.map(FileId::as_str).collect();
        let entries = fs::read_dir(&self.0).map_err(|error| broken(&self.0, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| broken(&self.0, &error))?;
            let is_left = |name: &str| is_ours(name) && !kept.contains(name);
            if entry.file_name().to_str().is_some_and(is_left) {
                remove(&entry.path());
            }
        }
        Ok(())
    }
}

/// A file that is being written. It is removed when this goes out of scope, unless it is kept.
#[derive(Debug)]
pub struct Beginning {
    path: PathBuf,
    whole: PathBuf,
    kept: bool,
}

impl Beginning {
    /// Where to write.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name. Its bytes were synced; its name survives a power cut when this returns.
    pub fn finish(&mut self) -> io::Result<()> {
        fs::rename(&self.path, &self.whole)?;
        self.path.clone_from(&self.whole);
        sync_folder(folder_of(&self.whole))
    }

    /// Somebody else sees to its removal.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Beginning {
    fn drop(&mut self) {
        if !self.kept {
            remove(&self.path);
        }
    }
}

/// The folder that a file or folder is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Makes sure of what is called how in a folder.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Whether it can have been made here: nothing else is touched, wherever the folder may be.
fn is_ours(name: &str) -> bool {
    let id = name.strip_suffix(PART).unwrap_or(name);
    id.len() == ID_CHARS
        && id
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Bytes in hexadecimal, as checksums are written.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // A string takes whatever is written.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        // It is removed at the next start.
        Err(error) => warn!(file = %path.display(), %error, "a file could not be removed"),
    }
}

fn broken(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Broken(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "00112233445566778899aabbccddeeff";
    const OTHER: &str = "ffeeddccbbaa99887766554433221100";

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_does_not_come_to_its_end_leaves_nothing() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(&place.path().join("a/b")).unwrap();
        let (one, other) = (FileId::new(ONE), FileId::new(OTHER));
        let mut begun = folder.begin(&one).unwrap();
        fs::write(begun.path(), "whole").unwrap();
        assert!(!folder.path(&one).exists());
        begun.finish().unwrap();
        begun.keep();
        let mut refused = folder.begin(&other).unwrap();
        refused.finish().unwrap();
        drop(refused);
        drop(folder.begin(&other).unwrap());
        assert_eq!(names(&place.path().join("a/b")), [ONE]);
        assert_eq!(fs::read_to_string(folder.path(&one)).unwrap(), "whole");
        folder.remove(&one);
        folder.remove(&one);
        assert_eq!(names(&place.path().join("a/b")), [""; 0]);
    }

    #[test]
    fn at_a_start_what_nobody_knows_of_goes_and_nothing_that_is_not_ours() {
        let place = tempfile::tempdir().unwrap();
        let (part, foreign) = (format!("{OTHER}.part"), "report.pdf");
        for name in [ONE, OTHER, &part, foreign, "README"] {
            fs::write(place.path().join(name), "").unwrap();
        }
        let folder = Folder::open(place.path()).unwrap();
        folder.keep_only([FileId::new(ONE)].iter()).unwrap();
        assert_eq!(names(place.path()), [ONE, "README", foreign]);
    }
}
