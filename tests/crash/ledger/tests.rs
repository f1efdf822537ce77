use std::collections::BTreeSet;

use super::*;

const CALL: &str = "c1";

/// 1001 (terminal 0) and 1002 (1) talk; 1003 (2) does not.
fn ledger() -> Ledger {
    let mut ledger = Ledger::new(["1001", "1002", "1003"].map(str::to_owned).to_vec());
    ledger.call_is_known(CALL, &["1001".to_owned(), "1002".to_owned()]);
    ledger
}

fn row(seq: u64, number: MessageNo) -> Row {
    Row {
        call: CALL.to_owned(),
        epoch: "e".to_owned(),
        seq,
        words: words(CALL, number, 3),
        file: None,
    }
}

/// Terminal 0 sends so many messages, and all of them are accepted at moment 10.
fn accepted(ledger: &mut Ledger, count: usize, key: Option<&str>) {
    for _ in 0..count {
        let number = ledger.asked(0, CALL, key, 5);
        ledger.accepted(number, None, 10);
    }
}

fn bad(ledger: &Ledger) -> [u64; 5] {
    let counts = ledger.counts;
    [
        counts.lost,
        counts.duplicated,
        counts.reordered,
        counts.leaked,
        counts.revived,
    ]
}

#[test]
fn what_never_arrives_is_lost_unless_it_was_replaced() {
    let mut ledger = ledger();
    accepted(&mut ledger, 2, None);
    accepted(&mut ledger, 3, Some("k"));
    ledger.received(1, &row(1, 0));
    ledger.received(1, &row(5, 4));
    assert_eq!(ledger.owed(), [(1, "1002".to_owned())]);
    ledger.write_off();
    ledger.judge();
    assert_eq!(bad(&ledger), [1, 0, 0, 0, 0]);
}

#[test]
fn twice_out_of_order_and_not_the_same_row_are_three_things() {
    let mut ledger = ledger();
    accepted(&mut ledger, 3, None);
    ledger.received(1, &row(2, 1));
    ledger.received(1, &row(3, 1));
    assert_eq!(bad(&ledger), [0, 1, 0, 0, 0]);
    ledger.received(1, &row(4, 0));
    assert_eq!(bad(&ledger), [0, 1, 1, 0, 0]);
    ledger.received(1, &row(4, 2));
    assert_eq!(bad(&ledger), [0, 1, 2, 0, 0]);
}

#[test]
fn who_is_handed_a_row_in_another_mailbox_starts_over_only_where_mailboxes_may_be_lost() {
    let again = Row {
        epoch: "other".to_owned(),
        ..row(1, 0)
    };
    for may_lose in [false, true] {
        let mut ledger = ledger();
        if may_lose {
            ledger = ledger.may_lose_mailboxes();
        }
        accepted(&mut ledger, 2, None);
        ledger.received(1, &row(1, 0));
        ledger.received(1, &row(2, 1));
        ledger.received(1, &again);
        assert_eq!(ledger.counts.started_over, u64::from(may_lose));
        ledger.received(1, &again);
        assert_eq!(bad(&ledger), [0, if may_lose { 1 } else { 2 }, 0, 0, 0]);
    }
}

#[test]
fn who_comes_later_may_read_what_was_and_who_has_left_not_what_comes() {
    let mut ledger = ledger();
    accepted(&mut ledger, 1, None);
    let after = ["1003".to_owned(), "1002".to_owned()];
    ledger.transfer_begins(CALL, &after);
    // Nobody can know yet which of the two it reaches.
    let meanwhile = ledger.asked(1, CALL, None, 20);
    ledger.transfer_is_known(CALL);
    let later = ledger.asked(1, CALL, None, 30);
    for (seq, number) in [(1, 0), (2, meanwhile), (3, later)] {
        ledger.received(2, &row(seq, number));
    }
    ledger.received(0, &row(2, meanwhile));
    ledger.judge();
    assert_eq!(bad(&ledger), [0; 5]);
    ledger.received(0, &row(3, later));
    ledger.judge();
    assert_eq!(bad(&ledger), [0, 0, 0, 1, 0]);
}

#[test]
fn what_was_refused_must_not_turn_up() {
    let mut ledger = ledger();
    let number = ledger.asked(0, CALL, None, 5);
    ledger.refused(number, true);
    ledger.received(1, &row(1, number));
    assert_eq!(bad(&ledger), [0, 0, 0, 0, 1]);
}

#[test]
fn a_disk_has_what_was_confirmed_by_then() {
    let mut ledger = ledger();
    accepted(&mut ledger, 2, None);
    let disk = |numbers: &[MessageNo]| {
        let texts = numbers.iter().map(|number| words(CALL, *number, 0));
        Stored {
            calls: BTreeMap::from([(CALL.to_owned(), texts.collect())]),
            ..Stored::default()
        }
    };
    ledger.compare(&disk(&[0, 1]), 10);
    ledger.compare(&disk(&[]), 9);
    assert_eq!(bad(&ledger), [0; 5]);
    ledger.compare(&disk(&[1]), 10);
    assert_eq!(bad(&ledger), [1, 0, 0, 0, 0]);
    ledger.compare(&disk(&[1, 0]), 10);
    ledger.compare(&disk(&[0, 1, 1]), 10);
    assert_eq!(bad(&ledger), [1, 1, 1, 0, 0]);
}

#[test]
fn words_of_calls_that_are_over_are_found_in_any_bytes() {
    let mut ledger = ledger();
    let bytes = format!("\u{0}{}\u{0}these are{}", words(CALL, 1, 4), words("c2", 2, 4));
    assert_eq!(ledger.words_left_in(bytes.as_bytes()), 0);
    ledger.ends(CALL, 1);
    ledger.close_books();
    assert_eq!(ledger.words_left_in(bytes.as_bytes()), 1);
}

/// Terminal 0 uploads a file, and it is accepted at moment 10; if `is_named`, so is a message that names it.
fn uploaded(ledger: &mut Ledger, id: &str, is_named: bool) -> Vec<u8> {
    let file = ledger.upload_begins(CALL, 1_000, true);
    ledger.uploaded(file, id, 10);
    if is_named {
        let number = ledger.asked(0, CALL, Some("k"), 5);
        ledger.named(file, number);
        ledger.accepted(number, None, 10);
    }
    content(CALL, file, 1_000)
}

fn bad_files(ledger: &Ledger) -> [u64; 2] {
    [ledger.counts.files_lost, ledger.counts.files_left]
}

#[test]
fn a_file_that_was_accepted_is_lost_if_it_is_gone_or_torn_and_only_once() {
    let mut ledger = ledger();
    let (named, unnamed) = (
        uploaded(&mut ledger, "named", true),
        uploaded(&mut ledger, "unnamed", false),
    );
    let disk = |files: &[(&str, &[u8])]| Stored {
        calls: BTreeMap::from([(CALL.to_owned(), vec![words(CALL, 0, 0)])]),
        files: files
            .iter()
            .map(|(id, bytes)| ((*id).to_owned(), bytes.to_vec()))
            .collect(),
    };
    ledger.compare(&disk(&[("named", &named), ("unnamed", &unnamed)]), 10);
    ledger.compare(&disk(&[]), 9);
    assert_eq!(bad_files(&ledger), [0, 0]);
    ledger.compare(&disk(&[("unnamed", &unnamed)]), 10);
    assert_eq!(bad_files(&ledger), [1, 0]);
    // What is torn is both: it ought not to be there.
    ledger.compare(&disk(&[("named", &named), ("unnamed", &unnamed[..900])]), 10);
    ledger.compare(&disk(&[("named", &named)]), 10);
    assert_eq!(bad_files(&ledger), [2, 1]);
}

#[test]
fn what_stays_of_an_upload_that_broke_off_and_of_a_call_that_is_over_is_left_behind() {
    let mut ledger = ledger();
    let bytes = uploaded(&mut ledger, "named", true);
    let broken = ledger.upload_begins(CALL, 1_000, false);
    let on_disk = |name: &str, bytes: &[u8]| BTreeMap::from([(name.to_owned(), bytes.to_vec())]);
    let standing = BTreeSet::from([CALL.to_owned()]);
    let whole = on_disk("named", &bytes);
    assert_eq!(ledger.left_behind(&whole, &standing), [""; 0]);
    for (files, calls) in [
        (whole.clone(), BTreeSet::new()),
        (
            on_disk("half.part", &content(CALL, broken, 1_000)[..500]),
            standing.clone(),
        ),
        (on_disk("half.part", &[]), standing.clone()),
        (on_disk("half", &content(CALL, broken, 1_000)), standing.clone()),
    ] {
        assert_eq!(ledger.left_behind(&files, &calls).len(), 1, "{calls:?}");
    }
    accepted(&mut ledger, 1, Some("k"));
    assert_eq!(ledger.left_behind(&whole, &standing).len(), 1);
}

#[test]
fn a_file_is_for_those_who_have_a_row_of_it() {
    let mut ledger = ledger();
    uploaded(&mut ledger, "named", true);
    let readers = |ledger: &Ledger| {
        let [file] = &ledger.readable()[..] else {
            panic!("{:?}", ledger.readable());
        };
        (file.readers.clone(), file.stranger)
    };
    assert_eq!(readers(&ledger), (vec![0], Some(2)));
    ledger.received(
        1,
        &Row {
            file: Some("named".to_owned()),
            ..row(1, 0)
        },
    );
    assert_eq!(readers(&ledger), (vec![0, 1], Some(2)));
    ledger.ends(CALL, 20);
    assert!(ledger.readable().is_empty());
}

#[test]
fn a_copy_has_for_every_party_what_was_confirmed_before_it_was_begun() {
    let mut ledger = ledger();
    accepted(&mut ledger, 2, None);
    accepted(&mut ledger, 1, Some("k"));
    let confirmed = ledger.confirmed();
    // Later than the copy, and in the place of what was in it.
    accepted(&mut ledger, 1, Some("k"));
    let mailbox = |phone: &str, numbers: &[MessageNo]| CopiedMailbox {
        call: CALL.to_owned(),
        phone: phone.to_owned(),
        words: numbers.iter().map(|number| words(CALL, *number, 0)).collect(),
    };
    let both = |numbers: &[MessageNo]| [mailbox("1001", &[0, 1, 2]), mailbox("1002", numbers)];
    ledger.compare_copy(&confirmed, &both(&[0, 1, 2]));
    ledger.compare_copy(&confirmed, &both(&[0, 1]));
    assert_eq!(bad(&ledger), [0; 5]);
    ledger.compare_copy(&confirmed, &both(&[0, 2]));
    assert_eq!(bad(&ledger), [1, 0, 0, 0, 0]);
    ledger.compare_copy(&confirmed, &both(&[1, 0]));
    assert_eq!(bad(&ledger), [1, 0, 1, 0, 0]);
    ledger.compare_copy(&confirmed, &[]);
    assert_eq!(bad(&ledger), [3, 0, 1, 0, 0]);
    ledger.ends(CALL, 20);
    ledger.compare_copy(&confirmed, &[]);
    assert_eq!(bad(&ledger), [3, 0, 1, 0, 0]);
}
