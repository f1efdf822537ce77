//! A terminal that does not keep up (semantics §9.4).

use super::two_talk;
use crate::stage::Stage;

/// The numbers of the rows in lines like `c1/e2 #7 received …`.
fn rows(lines: &[String]) -> Vec<u64> {
    let row = |line: &String| line.strip_prefix("c1/e2 #")?.split(' ').next()?.parse().ok();
    lines.iter().filter_map(row).collect()
}

#[test]
fn a_slow_terminal_gets_a_window_and_the_rest_from_the_store_in_order() {
    let stage = Stage::with(callrelay::relay::Rules {
        sends_burst: 2_000,
        ..Default::default()
    });
    let (alice, bob) = two_talk(&stage);
    bob.stops_reading();
    for number in 1..=700 {
        alice.sends(&format!("{number}"));
    }
    let first = rows(&bob.heard());
    assert_eq!(first, (1..=256).collect::<Vec<_>>());
    bob.reads_on();
    let rest = rows(&bob.heard());
    assert_eq!(rest, (257..=700).collect::<Vec<_>>());
    assert_eq!(alice.heard().len(), 700);
    bob.acks("c1", 700);
    assert_eq!(alice.heard().len(), 700);
}

#[test]
fn a_replay_to_a_slow_terminal_stays_in_the_window_too() {
    let stage = Stage::with(callrelay::relay::Rules {
        sends_burst: 2_000,
        ..Default::default()
    });
    let (alice, bob) = two_talk(&stage);
    bob.drops();
    for number in 1..=700 {
        alice.sends(&format!("{number}"));
    }
    bob.links();
    bob.stops_reading();
    alice.heard();
    let mut got = Vec::new();
    let mut lines = bob.heard();
    assert_eq!(
        lines.first().unwrap(),
        "linked 1002 desk [c1/e2 talking with 1001*]"
    );
    for _ in 0..10 {
        got.extend(rows(&lines));
        bob.reads_on();
        bob.stops_reading();
        if lines.last().is_some_and(|line| line.starts_with("replayed")) {
            break;
        }
        lines = bob.heard();
    }
    assert_eq!(got, (1..=700).collect::<Vec<_>>());
    assert_eq!(lines.last().unwrap(), "replayed c1/e2 #700");
}

#[test]
fn large_bodies_fill_the_window_by_their_bytes() {
    let stage = Stage::new();
    let (alice, bob) = two_talk(&stage);
    bob.stops_reading();
    let large = "x".repeat(60_000);
    for _ in 1..=20 {
        alice.sends(&large);
    }
    assert_eq!(rows(&bob.heard()), [1, 2, 3, 4, 5]);
    bob.reads_on();
    assert_eq!(rows(&bob.heard()), (6..=20).collect::<Vec<_>>());
    alice.heard();
}

#[test]
fn a_terminal_that_never_reads_is_closed_at_last_and_loses_nothing() {
    let stage = Stage::with(callrelay::relay::Rules {
        sends_burst: 2_000,
        ..Default::default()
    });
    let (alice, bob) = two_talk(&stage);
    bob.stops_reading();
    for number in 1..=300 {
        alice.sends(&format!("{number}"));
    }
    // Its own answers cannot wait in the store.
    for number in 1..=1_000 {
        bob.sends_transient(&format!("t{number}"), "is typing");
        alice.heard();
    }
    let lines = bob.heard();
    assert_eq!(lines.last().unwrap(), "closed TooSlow");
    assert_eq!(lines.len(), 1_001);
    assert_eq!(alice.heard(), [""; 0]);
    bob.links_at("e2", 256);
    assert_eq!(rows(&bob.heard()), (257..=300).collect::<Vec<_>>());
    alice.heard();
}
