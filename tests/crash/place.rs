//! A folder with everything a relay needs, and how many phones it is for.

use std::path::{Path, PathBuf};

use argon2::password_hash::PasswordHasher as _;
use argon2::{Algorithm, Argon2, Params, Version};

/// The switch's token.
pub(crate) const TOKEN: &str = "token-of-the-switch";
/// The password of the one user, who has all phones.
pub(crate) const PASSWORD: &str = "correct-horse-of-everybody";

/// The folder, which goes when the run ends.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    disk: PathBuf,
}

impl Place {
    /// `disk`: where store and files are, if not beside the rest.
    pub(crate) fn new(phones: &[String], disk: Option<&Path>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = disk.map_or_else(|| folder.path().join("disk"), Path::to_owned);
        // The relay makes the other folder itself.
        std::fs::create_dir_all(disk.join("data")).unwrap();
        // Names of the journal are compared as they are.
        let disk = disk.canonicalize().unwrap();
        let place = Self { folder, disk };
        place.configure(place.folder(), &place.disk.join("data/relay.db"), &place.files());
        let params = Params::new(Params::MIN_M_COST, 1, 1, None).unwrap();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hash = argon2.hash_password_with_salt(PASSWORD.as_bytes(), b"salt of the tests");
        let hash = hash.unwrap().to_string();
        let users =
            format!("[[user]]\nid = \"everybody\"\nphones = {phones:?}\npassword_hash = \"{hash}\"\n");
        std::fs::write(place.folder().join("users.toml"), users).unwrap();
        place
    }

    /// Configures a relay, which runs in this folder.
    pub(crate) fn configure(&self, folder: &Path, database: &Path, files: &Path) {
        let config = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n\
             [store]\nurl = \"sqlite:{}\"\nfiles = \"{}\"\n\
             [users]\nfile = \"{}\"\n\
             [[pbx]]\nname = \"floor\"\nkind = \"notify\"\ntoken = \"{TOKEN}\"\n\
             [mailbox]\nlinger_secs = 60\nrows_max = 1000000\nbytes_max = 1000000000\n\
             [limits]\nsends_per_sec = 1000000\nsends_burst = 1000000\nfile_bytes_max = 1000000\n\
             [call]\nsettle_ms = 50\nresume_delay_ms = 5\n",
            database.display(),
            files.display(),
            self.folder().join("users.toml").display(),
        );
        std::fs::write(folder.join("callrelay.toml"), config).unwrap();
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The disk, with everything on it that has to last.
    pub(crate) fn disk(&self) -> &Path {
        &self.disk
    }

    /// The folder of uploaded files.
    pub(crate) fn files(&self) -> PathBuf {
        self.disk.join("files")
    }

    /// Where the shim keeps its journal.
    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.path().join("journal")
    }
}
