//! Hold and resume (semantics §5).

use crate::switch::Switch;

#[test]
fn a_resume_counts_after_a_short_delay() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.holds("1002-a");
    switch.says(&["hold_on 1 [1001 1002] by 1002"]);
    switch.unholds("1002-a");
    switch.waits(299);
    switch.says(&[]);
    switch.waits(1);
    switch.says(&["hold_off 1 [1001 1002] by 1002"]);
}

#[test]
fn both_hold_in_every_overlapping_order_and_it_counts_once() {
    for first in ["1001-a", "1002-a"] {
        for first_back in ["1001-a", "1002-a"] {
            let other = |name: &str| if name == "1001-a" { "1002-a" } else { "1001-a" };
            let mut switch = Switch::new();
            switch.two_talk();
            switch.holds(first);
            switch.holds(other(first));
            switch.says(&[&format!("hold_on 1 [1001 1002] by {}", &first[..4])]);
            switch.unholds(first_back);
            switch.waits(1_000);
            switch.says(&[]);
            switch.unholds(other(first_back));
            switch.waits(1_000);
            switch.says(&[&format!("hold_off 1 [1001 1002] by {}", &other(first_back)[..4])]);
        }
    }
}

#[test]
fn a_hold_again_before_the_delay_is_over_is_one_hold() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.holds("1001-a");
    switch.unholds("1001-a");
    switch.waits(200);
    switch.holds("1001-a");
    switch.waits(5_000);
    switch.says(&["hold_on 1 [1001 1002] by 1001"]);
    switch.unholds("1001-a");
    switch.unholds("1001-a");
    switch.waits(300);
    switch.says(&["hold_off 1 [1001 1002] by 1001"]);
}

#[test]
fn the_unhold_that_asterisk_invents_before_a_transfer_is_no_resume() {
    for held in [false, true] {
        let mut switch = Switch::new();
        switch.two_talk();
        if held {
            switch.holds("1001-a");
            switch.says(&["hold_on 1 [1001 1002] by 1001"]);
        }
        switch.unholds("1001-a");
        switch.leaves("1001-a", "b1");
        switch.leaves("1002-a", "b1");
        switch.transfers_blind("1001-a", "1002-a", "1003", true);
        switch.gone("1001-a");
        switch.waits(1_000);
        switch.says(&["transferring 1 [1002] by 1001"]);
        switch.gone("1002-a");
        switch.says(&["bye 1 []"]);
    }
}

#[test]
fn a_hold_ends_with_the_call() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.holds("1001-a");
    switch.says(&["hold_on 1 [1001 1002] by 1001"]);
    switch.gone("1002-a");
    switch.gone("1001-a");
    switch.says(&["bye 1 []"]);
    switch.waits(1_000);
}

#[test]
fn leaving_the_bridge_to_consult_on_the_same_leg_is_a_hold() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.leaves("1001-a", "b1");
    switch.enters("1001-a", "b2");
    switch.enters("1003-a", "b2");
    switch.says(&["call 2 [1001 1003]"]);
    switch.waits(300);
    switch.says(&["hold_on 1 [1001 1002] by 1001"]);
    switch.waits(60_000);
    switch.says(&[]);
    // And back.
    switch.gone("1003-a");
    switch.leaves("1001-a", "b2");
    switch.enters("1001-a", "b1");
    switch.waits(1_000);
    switch.says(&["hold_off 1 [1001 1002] by 1001", "bye 2 []"]);
}
