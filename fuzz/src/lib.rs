//! What the fuzz targets of `fuzz_targets/` share. CONTRIBUTING.md says how to run them.
//!
//! [`house`] is everything behind the interfaces, with a clock of its own; it hears events and, when all is over, checks
//! that nothing is left. [`kept`] measures what something keeps. [`seeds`] makes first inputs of the recordings in
//! `tests/traces/`, [`records`] mutates them record by record.

#[allow(
    dead_code,
    reason = "the tests' store can pause, break and be restored, which nothing here does"
)]
#[path = "../../tests/pure/drawer.rs"]
mod drawer;
pub mod house;
pub mod kept;
pub mod records;
pub mod seeds;
