//! Ringing that ends in a call that stands already (semantics §2.5, §7.1).

use callrelay::tracker::event::DialProgress;

use crate::switch::Switch;

/// 1001, 1002 and 1003 talk in `b1`, as call 1.
fn three_talk() -> Switch {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.enters("1003-a", "b1");
    switch.waits(25);
    switch.says(&["join 1 [1001 1002 1003] of 1003"]);
    switch
}

fn all_go(mut switch: Switch) {
    for name in ["1001-a", "1002-a", "1003-a", "1004-a"] {
        switch.gone(name);
    }
    switch.waits(3_000);
    switch.says(&["bye 1 []"]);
}

#[test]
fn whom_the_pbx_calls_into_a_call_where_others_talk_rings_for_that_call() {
    let mut switch = three_talk();
    // 1003 sent the others to 1004, and is replaced by one half of a pair; the other one calls.
    switch.leaves("1003-a", "b1");
    switch.enters("1004@phones-1;1", "b1");
    switch.gone("1003-a");
    switch.rings("1004@phones-1;2", "1004-a");
    switch.waits(25);
    switch.says(&[
        "ringing 1 [1001 1002 1003] 1001>1004",
        "leave 1 [1001 1002] of 1003",
    ]);
    switch.dials("1004@phones-1;2", "1004-a", DialProgress::Answered);
    switch.enters("1004-a", "b2");
    switch.enters("1004@phones-1;2", "b2");
    // The pair is taken out at once.
    switch.enters("1004-a", "b1");
    switch.gone("1004@phones-1;2");
    switch.gone("1004@phones-1;1");
    switch.waits(25);
    switch.says(&["join 1 [1001 1002 1004] of 1004"]);
    all_go(switch);
}

#[test]
fn whom_the_pbx_calls_and_puts_into_a_call_rings_no_more_when_it_joins() {
    let mut switch = three_talk();
    switch.rings("1004@phones-1;2", "1004-a");
    switch.says(&[]);
    switch.waits(25);
    switch.says(&["ringing 2 [] ?>1004"]);
    switch.dials("1004@phones-1;2", "1004-a", DialProgress::Answered);
    switch.enters("1004-a", "b2");
    switch.enters("1004@phones-1;2", "b2");
    switch.enters("1004@phones-1;1", "b1");
    switch.waits(25);
    switch.says(&[
        "ringing_over 2 [] for 1004",
        "join 1 [1001 1002 1003 1004] of 1004",
    ]);
    all_go(switch);
}

#[test]
fn who_calls_through_a_local_channel_may_turn_out_after_it_rings() {
    let mut switch = Switch::new();
    switch.two_talk();
    // 1001 consults 1003 by feature code.
    switch.enters("1003@phones-1;1", "b2");
    switch.leaves("1001-a", "b1");
    switch.rings("1003@phones-1;2", "1003-a");
    switch.enters("1001-a", "b2");
    switch.waits(25);
    switch.says(&["ringing 2 [] 1001>1003"]);
    switch.dials("1003@phones-1;2", "1003-a", DialProgress::Failed);
    switch.says(&["ringing_over 2 [] for 1003 1001"]);
}

#[test]
fn a_busy_pbx_may_bring_the_caller_to_the_local_channel_long_after_it_rings() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.enters("1003@phones-1;1", "b2");
    switch.rings("1003@phones-1;2", "1003-a");
    switch.waits(200);
    switch.leaves("1001-a", "b1");
    switch.says(&[]);
    switch.enters("1001-a", "b2");
    switch.says(&["ringing 2 [] 1001>1003"]);
}

#[test]
fn who_rings_for_a_local_channel_that_waits_in_a_bridge_for_nobody_is_called_by_nobody() {
    let mut switch = Switch::new();
    switch.enters("1003@phones-1;1", "b2");
    switch.rings("1003@phones-1;2", "1003-a");
    switch.waits(249);
    switch.says(&[]);
    switch.waits(1);
    switch.says(&["ringing 1 [] ?>1003"]);
}

#[test]
fn a_phone_that_is_called_to_call_goes_on_calling_when_it_answered() {
    let mut switch = Switch::new();
    switch.rings_for_nobody("1001-a");
    switch.dials_for_nobody("1001-a", DialProgress::Answered);
    switch.rings("1001-a", "1002-a");
    switch.says(&["ringing 1 [] ?>1001", "ringing 1 [] 1001>1002"]);
    switch.waits(10_000);
    switch.says(&[]);
    switch.dials("1001-a", "1002-a", DialProgress::Failed);
    switch.says(&["ringing_over 1 [] for 1002 1001"]);
}

#[test]
fn a_phone_that_is_called_through_a_local_channel_to_call_is_the_caller() {
    let mut switch = Switch::new();
    let local = |half: u8| format!("1001@phones-1;{half}");
    switch.rings(&local(2), "1001-a");
    switch.waits(25);
    switch.dials(&local(2), "1001-a", DialProgress::Answered);
    switch.enters("1001-a", "b1");
    switch.enters(&local(2), "b1");
    switch.rings(&local(1), "1002-a");
    switch.says(&["ringing 1 [] ?>1001", "ringing 1 [] 1001>1002"]);
    switch.dials(&local(1), "1002-a", DialProgress::Answered);
    switch.enters("1002-a", "b2");
    switch.enters(&local(1), "b2");
    switch.says(&["call 1 [1001 1002] 1001>1002"]);
}

/// 1001 has parked 1002, and the PBX calls 1001: for all that is known, because nobody came for 1002.
fn parked_and_called() -> Switch {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.transfers_blind("1001-a", "1002-a", "", true);
    switch.leaves("1002-a", "b1");
    switch.gone("1001-a");
    switch.rings_for_nobody("1001-b");
    switch.says(&["transferring 1 [1002] by 1001", "ringing 1 [1002] 1002>1001"]);
    switch
}

#[test]
fn whom_the_pbx_calls_while_a_parked_call_is_fetched_by_another_phone_rings_for_a_call_of_its_own() {
    let mut switch = parked_and_called();
    switch.enters("1003-a", "b2");
    switch.enters("1002-a", "b2");
    switch.says(&[
        "transfer 1 [1002 1003] 1001>1003",
        "ringing_over 1 [1002 1003] for 1001",
        "ringing 2 [] ?>1001",
    ]);
    // It was called to call 1004.
    switch.dials_for_nobody("1001-b", DialProgress::Answered);
    switch.rings("1001-b", "1004-a");
    switch.enters("1004-a", "b3");
    switch.enters("1001-b", "b3");
    switch.says(&["ringing 2 [] 1001>1004", "call 2 [1001 1004] 1001>1004"]);
}

#[test]
fn whom_the_pbx_calls_while_a_parked_call_hangs_up_rings_for_a_call_of_its_own() {
    let mut switch = parked_and_called();
    switch.dials_for_nobody("1001-b", DialProgress::Answered);
    switch.rings("1001-b", "1004-a");
    switch.says(&["ringing 1 [1002] 1001>1004"]);
    switch.gone("1002-a");
    switch.says(&[
        "bye 1 []",
        "ringing_over 1 [] for 1002",
        "ringing_over 1 [] for 1004 1001",
        "ringing 2 [] 1001>1004",
    ]);
    switch.enters("1004-a", "b3");
    switch.enters("1001-b", "b3");
    switch.says(&["call 2 [1001 1004] 1001>1004"]);
}

#[test]
fn a_phone_that_answered_a_machine_does_not_ring_again_when_others_meet() {
    let mut switch = Switch::new();
    switch.rings_for_nobody("1001-a");
    switch.dials_for_nobody("1001-a", DialProgress::Answered);
    switch.waits(10_000);
    switch.says(&["ringing 1 [] ?>1001", "ringing_over 1 [] for 1001"]);
    switch.enters("1002-a", "b1");
    switch.enters("1003-a", "b1");
    switch.says(&["call 2 [1002 1003]"]);
}

#[test]
fn who_rings_for_another_call_and_comes_back_to_its_own_rings_no_more() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.bridge_gone("b1");
    switch.rings("1003-a", "1002-a");
    switch.says(&["ringing 2 [] 1003>1002"]);
    // Its call was sent on, and comes back instead.
    switch.enters("1002-a", "b2");
    switch.transfers_blind("1001-a", "1002-a", "1004", true);
    switch.says(&["transferring 1 [1002] by 1001"]);
    switch.enters("1001-b", "b2");
    switch.says(&["ringing_over 2 [] for 1002 1003", "call 1 [1001 1002]"]);
    for name in ["1001-a", "1001-b", "1002-a", "1003-a"] {
        switch.gone(name);
    }
    switch.waits(3_000);
    switch.says(&["bye 1 []"]);
}

#[test]
fn who_calls_a_phone_that_calls_on_is_told_when_it_is_over() {
    let mut switch = Switch::new();
    switch.rings("1001-a", "1002-a");
    switch.rings("1002-a", "1003-a");
    switch.says(&["ringing 1 [] 1001>1002", "ringing 1 [] 1002>1003"]);
    switch.gone("1001-a");
    switch.says(&["ringing_over 1 [] for 1001"]);
    switch.gone("1003-a");
    switch.gone("1002-a");
    switch.waits(3_000);
    switch.says(&["ringing_over 1 [] for 1003", "ringing_over 1 [] for 1002"]);
}
