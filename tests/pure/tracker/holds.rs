//! Hold and resume (semantics §5).

use callrelay::tracker::event::DialProgress;

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

#[test]
fn of_three_one_holds_at_once_while_another_one_is_perhaps_leaving() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.enters("1003-a", "b1");
    switch.waits(25);
    switch.says(&["join 1 [1001 1002 1003] of 1003"]);
    switch.leaves("1002-a", "b1");
    switch.holds("1003-a");
    switch.says(&["hold_on 1 [1001 1002 1003] by 1003"]);
    switch.waits(2_000);
    // Of two, the hold is one of both.
    switch.says(&["leave 1 [1001 1003] of 1002", "hold_on 1 [1001 1003] by 1003"]);
}

#[test]
fn who_leaves_while_it_holds_is_not_on_hold_any_more() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.enters("1003-a", "b1");
    switch.waits(25);
    switch.says(&["join 1 [1001 1002 1003] of 1003"]);
    switch.holds("1003-a");
    switch.leaves("1003-a", "b1");
    switch.gone("1003-a");
    switch.waits(25);
    assert_eq!(switch.memory(1).paused, []);
    switch.says(&[
        "hold_on 1 [1001 1002 1003] by 1003",
        "leave 1 [1001 1002] of 1003",
    ]);
}

#[test]
fn a_hold_by_who_stays_goes_on_through_a_blind_transfer_in_either_order_of_its_reports() {
    for left_first in [true, false] {
        let mut switch = Switch::new();
        switch.two_talk();
        switch.holds("1002-a");
        switch.says(&["hold_on 1 [1001 1002] by 1002"]);
        switch.unholds("1001-a");
        if left_first {
            switch.leaves("1002-a", "b1");
        }
        switch.transfers_blind("1001-a", "1002-a", "1003", true);
        if !left_first {
            switch.leaves("1002-a", "b1");
        }
        switch.leaves("1001-a", "b1");
        switch.gone("1001-a");
        switch.rings("1002-a", "1003-a");
        switch.dials("1002-a", "1003-a", DialProgress::Answered);
        switch.enters("1003-a", "b2");
        switch.enters("1002-a", "b2");
        switch.says(&[
            "transferring 1 [1002] by 1001",
            "ringing 1 [1002] 1002>1003",
            "transfer 1 [1002 1003] 1001>1003",
        ]);
        // It was never off, and it is when the device says so.
        switch.waits(1_000);
        switch.says(&[]);
        switch.unholds("1002-a");
        switch.waits(300);
        switch.says(&["hold_off 1 [1002 1003] by 1002"]);
    }
}

#[test]
fn a_hold_by_who_stays_goes_on_through_an_attended_transfer_in_either_order_of_its_reports() {
    for moved_first in [true, false] {
        let mut switch = Switch::new();
        switch.one_consults();
        switch.holds("1002-a");
        switch.says(&[]);
        if !moved_first {
            switch.transfers_attended(Some("1003-a"));
        }
        switch.leaves("1002-a", "b1");
        switch.leaves("1001-b", "b2");
        switch.enters("1002-a", "b2");
        if moved_first {
            switch.transfers_attended(Some("1003-a"));
        }
        switch.says(&["bye 2 []", "transfer 1 [1002 1003] 1001>1003"]);
        switch.gone("1001-a");
        switch.gone("1001-b");
        switch.waits(1_000);
        switch.says(&[]);
        switch.unholds("1002-a");
        switch.waits(300);
        switch.says(&["hold_off 1 [1002 1003] by 1002"]);
    }
}

/// Asterisk says *hold* for it, and never *unhold*.
#[test]
fn a_hold_that_began_a_consultation_does_not_come_along_when_the_consultation_is_transferred() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.holds("1001-a");
    switch.leaves("1001-a", "b1");
    switch.enters("1003-a", "b2");
    switch.enters("1001-a", "b2");
    switch.says(&["hold_on 1 [1001 1002] by 1001", "call 2 [1001 1003]"]);
    switch.transfers_blind("1003-a", "1001-a", "1004", true);
    switch.leaves("1001-a", "b2");
    switch.leaves("1003-a", "b2");
    switch.gone("1003-a");
    switch.rings("1001-a", "1004-a");
    switch.enters("1004-a", "b3");
    switch.enters("1001-a", "b3");
    switch.says(&[
        "transferring 2 [1001] by 1003",
        "ringing 2 [1001] 1001>1004",
        "transfer 2 [1001 1004] 1003>1004",
    ]);
    switch.waits(299);
    switch.says(&[]);
}

#[test]
fn who_resumes_just_before_it_is_transferred_holds_no_more() {
    for left_first in [false, true] {
        let mut switch = Switch::new();
        switch.two_talk();
        switch.holds("1002-a");
        switch.says(&["hold_on 1 [1001 1002] by 1002"]);
        switch.unholds("1002-a");
        if left_first {
            switch.leaves("1002-a", "b1");
        }
        switch.transfers_blind("1001-a", "1002-a", "1003", true);
        switch.leaves("1002-a", "b1");
        switch.leaves("1001-a", "b1");
        switch.gone("1001-a");
        switch.enters("1003-a", "b2");
        switch.enters("1002-a", "b2");
        switch.waits(10_000);
        switch.says(&[
            "transferring 1 [1002] by 1001",
            "transfer 1 [1002 1003] 1001>1003",
        ]);
        assert!(switch.tracker.call_count() == 1);
        switch.holds("1002-a");
        // It is not on hold: to hold is news.
        switch.says(&["hold_on 1 [1002 1003] by 1002"]);
    }
}

#[test]
fn a_hold_that_is_reported_after_its_channel_left_stays_behind() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.leaves("1001-a", "b1");
    switch.holds("1001-a");
    switch.leaves("1002-a", "b1");
    switch.enters("1001-a", "b2");
    switch.enters("1002-a", "b2");
    switch.waits(10_000);
    switch.says(&[]);
}

#[test]
fn a_resume_that_is_said_again_counts_from_when_it_was_said_first() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.holds("1002-a");
    switch.unholds("1002-a");
    switch.waits(250);
    switch.unholds("1002-a");
    switch.says(&["hold_on 1 [1001 1002] by 1002"]);
    switch.waits(50);
    switch.says(&["hold_off 1 [1001 1002] by 1002"]);
    switch.transfers_blind("1001-a", "1002-a", "1003", true);
    switch.leaves("1002-a", "b1");
    switch.waits(1_000);
    switch.says(&["transferring 1 [1002] by 1001"]);
}
