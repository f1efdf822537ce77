//! Tests of the pure parts: recorded streams, stories and shuffles. No socket, no clock, no sleep.

mod lines;
mod relay;
mod replay;
mod shuffle;
mod stage;
mod traces;
