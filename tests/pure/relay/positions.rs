//! Positions: what a terminal gets when it comes again (semantics §9.1), and after a restart (§9.2).

use super::two_talk;
use crate::stage::Stage;
use crate::terminal::Terminal;

/// Bob has received three messages and acknowledged the first, and is gone.
fn bob_has_three(stage: &Stage) -> (Terminal, Terminal) {
    let (alice, bob) = two_talk(stage);
    for text in ["one", "two", "three"] {
        alice.sends(text);
    }
    bob.acks("c1", 1);
    bob.gets(&[
        "c1/e2 #1 received 1001>1002 \"one\"",
        "c1/e2 #2 received 1001>1002 \"two\"",
        "c1/e2 #3 received 1001>1002 \"three\"",
    ]);
    bob.drops();
    alice.heard();
    (alice, bob)
}

#[test]
fn a_terminal_with_a_position_gets_exactly_the_rows_after_it() {
    let stage = Stage::new();
    let (alice, bob) = bob_has_three(&stage);
    alice.sends("four");
    bob.links_at("e2", 2);
    bob.gets(&[
        "linked 1002 desk [c1/e2 talking with 1001*]",
        "c1/e2 #3 received 1001>1002 \"three\"",
        "c1/e2 #4 received 1001>1002 \"four\"",
        "replayed c1/e2 #4",
    ]);
    bob.drops();
    bob.links_at("e2", 4);
    bob.gets(&["linked 1002 desk [c1/e2 talking with 1001*]", "replayed c1/e2 #4"]);
    alice.heard();
}

#[test]
fn a_position_in_another_mailbox_or_beyond_the_end_starts_over() {
    let stage = Stage::new();
    let (alice, bob) = bob_has_three(&stage);
    for (epoch, seq) in [("e1", 2), ("unknown", 0), ("e2", 4), ("e2", u64::MAX)] {
        bob.links_at(epoch, seq);
        bob.gets(&[
            "linked 1002 desk [c1/e2 talking with 1001*]",
            "c1/e2 #1 received 1001>1002 \"one\"",
            "c1/e2 #2 received 1001>1002 \"two\"",
            "c1/e2 #3 received 1001>1002 \"three\"",
            "replayed c1/e2 #3 reset",
        ]);
        bob.drops();
    }
    alice.heard();
}

#[test]
fn a_terminal_without_a_position_gets_what_is_unread_or_everything() {
    let stage = Stage::new();
    let (alice, bob) = bob_has_three(&stage);
    bob.links();
    bob.gets(&[
        "linked 1002 desk [c1/e2 talking with 1001*]",
        "c1/e2 #2 received 1001>1002 \"two\"",
        "c1/e2 #3 received 1001>1002 \"three\"",
        "replayed c1/e2 #3",
    ]);
    bob.drops();
    bob.links_for_everything();
    bob.gets(&[
        "linked 1002 desk [c1/e2 talking with 1001*]",
        "c1/e2 #1 received 1001>1002 \"one\"",
        "c1/e2 #2 received 1001>1002 \"two\"",
        "c1/e2 #3 received 1001>1002 \"three\"",
        "replayed c1/e2 #3",
    ]);
    alice.heard();
}

#[test]
fn each_terminal_has_a_position_of_its_own() {
    let stage = Stage::new();
    let (alice, bob) = bob_has_three(&stage);
    let laptop = stage.terminal_named("1002", "laptop");
    // New here: what its phone has acknowledged is not unread.
    laptop.links();
    laptop.gets(&[
        "linked 1002 laptop [c1/e2 talking with 1001*]",
        "c1/e2 #2 received 1001>1002 \"two\"",
        "c1/e2 #3 received 1001>1002 \"three\"",
        "replayed c1/e2 #3",
    ]);
    laptop.acks("c1", 3);
    alice.gets(&[
        "parties c1/e1 talking with 1002*",
        "delivered c1 \"two\" to 1002",
        "delivered c1 \"three\" to 1002",
    ]);
    bob.links();
    bob.gets(&[
        "linked 1002 desk [c1/e2 talking with 1001*]",
        "c1/e2 #2 received 1001>1002 \"two\"",
        "c1/e2 #3 received 1001>1002 \"three\"",
        "replayed c1/e2 #3",
    ]);
}

#[test]
fn everything_is_there_after_a_restart() {
    let stage = Stage::new();
    let (alice, bob) = bob_has_three(&stage);
    // Positions are written a little later.
    stage.waits(std::time::Duration::from_secs(1));
    stage.holds(1, "1002");
    alice.sends("held");
    alice.gets(&["hold_on c1/e1 held with 1002", "sent r4 c1 #4 held"]);
    stage.dies_and_comes_back();
    bob.links();
    bob.gets(&["linked 1002 desk [c1/e2 held with 1001]", "replayed c1/e2 #1"]);
    stage.resumes(1, "1002");
    bob.gets(&[
        "hold_off c1/e2 talking with 1001",
        "c1/e2 #2 received 1001>1002 \"two\"",
        "c1/e2 #3 received 1001>1002 \"three\"",
        "c1/e2 #4 received 1001>1002 \"held\"",
    ]);
    alice.links_at("e1", 4);
    alice.gets(&["linked 1001 desk [c1/e1 talking with 1002*]", "replayed c1/e1 #4"]);
    bob.gets(&["parties c1/e2 talking with 1001*"]);
    alice.sends_as("new", "five");
    alice.gets(&["sent new c1 #5 stored"]);
    bob.gets(&["c1/e2 #5 received 1001>1002 \"five\""]);
}
