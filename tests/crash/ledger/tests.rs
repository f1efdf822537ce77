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
        BTreeMap::from([(CALL.to_owned(), texts.collect())])
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
