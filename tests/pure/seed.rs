//! Property tests that can be repeated: a fixed seed, and another one on request.
//!
//! `CALLRELAY_TEST_SEED` sets the seed, `CALLRELAY_TEST_CASES` how many cases are tried with it.

use std::str::FromStr;

use proptest::prelude::ProptestConfig;
use proptest::test_runner::{RngSeed, TestRunner};

/// The seed that every run uses unless told otherwise.
const SEED: u64 = 5_499_709;

/// A runner, and the seed to print if it fails.
pub(crate) fn runner(cases: u32) -> (TestRunner, u64) {
    let seed = asked("CALLRELAY_TEST_SEED").unwrap_or(SEED);
    let runner = TestRunner::new(ProptestConfig {
        cases: asked("CALLRELAY_TEST_CASES").unwrap_or(cases),
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed),
        ..ProptestConfig::default()
    });
    (runner, seed)
}

fn asked<T: FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok()?.parse().ok()
}
