//! From sources to keys: merge, then read as much as can be read and collect what cannot.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::error::Kind;
use figment::providers::Serialized;
use figment::value::{Tag, Value};

use super::check;
use super::endpoints::{EndpointPairs, read_map};
use super::error::{ConfigError, Problem, nearest};
use super::source::{Sources, read_table};
use super::{Config, wire};

/// A configuration that was read but not yet checked.
///
/// Commands that need one key only, such as the place of the users file, take it from here, so that
/// they work before a PBX is configured.
pub struct Draft {
    wire: wire::Config,
    endpoints: BTreeMap<String, EndpointPairs>,
    problems: Vec<Problem>,
    merged: Figment,
    folder: PathBuf,
    file: Option<PathBuf>,
}

impl Draft {
    /// Reads and merges the sources. Fails only if a file cannot be read or is not TOML.
    pub fn read(sources: &Sources) -> Result<Self, ConfigError> {
        let mut table = match &sources.file {
            Some(path) => read_table(path)?,
            None => toml::Table::new(),
        };
        let mut problems = Vec::new();
        let endpoints = number_pbxs(&mut table, &mut problems);
        let mut merged = Figment::from(Serialized::defaults(table));
        for entry in sources.entries() {
            if entry.path.get(2).is_some_and(|key| key == "endpoints") && entry.path[0] == "pbx" {
                let mut problem = Problem::new(entry.path.join("."), "endpoints can be set in the file only");
                problem.origin = Some(entry.origin);
                problems.push(problem);
            } else {
                merged = merged.merge(entry);
            }
        }
        let wire = extract(&merged, &mut problems);
        let parent = sources
            .file
            .as_deref()
            .and_then(Path::parent)
            .unwrap_or(Path::new(""));
        Ok(Self {
            wire,
            endpoints,
            problems,
            merged,
            folder: parent.to_owned(),
            file: sources.file.clone(),
        })
    }

    /// The file it was read from.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// `users.file`.
    #[must_use]
    pub fn users_file(&self) -> &Path {
        &self.wire.users.file
    }

    /// `server.admin_listen`, if it is an address.
    #[must_use]
    pub fn admin_listen(&self) -> Option<SocketAddr> {
        self.wire.server.admin_listen.parse().ok()
    }

    /// Checks everything; reads secret files.
    pub fn finish(self) -> Result<Config, ConfigError> {
        let mut problems = self.problems;
        let config = check::check(&self.wire, self.endpoints, &self.folder, &mut problems);
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            Some(_) | None => {
                for problem in &mut problems {
                    problem.origin = problem
                        .origin
                        .take()
                        .or_else(|| origin(&self.merged, &problem.key));
                }
                Err(ConfigError::Invalid(problems))
            }
        }
    }
}

impl fmt::Debug for Draft {
    /// Without the values, some of which are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("file", &self.file)
            .field("problems", &self.problems)
            .finish_non_exhaustive()
    }
}

/// Turns the list `pbx` into a table by number, so that environment variables can reach into it, and
/// takes the endpoint maps out, whose order a merge would lose.
fn number_pbxs(table: &mut toml::Table, problems: &mut Vec<Problem>) -> BTreeMap<String, EndpointPairs> {
    let mut maps = BTreeMap::new();
    let pbxs = match table.get_mut("pbx") {
        None => return maps,
        Some(toml::Value::Array(pbxs)) => std::mem::take(pbxs),
        Some(_) => {
            problems.push(Problem::new(
                "pbx",
                "must be a list: write [[pbx]], with two brackets",
            ));
            table.remove("pbx");
            return maps;
        }
    };
    let mut numbered = toml::Table::new();
    for (number, mut pbx) in pbxs.into_iter().enumerate() {
        let number = number.to_string();
        match pbx.as_table_mut().and_then(|pbx| pbx.remove("endpoints")) {
            None => {}
            Some(toml::Value::Table(map)) => {
                let map = read_map(&format!("pbx.{number}.endpoints"), &map, problems);
                maps.insert(number.clone(), map);
            }
            Some(_) => problems.push(Problem::new(
                format!("pbx.{number}.endpoints"),
                "must be a table: write [pbx.endpoints], then one \"pattern\" = \"phone\" a line",
            )),
        }
        numbered.insert(number, pbx);
    }
    table.insert("pbx".to_owned(), toml::Value::Table(numbered));
    maps
}

/// Reads the keys. What cannot be read is told, taken out, and the rest is read again, so that one
/// run shows every problem.
fn extract(merged: &Figment, problems: &mut Vec<Problem>) -> wire::Config {
    let mut root = match merged.extract::<figment::value::Dict>() {
        Ok(dict) => Value::Dict(Tag::Default, dict),
        Err(error) => {
            problems.push(Problem::new("configuration", error.kind.to_string()));
            return wire::Config::default();
        }
    };
    loop {
        let error = match root.deserialize::<wire::Config>() {
            Ok(wire) => return wire,
            Err(error) => error,
        };
        let (path, message) = describe(error);
        let removed = remove(&mut root, &path);
        problems.push(Problem::new(path.join("."), message));
        if !removed {
            return wire::Config::default();
        }
    }
}

/// The key that an error is about, and the error in words.
fn describe(error: figment::Error) -> (Vec<String>, String) {
    let mut path = error.path;
    let message = match error.kind {
        Kind::UnknownField(name, known) => {
            if path.last() != Some(&name) {
                path.push(name.clone());
            }
            let hint = match nearest(&name, known) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("known here: {}", known.join(", ")),
            };
            format!("unknown key; {hint}")
        }
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            // The names of our structs mean nothing to whoever writes a file.
            let expected = if expected.starts_with("struct ") {
                "a table of keys"
            } else {
                &expected
            };
            format!("found {found}, expected {expected}")
        }
        Kind::Message(message) => message,
        other @ (Kind::InvalidLength(..)
        | Kind::UnknownVariant(..)
        | Kind::MissingField(..)
        | Kind::DuplicateField(..)
        | Kind::ISizeOutOfRange(..)
        | Kind::USizeOutOfRange(..)
        | Kind::Unsupported(..)
        | Kind::UnsupportedKey(..)) => other.to_string(),
    };
    (path, message)
}

fn remove(value: &mut Value, path: &[String]) -> bool {
    let (Value::Dict(_, dict), Some((first, rest))) = (value, path.split_first()) else {
        return false;
    };
    if rest.is_empty() {
        return dict.remove(first).is_some();
    }
    match dict.get_mut(first) {
        // An element of a list cannot be left out alone: its neighbours would move.
        Some(inner @ Value::Dict(..)) => remove(inner, rest),
        Some(_) => dict.remove(first).is_some(),
        None => false,
    }
}

/// Where the value at `key` came from, unless it came from the file.
fn origin(merged: &Figment, key: &str) -> Option<String> {
    let name = merged.find_metadata(key)?.name.to_string();
    (name.starts_with("environment variable ") || name.starts_with("flag ")).then_some(name)
}
