//! Two calls that become one (semantics §7.2).

use super::two_talk;
use crate::stage::Stage;
use crate::terminal::Terminal;

/// 1001 and 1002 talk in `c1`, 1003 and 1004 in `c2`, all with a terminal.
fn four_talk(stage: &Stage) -> (Terminal, Terminal, Terminal, Terminal) {
    let (alice, bob) = two_talk(stage);
    stage.call(2, &["1003", "1004"]);
    let (carol, dave) = (stage.terminal("1003"), stage.terminal("1004"));
    carol.links();
    dave.links();
    carol.gets(&[
        "linked 1003 desk [c2/e3 talking with 1004]",
        "replayed c2/e3 #0",
        "parties c2/e3 talking with 1004*",
    ]);
    dave.gets(&["linked 1004 desk [c2/e4 talking with 1003*]", "replayed c2/e4 #0"]);
    (alice, bob, carol, dave)
}

#[test]
fn each_keeps_its_rows_and_nobody_sees_rows_from_before_they_came() {
    let stage = Stage::new();
    let (alice, bob, carol, dave) = four_talk(&stage);
    alice.sends("one of ours");
    carol.sends("one of theirs");
    dave.sends("another of theirs");
    alice.gets(&["sent r1 c1 #1 stored"]);
    bob.gets(&["c1/e2 #1 received 1001>1002 \"one of ours\""]);
    carol.gets(&[
        "sent r1 c2 #1 stored",
        "c2/e3 #2 received 1004>1003 \"another of theirs\"",
    ]);
    dave.gets(&[
        "c2/e4 #1 received 1003>1004 \"one of theirs\"",
        "sent r1 c2 #2 stored",
    ]);
    stage.merges(1, 2);
    alice.gets(&["parties c1/e1 talking with 1002*,1003*,1004*"]);
    bob.gets(&["parties c1/e2 talking with 1001*,1003*,1004*"]);
    carol.gets(&[
        "bye c2/e3 talking with nobody",
        "call c1/e3 talking with 1001*,1002*,1004*",
        "replayed c1/e3 #2",
    ]);
    dave.gets(&[
        "bye c2/e4 talking with nobody",
        "call c1/e4 talking with 1001*,1002*,1003*",
        "replayed c1/e4 #2",
    ]);
    assert_eq!(
        stage.stored(),
        ["\"one of ours\"", "\"one of theirs\"", "\"another of theirs\""]
    );
    carol.sends("for all");
    carol.gets(&["sent r2 c1 #3 stored"]);
    alice.gets(&["c1/e1 #2 received 1003>1001,1002,1004 \"for all\""]);
    bob.gets(&["c1/e2 #2 received 1003>1001,1002,1004 \"for all\""]);
    dave.gets(&["c1/e4 #3 received 1003>1001,1002,1004 \"for all\""]);
    // What was unread before is delivered now, to those who are still there.
    dave.acks("c1", 3);
    carol.gets(&[
        "delivered c1 \"one of theirs\" to 1004",
        "delivered c1 \"for all\" to 1004",
    ]);
    let second = stage.terminal_named("1003", "laptop");
    second.links_for_everything();
    second.gets(&[
        "linked 1003 laptop [c1/e3 talking with 1001*,1002*,1004*]",
        "c1/e3 #1 sent 1003>1004 \"one of theirs\" delivered to 1004",
        "c1/e3 #2 received 1004>1003 \"another of theirs\"",
        "c1/e3 #3 sent 1003>1001,1002,1004 \"for all\" delivered to 1004",
        "replayed c1/e3 #3",
    ]);
}

#[test]
fn a_terminal_that_was_away_goes_on_from_its_position_in_the_mailbox() {
    let stage = Stage::new();
    let (alice, bob, carol, dave) = four_talk(&stage);
    carol.sends("one");
    dave.heard();
    dave.drops();
    carol.sends("two");
    carol.heard();
    stage.merges(1, 2);
    stage.dies_and_comes_back();
    dave.links_at("e4", 1);
    dave.gets(&[
        "linked 1004 desk [c1/e4 talking with 1001,1002,1003]",
        "c1/e4 #2 received 1003>1004 \"two\"",
        "replayed c1/e4 #2",
    ]);
    for terminal in [alice, bob, carol] {
        terminal.heard();
    }
}

#[test]
fn a_position_counts_while_what_the_other_call_sent_is_under_way_to_the_store() {
    let stage = Stage::new();
    let (alice, bob, carol, dave) = four_talk(&stage);
    carol.sends("theirs");
    dave.heard();
    dave.drops();
    stage.store_pauses();
    alice.sends("ours");
    stage.merges(1, 2);
    dave.links_at("e4", 1);
    dave.gets(&[
        "linked 1004 desk [c1/e4 talking with 1001*,1002*,1003*]",
        "replayed c1/e4 #1",
    ]);
    stage.store_goes_on();
    for terminal in [alice, bob, carol] {
        terminal.heard();
    }
}

#[test]
fn rows_behind_a_message_that_could_not_be_stored_come_as_soon_as_that_is_known() {
    let stage = Stage::new();
    let (alice, bob, carol, dave) = four_talk(&stage);
    dave.drops();
    carol.sends("theirs");
    carol.heard();
    stage.store_pauses();
    alice.sends("ours");
    stage.merges(1, 2);
    dave.links();
    dave.gets(&[
        "linked 1004 desk [c1/e4 talking with 1001*,1002*,1003*]",
        "replayed c1/e4 #0",
    ]);
    stage.store_breaks();
    dave.gets(&["c1/e4 #1 received 1003>1004 \"theirs\""]);
    for terminal in [alice, bob, carol] {
        terminal.heard();
    }
}

#[test]
fn of_two_calls_of_the_same_two_the_rows_of_both_are_kept() {
    let stage = Stage::new();
    let (alice, bob) = two_talk(&stage);
    stage.call(2, &["1001", "1002"]);
    alice.gets(&["call c2/e3 talking with 1002*", "replayed c2/e3 #0"]);
    bob.gets(&["call c2/e4 talking with 1001*", "replayed c2/e4 #0"]);
    stage.holds(1, "1001");
    alice.sends_in("c1", "r1", "first call");
    alice.sends_in("c2", "r2", "second call");
    alice.gets(&[
        "hold_on c1/e1 held with 1002*",
        "sent r1 c1 #1 held",
        "sent r2 c2 #1 stored",
    ]);
    bob.gets(&[
        "hold_on c1/e2 held with 1001*",
        "c2/e4 #1 received 1001>1002 \"second call\"",
    ]);
    stage.resumes(1, "1001");
    stage.merges(1, 2);
    bob.sends("answer");
    alice.gets(&[
        "hold_off c1/e1 talking with 1002*",
        "bye c2/e3 talking with nobody",
        "parties c1/e1 talking with 1002*",
        "c1/e1 #3 received 1002>1001 \"answer\"",
    ]);
    bob.gets(&[
        "hold_off c1/e2 talking with 1001*",
        "c1/e2 #1 received 1001>1002 \"first call\"",
        "bye c2/e4 talking with nobody",
        "parties c1/e2 talking with 1001*",
        "sent r1 c1 #3 stored",
    ]);
    // The second row it has, from the call that is gone.
    let laptop = stage.terminal_named("1002", "laptop");
    laptop.links_for_everything();
    laptop.gets(&[
        "linked 1002 laptop [c1/e2 talking with 1001*]",
        "c1/e2 #1 received 1001>1002 \"first call\"",
        "c1/e2 #2 received 1001>1002 \"second call\"",
        "c1/e2 #3 sent 1002>1001 \"answer\"",
        "replayed c1/e2 #3",
    ]);
}

#[test]
fn what_is_under_way_to_the_store_is_confirmed_in_the_call_it_is_part_of_now() {
    let stage = Stage::new();
    let (alice, bob, carol, dave) = four_talk(&stage);
    stage.store_pauses();
    carol.sends("theirs");
    alice.sends("ours");
    stage.merges(1, 2);
    carol.gets(&[
        "bye c2/e3 talking with nobody",
        "call c1/e3 talking with 1001*,1002*,1004*",
        "replayed c1/e3 #0",
    ]);
    stage.store_goes_on();
    carol.gets(&["sent r1 c1 #1 stored"]);
    dave.gets(&[
        "bye c2/e4 talking with nobody",
        "call c1/e4 talking with 1001*,1002*,1003*",
        "replayed c1/e4 #0",
        "c1/e4 #1 received 1003>1004 \"theirs\"",
    ]);
    alice.gets(&[
        "parties c1/e1 talking with 1002*,1003*,1004*",
        "sent r1 c1 #1 stored",
    ]);
    bob.gets(&[
        "parties c1/e2 talking with 1001*,1003*,1004*",
        "c1/e2 #1 received 1001>1002 \"ours\"",
    ]);
    stage.dies_and_comes_back();
    assert_eq!(stage.stored(), ["\"theirs\"", "\"ours\""]);
}

#[test]
fn a_store_that_fails_during_the_merge_refuses_and_keeps_the_rest() {
    let stage = Stage::new();
    let (alice, bob, carol, dave) = four_talk(&stage);
    carol.sends("stored");
    carol.heard();
    dave.heard();
    stage.store_pauses();
    carol.sends("refused");
    stage.merges(1, 2);
    stage.store_breaks();
    carol.gets(&[
        "bye c2/e3 talking with nobody",
        "call c1/e3 talking with 1001*,1002*,1004*",
        "replayed c1/e3 #1",
        "send_failed r2 Unavailable",
    ]);
    stage.store_recovers();
    assert_eq!(stage.stored(), ["\"stored\""]);
    for terminal in [&alice, &bob, &dave] {
        terminal.heard();
    }
    stage.dies_and_comes_back();
    dave.drops();
    dave.links_for_everything();
    dave.gets(&[
        "linked 1004 desk [c1/e4 talking with 1001,1002,1003]",
        "c1/e4 #1 received 1003>1004 \"stored\"",
        "replayed c1/e4 #1",
    ]);
}

#[test]
fn rows_that_the_store_has_not_moved_yet_are_read_under_their_new_numbers() {
    let stage = Stage::new();
    let (alice, bob, carol, dave) = four_talk(&stage);
    alice.sends("ours");
    carol.sends("one");
    carol.sends("two");
    for terminal in [&alice, &bob, &carol, &dave] {
        terminal.heard();
    }
    dave.drops();
    stage.store_pauses();
    stage.merges(1, 2);
    stage.store_breaks();
    dave.links_for_everything();
    stage.store_recovers();
    let told = dave.heard();
    assert_eq!(
        told[told.len() - 3..],
        [
            "c1/e4 #1 received 1003>1004 \"one\"",
            "c1/e4 #2 received 1003>1004 \"two\"",
            "replayed c1/e4 #2",
        ]
    );
    for terminal in [&alice, &bob, &carol] {
        terminal.heard();
    }
}

#[test]
fn who_was_in_both_calls_still_gets_what_was_unread_in_the_one_that_is_over() {
    let stage = Stage::new();
    let (alice, bob) = two_talk(&stage);
    stage.holds(1, "1001");
    alice.heard();
    bob.heard();
    stage.call(2, &["1001", "1003"]);
    let carol = stage.terminal("1003");
    carol.links();
    carol.heard();
    alice.gets(&[
        "call c2/e4 talking with 1003",
        "replayed c2/e4 #0",
        "parties c2/e4 talking with 1003*",
    ]);
    carol.sends("read");
    alice.acks("c2", 1);
    alice.drops();
    carol.sends("unread");
    carol.heard();
    bob.heard();
    stage.merges(1, 2);
    carol.gets(&[
        "bye c2/e3 talking with nobody",
        "call c1/e3 talking with 1001,1002*",
        "replayed c1/e3 #2",
    ]);
    bob.gets(&[
        "parties c1/e2 held with 1001,1003*",
        "hold_off c1/e2 talking with 1001,1003*",
    ]);
    alice.heard();
    alice.links();
    alice.gets(&[
        "linked 1001 desk [c1/e1 talking with 1002*,1003*]",
        "c1/e1 #1 received 1003>1001 \"unread\"",
        "replayed c1/e1 #1",
    ]);
    bob.gets(&["parties c1/e2 talking with 1001*,1003*"]);
    carol.gets(&["parties c1/e3 talking with 1001*,1002*"]);
    alice.acks("c1", 1);
    carol.gets(&["delivered c1 \"unread\" to 1001"]);
}

#[test]
fn what_a_terminal_in_both_calls_has_already_is_not_handed_to_it_again() {
    let stage = Stage::new();
    let (alice, bob) = two_talk(&stage);
    let laptop = stage.terminal_named("1001", "laptop");
    laptop.links();
    laptop.heard();
    stage.holds(1, "1001");
    stage.call(2, &["1001", "1003"]);
    let carol = stage.terminal("1003");
    carol.links();
    for terminal in [&alice, &bob, &carol, &laptop] {
        terminal.heard();
    }
    laptop.drops();
    alice.sends("mine");
    carol.sends("hers");
    alice.heard();
    carol.heard();
    stage.merges(1, 2);
    let told = alice.heard();
    assert!(
        told.iter()
            .all(|line| !line.contains("mine") && !line.contains("hers")),
        "{told:?}"
    );
    carol.heard();
    bob.heard();
    laptop.links();
    laptop.gets(&[
        "linked 1001 laptop [c1/e1 talking with 1002*,1003*]",
        "c1/e1 #1 sent 1001>1003 \"mine\"",
        "c1/e1 #2 received 1003>1001 \"hers\"",
        "replayed c1/e1 #2",
    ]);
}

#[test]
fn a_key_of_one_call_replaces_nothing_that_was_written_in_the_other() {
    let stage = Stage::new();
    let (alice, bob) = two_talk(&stage);
    alice.sends_keyed("k1", "page", "for 1002");
    stage.call(2, &["1001", "1003"]);
    alice.gets(&[
        "sent k1 c1 #1 stored",
        "call c2/e3 talking with 1003",
        "replayed c2/e3 #0",
    ]);
    let call = stage.call_id("c2");
    let mut other = alice.request("\"for 1003\"");
    other.key = Some("page".to_owned());
    other.reference = "k2".to_owned();
    other.call = Some(call);
    alice.sends_request(other);
    alice.gets(&["sent k2 c2 #1 stored"]);
    bob.heard();
    stage.merges(1, 2);
    alice.heard();
    bob.heard();
    stage.dies_and_comes_back();
    assert_eq!(stage.stored().len(), 2);
    let carol = stage.terminal("1003");
    carol.links();
    let heard = carol.heard();
    assert_eq!(heard.len(), 3, "{heard:?}");
    bob.drops();
    bob.links_for_everything();
    assert_eq!(bob.heard().len(), 3);
    carol.gets(&["parties c1/e4 talking with 1001,1002*"]);
}

#[test]
fn who_still_calls_for_a_call_that_became_part_of_another_one_calls_no_more() {
    let stage = Stage::new();
    stage.call(1, &["1001", "1002"]);
    let erin = stage.terminal("1005");
    erin.links_and_waits();
    erin.gets(&["linked 1005 desk []"]);
    // 1003 picks up what 1005 calls 1004 for.
    stage.rings(2, "1005", "1004");
    stage.call(2, &["1003", "1004"]);
    erin.gets(&["ringing out c1 with 1004"]);
    stage.merges(1, 2);
    erin.gets(&["ringing_over c1"]);
}
