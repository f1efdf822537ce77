//! Secrets that are kept in a file of their own.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use tracing::warn;

use super::wire::{KeptIn, Secret};

/// A secret file larger than this is not one.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// The secret itself. Paths are relative to `folder`, that of the configuration file.
///
/// A file may end in one line break, which is not part of the secret. One that everybody on the
/// machine can read is used, with a warning.
pub(super) fn reveal(secret: &Secret, folder: &Path) -> Result<SecretString, String> {
    let secret = match secret {
        Secret::Text(text) => text.clone(),
        Secret::Kept(at) => match at.get(&KeptIn::File) {
            Some(file) => read(&folder.join(file))?,
            None => return Err("is empty".to_owned()),
        },
    };
    if secret.expose_secret().is_empty() {
        return Err("is empty".to_owned());
    }
    Ok(secret)
}

fn read(path: &Path) -> Result<SecretString, String> {
    let cannot = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let mut text = String::new();
    let file = File::open(path).map_err(cannot)?;
    warn_if_open_to_all(path);
    file.take(FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(cannot)?;
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    Ok(SecretString::from(secret.strip_suffix('\r').unwrap_or(secret)))
}

#[cfg(unix)]
fn warn_if_open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt;

    if fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0) {
        warn!(file = %path.display(), "a secret file can be read by everybody on this machine");
    }
}

#[cfg(not(unix))]
fn warn_if_open_to_all(_path: &Path) {}
