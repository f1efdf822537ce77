//! Files: who may upload, name and read one, and when it goes (`docs/protocol.md` §2).

use std::time::Duration;

use callrelay::model::{FileId, Phone};
use callrelay::relay::{Rules, SendRefusal};

use super::two_talk;
use crate::stage::{Stage, uploaded};

const EVERYBODY: [&str; 4] = ["1001", "1002", "1003", "1004"];

#[test]
fn a_file_may_be_read_by_whoever_has_a_row_that_names_it() {
    let stage = Stage::new();
    let (alice, bob) = two_talk(&stage);
    let file = stage.uploads("1001");
    assert_eq!(stage.readers(&file, &EVERYBODY), [""; 0]);
    alice.sends_file("f", &file, None);
    alice.gets(&["sent f c1 #1 stored"]);
    bob.gets(&["c1/e2 #1 received 1001>1002 \"a file\" kind=file"]);
    assert_eq!(stage.readers(&file, &EVERYBODY), ["1001", "1002"]);
    assert_eq!(stage.readers(&FileId::new("other"), &EVERYBODY), [""; 0]);
}

#[test]
fn a_row_that_is_not_stored_yet_opens_no_file() {
    let stage = Stage::new();
    let (alice, bob) = two_talk(&stage);
    let file = stage.uploads("1001");
    stage.store_pauses();
    alice.sends_file("f", &file, None);
    assert_eq!(stage.readers(&file, &EVERYBODY), [""; 0]);
    stage.store_goes_on();
    assert_eq!(stage.readers(&file, &EVERYBODY), ["1001", "1002"]);
    alice.gets(&["sent f c1 #1 stored"]);
    bob.gets(&["c1/e2 #1 received 1001>1002 \"a file\" kind=file"]);
}

#[test]
fn only_a_file_of_this_call_that_is_ones_own_or_was_received_can_be_named() {
    let stage = Stage::new();
    let (alice, bob) = two_talk(&stage);
    stage.call(2, &["1003", "1004"]);
    let (own, other) = (stage.uploads("1001"), stage.uploads("1003"));
    alice.sends_file("f1", &other, None);
    alice.sends_file("f2", &FileId::new("unknown"), None);
    alice.gets(&["send_failed f1 BadRequest", "send_failed f2 BadRequest"]);
    // Bob does not know of it yet.
    bob.sends_file("f3", &own, None);
    bob.gets(&["send_failed f3 BadRequest"]);
    alice.sends_file("f4", &own, None);
    alice.gets(&["sent f4 c1 #1 stored"]);
    bob.gets(&["c1/e2 #1 received 1001>1002 \"a file\" kind=file"]);
    bob.sends_file("f5", &own, None);
    bob.gets(&["sent f5 c1 #2 stored"]);
    alice.gets(&["c1/e1 #2 received 1002>1001 \"a file\" kind=file"]);
}

#[test]
fn a_file_moves_with_the_mailbox_and_its_transferer_reads_it_no_more() {
    let stage = Stage::new();
    let (alice, bob) = two_talk(&stage);
    let file = stage.uploads("1001");
    alice.sends_file("f", &file, None);
    alice.gets(&["sent f c1 #1 stored"]);
    bob.gets(&["c1/e2 #1 received 1001>1002 \"a file\" kind=file"]);
    stage.transfers(1, "1001", "1003");
    assert_eq!(stage.readers(&file, &EVERYBODY), ["1002", "1003"]);
    // The process may end in between.
    stage.dies_and_comes_back();
    assert_eq!(stage.readers(&file, &EVERYBODY), ["1002", "1003"]);
    alice.forgets_its_session();
    bob.forgets_its_session();
}

#[test]
fn who_joins_later_may_not_read_what_was_named_before() {
    let stage = Stage::new();
    let (alice, bob) = two_talk(&stage);
    let file = stage.uploads("1001");
    alice.sends_file("f", &file, None);
    stage.joins(1, "1003");
    assert_eq!(stage.readers(&file, &EVERYBODY), ["1001", "1002"]);
    // With both of them gone, and nothing unread, nobody has a row of it.
    stage.joins(1, "1004");
    bob.acks("c1", 1);
    alice.acks("c1", 1);
    stage.leaves(1, "1001");
    assert_eq!(stage.readers(&file, &EVERYBODY), ["1002"]);
    stage.leaves(1, "1002");
    assert_eq!(stage.readers(&file, &EVERYBODY), [""; 0]);
    assert_eq!(stage.stored_files(), 0);
    for terminal in [alice, bob] {
        let _ = terminal.heard();
    }
}

#[test]
fn files_of_merged_calls_are_files_of_the_one_that_stays() {
    let stage = Stage::new();
    let (alice, bob) = two_talk(&stage);
    stage.call(2, &["1003", "1004"]);
    let carol = stage.terminal("1003");
    carol.links();
    let (first, second) = (stage.uploads("1001"), stage.uploads("1003"));
    alice.sends_file("f", &first, None);
    carol.sends_file("f", &second, None);
    stage.merges(1, 2);
    assert_eq!(stage.readers(&first, &EVERYBODY), ["1001", "1002"]);
    assert_eq!(stage.readers(&second, &EVERYBODY), ["1003", "1004"]);
    stage.bye(1);
    stage.waits(Duration::from_secs(61));
    assert_eq!(stage.stored_files(), 0);
    for terminal in [alice, bob, carol] {
        let _ = terminal.heard();
    }
}

#[test]
fn a_file_goes_when_a_key_replaces_the_last_message_that_names_it() {
    let stage = Stage::new();
    let (alice, bob) = two_talk(&stage);
    let (first, second) = (stage.uploads("1001"), stage.uploads("1001"));
    alice.sends_file("f1", &first, Some("page"));
    alice.sends_file("f2", &second, Some("page"));
    assert_eq!(stage.readers(&first, &EVERYBODY), [""; 0]);
    assert_eq!(stage.readers(&second, &EVERYBODY), ["1001", "1002"]);
    assert_eq!(stage.stored_files(), 1);
    for terminal in [alice, bob] {
        let _ = terminal.heard();
    }
}

#[test]
fn a_file_whose_last_message_was_replaced_goes_although_the_process_ended_right_then() {
    let stage = Stage::new();
    let (alice, bob) = two_talk(&stage);
    let (first, second) = (stage.uploads("1001"), stage.uploads("1001"));
    alice.sends_file("f1", &first, Some("page"));
    stage.store_pauses_after_a_batch();
    alice.sends_file("f2", &second, Some("page"));
    assert_eq!(stage.stored_files(), 2);
    stage.dies_and_comes_back();
    assert_eq!(stage.stored_files(), 1);
    assert_eq!(stage.readers(&second, &EVERYBODY), ["1001", "1002"]);
    alice.forgets_its_session();
    bob.forgets_its_session();
}

#[test]
fn a_file_lingers_with_its_rows_and_one_that_nobody_named_does_not() {
    let stage = Stage::new();
    let (alice, bob) = two_talk(&stage);
    let named = stage.uploads("1001");
    let _forgotten = stage.uploads("1002");
    alice.sends_file("f", &named, None);
    alice.gets(&["sent f c1 #1 stored"]);
    bob.drops();
    stage.bye(1);
    assert_eq!(stage.stored_files(), 1);
    assert_eq!(stage.readers(&named, &["1002"]), ["1002"]);
    stage.waits(Duration::from_secs(61));
    assert_eq!(stage.stored_files(), 0);
    for terminal in [alice, bob] {
        let _ = terminal.heard();
    }
}

#[test]
fn nobody_uploads_outside_a_call_or_without_bound() {
    let rules = Rules {
        call_file_bytes_max: 1_500,
        ..Rules::default()
    };
    let stage = Stage::with(rules);
    let alice = Phone::new("1001");
    assert_eq!(stage.asks_to_upload(&alice), Err(SendRefusal::NotInCall));
    stage.call(1, &["1001", "1002"]);
    stage.uploads("1001");
    stage.uploads("1002");
    assert_eq!(stage.asks_to_upload(&alice), Err(SendRefusal::MailboxFull));
}

#[test]
fn what_comes_after_the_end_of_the_call_is_not_taken_in() {
    let stage = Stage::new();
    stage.call(1, &["1001", "1002"]);
    let alice = Phone::new("1001");
    let place = stage.asks_to_upload(&alice).unwrap();
    stage.bye(1);
    assert!(!stage.takes(uploaded(&alice, &place, 1)));
    assert_eq!(stage.stored_files(), 0);
}

#[test]
fn a_file_that_the_store_has_no_room_for_is_forgotten() {
    let stage = Stage::new();
    let (alice, bob) = two_talk(&stage);
    let place = stage.asks_to_upload(&Phone::new("1001")).unwrap();
    stage.store_pauses();
    assert!(stage.takes(uploaded(&Phone::new("1001"), &place, 1)));
    stage.store_breaks();
    assert_eq!(
        stage.asks_to_upload(&Phone::new("1001")),
        Err(SendRefusal::Unavailable)
    );
    stage.store_recovers();
    alice.sends_file("f", &place.file, None);
    alice.gets(&["send_failed f BadRequest"]);
    bob.gets(&[]);
    assert_eq!(stage.stored_files(), 0);
}

#[test]
fn a_file_can_be_named_again_if_the_message_that_named_it_was_refused() {
    let stage = Stage::new();
    let (alice, bob) = two_talk(&stage);
    let file = stage.uploads("1001");
    stage.store_pauses();
    alice.sends_file("f", &file, None);
    stage.store_breaks();
    alice.gets(&["send_failed f Unavailable"]);
    stage.store_recovers();
    assert_eq!(stage.stored_files(), 1);
    alice.sends_file("f", &file, None);
    alice.gets(&["sent f c1 #1 stored"]);
    bob.gets(&["c1/e2 #1 received 1001>1002 \"a file\" kind=file"]);
    assert_eq!(stage.readers(&file, &EVERYBODY), ["1001", "1002"]);
}
