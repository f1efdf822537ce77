//! `callrelay user`: who may link.
//!
//! A running relay follows the file; what is written here counts within a second.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde::Serialize;

use super::output::note;
use super::password::{self, SHORT_CHARS};
use super::{ConfigArg, WrongUsage};
use crate::config::Draft;
use crate::model::{Phone, UserId};
use crate::users::{User, Users, UsersFile, hash_password};

/// `callrelay user`
#[derive(Args, Debug)]
#[command(
    after_help = "A running relay takes the change within a second: sessions of somebody who was \
removed or disabled, or whose password changed, are closed."
)]
pub(super) struct UserArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add somebody; the password is asked for. With --replace, give somebody new phones and a new password
    Add(AddArgs),
    /// Show everybody
    List {
        #[command(flatten)]
        file: FileArgs,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Take somebody out
    Remove(OneArgs),
    /// Shut somebody out, but keep phones and password
    Disable(OneArgs),
    /// Let somebody in again who was disabled
    Enable(OneArgs),
}

#[derive(Args, Debug)]
struct FileArgs {
    /// The users file [default: `users.file` of the configuration, else users.toml]
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    file: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Args, Debug)]
struct OneArgs {
    #[command(flatten)]
    file: FileArgs,
    /// The name to sign in with
    #[arg(long)]
    id: String,
}

#[derive(Args, Debug)]
struct AddArgs {
    #[command(flatten)]
    one: OneArgs,
    /// A phone they may link to; may be given several times
    #[arg(long = "phone", value_name = "PHONE", required = true)]
    phones: Vec<String>,
    /// Read the password from the first line of standard input instead of asking
    #[arg(long)]
    password_stdin: bool,
    /// If there is somebody with this id: replace phones and password, and enable
    #[arg(long)]
    replace: bool,
}

/// Runs the command; says on standard error what it did.
pub(super) fn run(args: &UserArgs, out: &mut impl Write) -> anyhow::Result<()> {
    match &args.action {
        Action::Add(args) => add(args),
        Action::List { file, json } => list(&Users::load(&file.path()?)?, *json, out),
        Action::Remove(args) => change(args, "removed", UsersFile::remove),
        Action::Disable(args) => change(args, "disabled", |file, id| file.disable(id, true)),
        Action::Enable(args) => change(args, "enabled", |file, id| file.disable(id, false)),
    }
}

impl FileArgs {
    fn path(&self) -> anyhow::Result<PathBuf> {
        match &self.file {
            Some(file) => Ok(file.clone()),
            None => Ok(Draft::read(&self.config.sources())?.users_file().to_owned()),
        }
    }
}

fn add(args: &AddArgs) -> anyhow::Result<()> {
    let path = args.one.file.path()?;
    let id = UserId::new(&args.one.id);
    // Before the password is asked for; opened again afterwards, because asking may take long.
    let exists = UsersFile::open(&path)?.users().find(&id).is_some();
    if exists && !args.replace {
        return Err(WrongUsage(format!("there is a user \"{id}\" already; --replace changes it")).into());
    }
    let password = if args.password_stdin {
        password::from_stdin()?
    } else {
        password::ask_twice()?
    };
    if password.expose_secret().chars().count() < SHORT_CHARS {
        note(format_args!(
            "warning: the password is shorter than {SHORT_CHARS} characters"
        ));
    }
    let user = User {
        id: id.clone(),
        phones: args.phones.iter().map(Phone::new).collect(),
        password_hash: hash_password(&password)?,
        disabled: false,
    };
    let mut file = UsersFile::open(&path)?;
    file.add(&user, args.replace)?;
    file.save()?;
    let done = if exists { "replaced" } else { "added" };
    note(format_args!("{done} user \"{id}\" in {}", path.display()));
    Ok(())
}

fn change(
    args: &OneArgs,
    done: &str,
    change: impl FnOnce(&mut UsersFile, &UserId) -> Result<(), crate::users::EditError>,
) -> anyhow::Result<()> {
    let path = args.file.path()?;
    let mut file = UsersFile::open(&path)?;
    change(&mut file, &UserId::new(&args.id))?;
    file.save()?;
    note(format_args!("{done} user \"{}\" in {}", args.id, path.display()));
    Ok(())
}

/// A user as `list --json` writes it; never with the hash.
#[derive(Serialize)]
struct Listed<'a> {
    id: &'a str,
    phones: Vec<&'a str>,
    disabled: bool,
}

fn list(users: &Users, json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    if json {
        for user in users.iter() {
            let phones = user.phones.iter().map(Phone::as_str).collect();
            let listed = Listed {
                id: user.id.as_str(),
                phones,
                disabled: user.disabled,
            };
            serde_json::to_writer(&mut *out, &listed)?;
            writeln!(out)?;
        }
        return Ok(());
    }
    let width = |text: &str| text.chars().count();
    let id_width = users
        .iter()
        .map(|user| width(user.id.as_str()))
        .chain([width("ID")])
        .max()
        .unwrap_or(0);
    writeln!(out, "{:id_width$}  STATE     PHONES", "ID")?;
    for user in users.iter() {
        let state = if user.disabled { "disabled" } else { "enabled" };
        let phones: Vec<&str> = user.phones.iter().map(Phone::as_str).collect();
        writeln!(
            out,
            "{:id_width$}  {state:8}  {}",
            user.id.as_str(),
            phones.join(", ")
        )?;
    }
    Ok(())
}
