//! How calls begin and end (semantics §2, §8).

use callrelay::tracker::PbxEvent;
use callrelay::tracker::event::DialProgress;

use crate::switch::{Switch, bridge, channel};

#[test]
fn two_of_five_that_are_moved_elsewhere_together_are_a_call_of_their_own() {
    let mut switch = Switch::new();
    switch.two_talk();
    for name in ["1003-a", "1004-a", "1005-a"] {
        switch.enters(name, "b1");
    }
    switch.waits(100);
    switch.says(&[
        "join 1 [1001 1002 1003] of 1003",
        "join 1 [1001 1002 1003 1004] of 1004",
        "join 1 [1001 1002 1003 1004 1005] of 1005",
    ]);
    for name in ["1001-a", "1002-a"] {
        switch.leaves(name, "b1");
        switch.enters(name, "b2");
    }
    switch.waits(10_000);
    switch.says(&[
        "leave 1 [1002 1003 1004 1005] of 1001",
        "leave 1 [1003 1004 1005] of 1002",
        "call 2 [1001 1002]",
    ]);
}

#[test]
fn one_of_three_that_is_moved_to_somebody_else_leaves_the_others_in_their_call() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.enters("1003-a", "b1");
    switch.waits(100);
    switch.says(&["join 1 [1001 1002 1003] of 1003"]);
    switch.enters("1004-a", "b2");
    switch.leaves("1001-a", "b1");
    switch.enters("1001-a", "b2");
    switch.waits(10_000);
    switch.says(&["leave 1 [1002 1003] of 1001", "call 2 [1001 1004]"]);
}

#[test]
fn one_of_two_devices_that_goes_to_another_call_leaves_the_other_one_where_it_is() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.enters("1001-b", "b1");
    switch.enters("1004-a", "b2");
    switch.leaves("1001-b", "b1");
    switch.enters("1001-b", "b2");
    switch.waits(10_000);
    switch.says(&["call 2 [1001 1004]"]);
}

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
        if first == "1001-a" {
            switch.says(&["ringing 1 [] 1001>1002", "ringing_over 1 [] for 1002 1001"]);
        } else {
            // Somebody may have picked it up.
            switch.says(&["ringing 1 [] 1001>1002", "ringing_over 1 [] for 1002"]);
            switch.waits(250);
            switch.says(&["ringing_over 1 [] for 1001"]);
        }
        switch.gone(if first == "1001-a" { "1002-a" } else { "1001-a" });
    }
}

#[test]
fn two_devices_of_a_phone_ring_once_and_until_the_last_one_is_still() {
    let mut switch = Switch::new();
    switch.rings("1001-a", "1002-a");
    switch.rings("1001-a", "1002-b");
    switch.says(&["ringing 1 [] 1001>1002"]);
    switch.gone("1002-a");
    switch.waits(250);
    switch.says(&[]);
    switch.dials("1001-a", "1002-b", DialProgress::Failed);
    switch.says(&["ringing_over 1 [] for 1002 1001"]);
}

#[test]
fn a_phone_of_which_another_device_answered_hears_of_the_call_only() {
    let mut switch = Switch::new();
    switch.rings("1001-a", "1002-a");
    switch.rings("1001-a", "1002-b");
    switch.dials("1001-a", "1002-b", DialProgress::Answered);
    switch.gone("1002-a");
    switch.enters("1002-b", "b1");
    switch.enters("1001-a", "b1");
    switch.says(&["ringing 1 [] 1001>1002", "call 1 [1001 1002] 1001>1002"]);
    // The other device may be let go a little later.
    let mut switch = Switch::new();
    switch.rings("1001-a", "1002-a");
    switch.rings("1001-a", "1002-b");
    switch.enters("1002-b", "b1");
    switch.enters("1001-a", "b1");
    switch.gone("1002-a");
    switch.says(&["ringing 1 [] 1001>1002", "call 1 [1001 1002] 1001>1002"]);
}

#[test]
fn an_answered_dial_is_no_call_before_both_are_in_the_bridge() {
    let mut switch = Switch::new();
    switch.rings("1001-a", "1002-a");
    switch.dials("1001-a", "1002-a", DialProgress::Answered);
    switch.enters("1002-a", "b1");
    switch.waits(1_990);
    switch.says(&["ringing 1 [] 1001>1002"]);
    switch.enters("1001-a", "b1");
    switch.says(&["call 1 [1001 1002] 1001>1002"]);
    switch.waits(60_000);
}

#[test]
fn a_phone_that_answered_and_talks_to_nobody_rings_no_more() {
    let mut switch = Switch::new();
    switch.rings("1001-a", "1002-a");
    switch.dials("1001-a", "1002-a", DialProgress::Answered);
    switch.waits(1_990);
    switch.says(&["ringing 1 [] 1001>1002"]);
    switch.waits(20);
    switch.says(&["ringing_over 1 [] for 1002 1001"]);
    // An announcement may have been played to it before.
    switch.enters("1002-a", "b1");
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
            switch.waits(250);
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
    switch.waits(249);
    switch.says(&[]);
    switch.waits(1);
    switch.says(&["bye 2 []", "call 3 [1002 1003]"]);
    // The word comes too late, and changes nothing.
    switch.transfers_attended(Some("1003-a"));
    switch.says(&[]);
    switch.gone("1001-a");
    switch.gone("1001-b");
    switch.waits(250);
    switch.says(&["bye 1 []"]);
    switch.gone("1002-a");
    switch.gone("1003-a");
    switch.says(&["bye 3 []"]);
}

#[test]
fn a_ringing_call_that_another_phone_picks_up_is_over_for_the_one_that_rang_alone() {
    // 1003 dials the code, and its channel takes the place of the one that was dialled. That this one is gone
    // may be reported earlier or later.
    for gone_first in [false, true] {
        let mut switch = Switch::new();
        switch.rings("1001-a", "1002-a");
        if gone_first {
            switch.gone("1002-a");
        }
        switch.dials("1001-a", "1003-a", DialProgress::Answered);
        switch.gone("1002-a");
        switch.waits(1_900);
        switch.says(&["ringing 1 [] 1001>1002", "ringing_over 1 [] for 1002"]);
        switch.enters("1003-a", "b1");
        switch.enters("1001-a", "b1");
        switch.says(&["call 1 [1001 1003] 1001>1003"]);
    }
}

#[test]
fn a_call_that_was_picked_up_and_comes_to_nothing_is_over_for_the_caller_too() {
    let mut switch = Switch::new();
    switch.rings("1001-a", "1002-a");
    switch.dials("1001-a", "1003-a", DialProgress::Answered);
    switch.gone("1002-a");
    switch.says(&["ringing 1 [] 1001>1002", "ringing_over 1 [] for 1002"]);
    switch.gone("1001-a");
    switch.says(&["ringing_over 1 [] for 1001"]);
    switch.gone("1003-a");
}

#[test]
fn a_ringing_call_that_is_forwarded_goes_on_for_the_caller() {
    let mut switch = Switch::new();
    let local = |half: u8| format!("1003@phones-1;{half}");
    switch.rings("1001-a", "1002-a");
    switch.tells(&PbxEvent::Dial {
        caller: Some(channel("1001-a")),
        peer: channel("1002-a"),
        progress: DialProgress::Failed,
        forwarded: Some(channel(&local(1))),
    });
    switch.gone("1002-a");
    switch.says(&["ringing 1 [] 1001>1002", "ringing_over 1 [] for 1002"]);
    switch.dials("1001-a", &local(1), DialProgress::Begun);
    switch.rings(&local(2), "1003-a");
    switch.says(&["ringing 1 [] 1001>1003"]);
    switch.dials(&local(2), "1003-a", DialProgress::Failed);
    switch.says(&["ringing_over 1 [] for 1003"]);
    switch.dials("1001-a", &local(1), DialProgress::Failed);
    switch.says(&["ringing_over 1 [] for 1001"]);
}

#[test]
fn phones_that_ring_behind_local_channels_ring_for_one_call() {
    let mut switch = Switch::new();
    for pair in ["1002@phones-1", "1003@phones-2"] {
        switch.dials("1001-a", &format!("{pair};1"), DialProgress::Begun);
        let phone = format!("{}-a", &pair[..4]);
        switch.rings(&format!("{pair};2"), &phone);
    }
    switch.says(&["ringing 1 [] 1001>1002", "ringing 1 [] 1001>1003"]);
    switch.dials("1003@phones-2;2", "1003-a", DialProgress::Answered);
    switch.dials("1002@phones-1;2", "1002-a", DialProgress::Failed);
    switch.says(&["ringing_over 1 [] for 1002"]);
    switch.enters("1003-a", "b2");
    switch.enters("1003@phones-2;2", "b2");
    switch.enters("1003@phones-2;1", "b1");
    switch.enters("1001-a", "b1");
    switch.says(&["call 1 [1001 1003] 1001>1003"]);
}

/// Somebody outside calls with this number, and 1001 answers.
fn called_from_outside(switch: &mut Switch, number: &str) {
    let mut outside = channel("trunk-a");
    number.clone_into(&mut outside.caller.number);
    switch.tells(&PbxEvent::ChannelSeen(outside.clone()));
    for channel in [outside, channel("1001-a")] {
        let bridge = bridge("b1");
        switch.tells(&PbxEvent::Entered { bridge, channel });
    }
}

#[test]
fn who_calls_from_outside_with_the_number_of_a_phone_that_is_told_of_later_is_nobody() {
    let mut switch = Switch::new();
    called_from_outside(&mut switch, "1009");
    switch.says(&["call 1 [1001 1009]"]);
    let mut switch = Switch::new();
    switch
        .tracker
        .know_endpoints(&["1009".to_owned(), "trunk".to_owned()]);
    called_from_outside(&mut switch, "1009");
    switch.says(&["call 1 [1001 anonymous-trunk-a]"]);
}

#[test]
fn whom_a_phone_dials_outside_is_known_though_it_is_not_said_every_time() {
    let mut switch = Switch::new();
    let mut caller = channel("1001-a");
    caller.app_name = "Dial".to_owned();
    caller.app_data = "PJSIP/815551234@trunk,20".to_owned();
    switch.tells(&PbxEvent::ChannelSeen(caller));
    // As AMI says it to who has just connected.
    switch.tells(&PbxEvent::ChannelSeen(channel("1001-a")));
    let mut outside = channel("trunk-a");
    "9815551234".clone_into(&mut outside.caller.number);
    switch.tells(&PbxEvent::Dial {
        caller: Some(channel("1001-a")),
        peer: outside.clone(),
        progress: DialProgress::Begun,
        forwarded: None,
    });
    for channel in [channel("1001-a"), outside] {
        let bridge = bridge("b1");
        switch.tells(&PbxEvent::Entered { bridge, channel });
    }
    switch.says(&["call 1 [1001 815551234] 1001>815551234"]);
}
