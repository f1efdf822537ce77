//! How calls begin and end (semantics §2, §8).

use callrelay::tracker::event::DialProgress;

use crate::switch::Switch;

#[test]
fn a_busy_phone_makes_no_call_and_never_rings() {
    let mut switch = Switch::new();
    switch.dials("1001-a", "1002-a", DialProgress::Begun);
    switch.dials("1001-a", "1002-a", DialProgress::Failed);
    switch.gone("1002-a");
    switch.gone("1001-a");
    switch.waits(10_000);
    switch.says(&[]);
}

#[test]
fn ringing_that_is_rejected_is_over_for_both() {
    let mut switch = Switch::new();
    switch.rings("1001-a", "1002-a");
    switch.says(&["ringing 1 [] 1001>1002"]);
    switch.dials("1001-a", "1002-a", DialProgress::Failed);
    switch.says(&["ringing_over 1 [] for 1002 1001"]);
    switch.gone("1002-a");
    switch.gone("1001-a");
}

#[test]
fn ringing_that_nobody_answers_is_over_also_when_only_the_channels_go() {
    for first in ["1001-a", "1002-a"] {
        let mut switch = Switch::new();
        switch.rings("1001-a", "1002-a");
        switch.gone(first);
        switch.says(&["ringing 1 [] 1001>1002", "ringing_over 1 [] for 1002 1001"]);
        switch.gone(if first == "1001-a" { "1002-a" } else { "1001-a" });
    }
}

#[test]
fn an_answered_dial_is_no_call_before_both_are_in_the_bridge() {
    let mut switch = Switch::new();
    switch.rings("1001-a", "1002-a");
    switch.dials("1001-a", "1002-a", DialProgress::Answered);
    switch.enters("1002-a", "b1");
    switch.waits(60_000);
    switch.says(&["ringing 1 [] 1001>1002"]);
    switch.enters("1001-a", "b1");
    switch.says(&["call 1 [1001 1002] 1001>1002"]);
}

#[test]
fn a_hangup_by_either_side_ends_the_call_in_every_order_of_reports() {
    for (first, other) in [("1001-a", "1002-a"), ("1002-a", "1001-a")] {
        // Left, destroyed; or destroyed before left; or only destroyed.
        for shape in 0..3 {
            let mut switch = Switch::new();
            switch.two_talk();
            match shape {
                0 => {
                    switch.leaves(first, "b1");
                    switch.says(&[]);
                    switch.gone(first);
                }
                1 => {
                    switch.gone(first);
                    switch.leaves(first, "b1");
                }
                _ => switch.gone(first),
            }
            switch.says(&[]);
            // The other side's leg may live on in the dialplan; the call does not.
            switch.waits(25);
            switch.says(&["bye 1 []"]);
            switch.leaves(other, "b1");
            switch.bridge_gone("b1");
            switch.gone(other);
            assert_eq!(switch.tracker.call_count(), 0);
        }
    }
}

#[test]
fn when_both_sides_are_destroyed_the_call_ends_at_once() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.gone("1001-a");
    switch.gone("1002-a");
    switch.says(&["bye 1 []"]);
}

#[test]
fn a_party_outside_every_bridge_is_gone_after_the_settle_time() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.leaves("1002-a", "b1");
    switch.leaves("1001-a", "b1");
    switch.bridge_gone("b1");
    switch.waits(1_990);
    switch.says(&[]);
    switch.waits(20);
    switch.says(&["bye 1 []"]);
    switch.gone("1001-a");
    switch.gone("1002-a");
}

#[test]
fn parties_that_meet_again_within_the_settle_time_are_still_in_their_call() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.leaves("1002-a", "b1");
    switch.leaves("1001-a", "b1");
    switch.waits(1_900);
    switch.enters("1002-a", "b2");
    switch.enters("1001-a", "b2");
    switch.waits(10_000);
    switch.says(&[]);
    assert_eq!(switch.tracker.call_count(), 1);
}

#[test]
fn two_channels_of_one_phone_are_no_call() {
    let mut switch = Switch::new();
    switch.enters("1001-a", "b1");
    switch.enters("1001-b", "b1");
    switch.waits(10_000);
    switch.says(&[]);
}

#[test]
fn parties_of_two_calls_who_are_put_together_begin_anew_and_nobody_who_waits_hears_it() {
    let mut switch = Switch::new();
    switch.one_consults();
    // Somebody ties 1002 to 1003 without a word of a transfer.
    switch.leaves("1002-a", "b1");
    switch.leaves("1001-b", "b2");
    switch.enters("1002-a", "b2");
    switch.waits(25);
    switch.says(&["bye 2 []", "call 3 [1002 1003]"]);
    // The word comes too late, and changes nothing.
    switch.transfers_attended(Some("1003-a"));
    switch.says(&[]);
    switch.gone("1001-a");
    switch.gone("1001-b");
    switch.waits(25);
    switch.says(&["bye 1 []"]);
    switch.gone("1002-a");
    switch.gone("1003-a");
    switch.says(&["bye 3 []"]);
}
