//! Asking for passwords without showing them.

use std::io::{self, BufRead, IsTerminal};

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};

use super::WrongUsage;

/// Below this a password is taken, with a word about it.
pub(super) const SHORT_CHARS: usize = 8;

/// The first line of standard input, without its line break.
pub(super) fn from_stdin() -> anyhow::Result<SecretString> {
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .context("cannot read the password from standard input")?;
    let password = line.strip_suffix('\n').unwrap_or(&line);
    not_empty(SecretString::from(
        password.strip_suffix('\r').unwrap_or(password),
    ))
}

/// Asks the person at the terminal, once.
pub(super) fn ask(prompt: &str) -> anyhow::Result<SecretString> {
    if !io::stdin().is_terminal() {
        return Err(WrongUsage(
            "there is no terminal to ask for the password; use --password-stdin".to_owned(),
        )
        .into());
    }
    let password = rpassword::prompt_password(prompt).context("cannot ask for the password")?;
    not_empty(SecretString::from(password))
}

/// Asks twice, for a password that is new.
pub(super) fn ask_twice() -> anyhow::Result<SecretString> {
    let password = ask("Password: ")?;
    let again = ask("Once more: ")?;
    if password.expose_secret() == again.expose_secret() {
        Ok(password)
    } else {
        Err(WrongUsage("the two passwords are different".to_owned()).into())
    }
}

fn not_empty(password: SecretString) -> anyhow::Result<SecretString> {
    if password.expose_secret().is_empty() {
        return Err(WrongUsage("the password is empty".to_owned()).into());
    }
    Ok(password)
}
