//! Tests of the pure parts: recorded streams, stories and shuffles. No socket, no clock, no sleep.

mod replay;
mod shuffle;
mod traces;
