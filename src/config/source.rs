//! Where the configuration comes from: file, environment, flags.

use std::fs;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};

use super::error::ConfigError;

/// What the environment variables of the configuration begin with.
const ENV_PREFIX: &str = "CALLRELAY_";

/// Between the levels of a key in an environment variable. Variables without it are not of the
/// configuration: `CALLRELAY_LOG`, or what Kubernetes sets for a service named `callrelay`.
const ENV_LEVEL: &str = "__";

/// Where to look when no file is named, first match wins.
const FILES: [&str; 2] = ["callrelay.toml", "/etc/callrelay/callrelay.toml"];

/// Everything a configuration is made of. Later ones win: file, environment, flags.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The TOML file, if there is one.
    pub file: Option<PathBuf>,
    /// Environment variables, all of them; those of the configuration are picked out.
    pub env: Vec<(String, EnvValue)>,
    /// Flags of the command line.
    pub flags: Flags,
}

/// The value of an environment variable. May be a secret, so it is not shown.
#[derive(Clone, Default)]
pub struct EnvValue(pub String);

impl std::fmt::Debug for EnvValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EnvValue(…)")
    }
}

/// The few keys that have a flag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--listen`: `server.listen`.
    pub listen: Option<String>,
    /// `--admin-listen`: `server.admin_listen`.
    pub admin_listen: Option<String>,
}

impl Sources {
    /// What this process was started with: the file that was named or the first of the usual ones
    /// that is there, and the process's environment.
    #[must_use]
    pub fn of_process(file: Option<PathBuf>) -> Self {
        let env = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value))
            .filter(|(name, _)| is_ours(name))
            .map(|(name, value)| (name, EnvValue(value.to_string_lossy().into_owned())))
            .collect();
        let usual = || FILES.iter().map(PathBuf::from).find(|path| path.exists());
        Self {
            file: file.or_else(usual),
            env,
            flags: Flags::default(),
        }
    }

    /// With these flags.
    #[must_use]
    pub fn with_flags(mut self, flags: Flags) -> Self {
        self.flags = flags;
        self
    }

    /// Environment and flags, one entry a value, in the order in which they are to be merged.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let of_env = self
            .env
            .iter()
            .filter(|(name, _)| is_ours(name))
            .map(|(name, value)| Entry {
                origin: format!("environment variable {name}"),
                path: name[ENV_PREFIX.len()..]
                    .to_lowercase()
                    .split(ENV_LEVEL)
                    .map(str::to_owned)
                    .collect(),
                text: value.0.clone(),
            });
        let of_flag = |flag: &str, key: &str, text: &Option<String>| {
            text.clone().map(|text| Entry {
                origin: format!("flag {flag}"),
                path: vec!["server".to_owned(), key.to_owned()],
                text,
            })
        };
        let flags = [
            of_flag("--listen", "listen", &self.flags.listen),
            of_flag("--admin-listen", "admin_listen", &self.flags.admin_listen),
        ];
        let mut entries: Vec<Entry> = of_env.collect();
        // The order of an environment means nothing; make it the same each time.
        entries.sort_by(|a, b| a.origin.cmp(&b.origin));
        entries.extend(flags.into_iter().flatten());
        entries
    }
}

fn is_ours(name: &str) -> bool {
    name.strip_prefix(ENV_PREFIX)
        .is_some_and(|key| key.contains(ENV_LEVEL))
}

/// One value from outside the file. It is taken as text; numbers and lists are read from the text
/// where the key asks for them, so that a password of digits stays what it is.
pub(super) struct Entry {
    /// Where it came from, in words.
    pub(super) origin: String,
    /// The levels of its key.
    pub(super) path: Vec<String>,
    text: String,
}

impl Provider for Entry {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        let leaf = Value::from(self.text.as_str());
        let nested = self.path.iter().rev().fold(leaf, |value, level| {
            let mut dict = Dict::new();
            dict.insert(level.clone(), value);
            Value::from(dict)
        });
        Ok(Profile::Default.collect(nested.into_dict().unwrap_or_default()))
    }
}

/// Reads a TOML file, in the order in which it was written.
pub(super) fn read_table(path: &Path) -> Result<toml::Table, ConfigError> {
    let text = fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    text.parse()
        .map_err(|error| ConfigError::syntax(path.to_owned(), &text, &error))
}
