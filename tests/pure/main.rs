//! Tests of the pure parts: recorded streams, stories and shuffles. No socket, no clock, no sleep.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod bounds;
mod drawer;
mod lines;
mod merged;
mod notified;
mod recorded;
mod relay;
mod replay;
mod seed;
mod shuffle;
mod stage;
mod switch;
mod technologies;
mod terminal;
mod traces;
mod tracker;
