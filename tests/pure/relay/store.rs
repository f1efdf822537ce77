//! A store that fails (semantics §9.5).

use std::time::Duration;

use callrelay::relay::Input;

use super::two_talk;
use crate::stage::Stage;

#[test]
fn what_could_not_be_stored_is_refused_and_nobody_sees_it() {
    let stage = Stage::new();
    let (alice, bob) = two_talk(&stage);
    stage.store_pauses();
    alice.sends("lost");
    alice.sends_as("r1", "lost");
    stage.store_breaks();
    alice.gets(&["send_failed r1 Unavailable", "send_failed r1 Unavailable"]);
    assert!(stage.asks_relay(callrelay::relay::Relay::is_store_down));
    alice.sends("refused at once");
    alice.gets(&["send_failed r2 Unavailable"]);
    bob.gets(&[]);
    stage.store_recovers();
    alice.sends_as("r1", "found");
    alice.gets(&["sent r1 c1 #1 stored"]);
    bob.gets(&["c1/e2 #1 received 1001>1002 \"found\""]);
    assert_eq!(stage.stored(), ["\"found\""]);
}

#[test]
fn a_row_that_was_to_be_replaced_stands_when_its_successor_was_refused() {
    let stage = Stage::new();
    let (alice, bob) = two_talk(&stage);
    alice.sends_keyed("k1", "page", "one");
    stage.store_pauses();
    alice.sends_keyed("k2", "page", "two");
    stage.store_breaks();
    alice.gets(&["sent k1 c1 #1 stored", "send_failed k2 Unavailable"]);
    bob.gets(&["c1/e2 #1 received 1001>1002 \"one\" key=page"]);
    stage.store_recovers();
    assert_eq!(stage.stored(), ["\"one\""]);
    alice.sends_keyed("k3", "page", "three");
    alice.gets(&["sent k3 c1 #2 stored"]);
    bob.gets(&["c1/e2 #2 received 1001>1002 \"three\" key=page"]);
    assert_eq!(stage.stored(), ["\"three\""]);
}

#[test]
fn no_deadline_is_left_in_the_past_while_the_store_is_down() {
    let stage = Stage::new();
    let (alice, bob) = two_talk(&stage);
    alice.sends("Hi");
    alice.heard();
    bob.heard();
    bob.acks("c1", 1);
    alice.gets(&["delivered c1 \"Hi\" to 1002"]);
    stage.store_breaks();
    stage.waits(Duration::from_secs(5));
    stage.store_recovers();
    stage.waits(Duration::from_secs(1));
    stage.dies_and_comes_back();
    bob.links();
    bob.gets(&["linked 1002 desk [c1/e2 talking with 1001]", "replayed c1/e2 #1"]);
}

#[test]
fn a_call_that_ended_while_the_store_was_down_is_erased_when_it_writes_again() {
    let stage = Stage::new();
    let (alice, bob) = two_talk(&stage);
    alice.sends("Hi");
    bob.acks("c1", 1);
    alice.heard();
    bob.heard();
    stage.store_breaks();
    stage.bye(1);
    alice.gets(&["bye c1/e1 talking with nobody"]);
    bob.gets(&["bye c1/e2 talking with nobody"]);
    stage.store_breaks();
    stage.store_recovers();
    assert_eq!((stage.stored(), stage.stored_calls()), (Vec::new(), 0));
}

#[test]
fn the_number_of_what_was_refused_is_used_again_so_that_no_row_is_missing() {
    let stage = Stage::new();
    let (alice, bob) = two_talk(&stage);
    alice.sends("one");
    stage.store_pauses();
    bob.sends("refused");
    stage.store_breaks();
    stage.store_recovers();
    stage.sets_out(1, "1001");
    stage.transfers(1, "1001", "1003");
    alice.heard();
    bob.heard();
    stage.dies_and_comes_back();
    bob.links_at("e2", 1);
    bob.gets(&["linked 1002 desk [c1/e2 talking with 1003]", "replayed c1/e2 #1"]);
    bob.sends_as("new", "for Carol");
    bob.gets(&["sent new c1 #2 stored"]);
    let carol = stage.terminal("1003");
    carol.links();
    carol.gets(&[
        "linked 1003 desk [c1/e3 talking with 1002*]",
        "c1/e3 #1 sent 1001>1002 \"one\" transferred",
        "c1/e3 #2 received 1002>1003 \"for Carol\"",
        "replayed c1/e3 #2",
    ]);
    bob.gets(&["parties c1/e2 talking with 1003*"]);
}

#[test]
fn a_refused_number_that_a_mailbox_ended_with_is_not_used_again_even_after_a_restart() {
    let stage = Stage::new();
    let (alice, bob) = two_talk(&stage);
    alice.sends("one");
    stage.store_pauses();
    bob.sends("refused");
    stage.sets_out(1, "1001");
    stage.store_breaks();
    stage.store_recovers();
    stage.transfers(1, "1001", "1003");
    alice.heard();
    bob.heard();
    stage.dies_and_comes_back();
    bob.links_at("e2", 1);
    bob.heard();
    bob.sends_as("new", "for Carol");
    bob.gets(&["sent new c1 #3 stored"]);
    let carol = stage.terminal("1003");
    carol.links();
    carol.gets(&[
        "linked 1003 desk [c1/e3 talking with 1002*]",
        "c1/e3 #1 sent 1001>1002 \"one\" transferred",
        "c1/e3 #3 received 1002>1003 \"for Carol\"",
        "replayed c1/e3 #3",
    ]);
    bob.gets(&["parties c1/e2 talking with 1003*"]);
}

#[test]
fn of_a_store_that_broke_only_what_it_never_got_is_refused() {
    let stage = Stage::new();
    let (alice, bob) = two_talk(&stage);
    stage.store_pauses();
    // Whether this is stored nobody knows; whoever sends it again finds out.
    alice.sends_as("under-way", "one");
    alice.sends_as("gathered", "two");
    bob.sends_as("gathered", "three");
    stage.hears(Input::StoreBroke { unsubmitted: 2 });
    alice.gets(&["send_failed gathered Unavailable"]);
    bob.gets(&["send_failed gathered Unavailable"]);
    alice.sends_as("later", "four");
    alice.gets(&["send_failed later Unavailable"]);
}
