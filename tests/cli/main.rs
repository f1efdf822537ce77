//! The real binary, from outside: exit codes, output, and a terminal against a scripted relay.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod commands;
mod program;
mod relay;
mod terminal;
