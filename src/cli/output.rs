//! Words to the person at the terminal, on standard error.

use std::fmt;
use std::io::Write;

/// Says something beside the output proper. If standard error is closed, nobody listens.
pub(super) fn note(words: impl fmt::Display) {
    let _ = writeln!(std::io::stderr().lock(), "{words}");
}
