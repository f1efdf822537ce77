//! Transfers (semantics §6).

use callrelay::model::{BridgeId, ChannelId};
use callrelay::tracker::PbxEvent;
use callrelay::tracker::event::{ChannelInfo, DialProgress};

use crate::switch::{Switch, bridge, channel};

#[test]
fn a_refused_blind_transfer_changes_nothing() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.unholds("1001-a");
    switch.transfers_blind("1001-a", "1002-a", "9999", false);
    switch.waits(10_000);
    switch.says(&[]);
    assert_eq!(switch.tracker.call_count(), 1);
}

/// 1001 sends 1002 on to 1003, which rings.
fn sent_on() -> Switch {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.unholds("1001-a");
    switch.transfers_blind("1001-a", "1002-a", "1003", true);
    switch.leaves("1002-a", "b1");
    switch.leaves("1001-a", "b1");
    switch.bridge_gone("b1");
    switch.gone("1001-a");
    switch.rings("1002-a", "1003-a");
    switch.says(&["transferring 1 [1002] by 1001", "ringing 1 [1002] 1002>1003"]);
    switch
}

#[test]
fn a_target_that_rings_before_the_transfer_is_reported_rings_for_it() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.leaves("1002-a", "b1");
    switch.rings("1002-a", "1003-a");
    switch.waits(200);
    switch.says(&[]);
    switch.transfers_blind("1001-a", "1002-a", "1003", true);
    switch.says(&["transferring 1 [1002] by 1001", "ringing 1 [1002] 1002>1003"]);
}

#[test]
fn who_leaves_a_call_and_dials_calls_anew_if_no_transfer_is_reported() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.leaves("1002-a", "b1");
    switch.rings("1002-a", "1003-a");
    switch.waits(249);
    switch.says(&["ringing 2 [] 1002>1003"]);
}

#[test]
fn who_leaves_a_call_and_dials_a_phone_that_answers_at_once_was_heard_to_ring() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.leaves("1002-a", "b1");
    switch.rings("1002-a", "1003-a");
    switch.says(&[]);
    switch.dials("1002-a", "1003-a", DialProgress::Answered);
    switch.says(&["ringing 2 [] 1002>1003"]);
}

#[test]
fn a_target_that_does_not_answer_and_a_transferee_that_hangs_up_end_the_call() {
    let mut switch = sent_on();
    switch.waits(30_000);
    switch.says(&[]);
    switch.dials("1002-a", "1003-a", DialProgress::Failed);
    switch.gone("1003-a");
    switch.says(&["ringing_over 1 [1002] for 1003"]);
    switch.gone("1002-a");
    switch.says(&["bye 1 []"]);
}

#[test]
fn the_transferee_may_hang_up_first() {
    let mut switch = sent_on();
    switch.gone("1002-a");
    switch.says(&["ringing_over 1 [1002] for 1003", "bye 1 []"]);
    switch.gone("1003-a");
}

#[test]
fn a_target_that_answers_takes_the_place() {
    let mut switch = sent_on();
    switch.dials("1002-a", "1003-a", DialProgress::Answered);
    switch.enters("1003-a", "b2");
    switch.says(&[]);
    switch.enters("1002-a", "b2");
    switch.says(&["transfer 1 [1002 1003] 1001>1003"]);
    switch.waits(10_000);
}

#[test]
fn a_call_that_comes_back_to_the_transferer_is_a_call_again() {
    let mut switch = sent_on();
    switch.dials("1002-a", "1003-a", DialProgress::Failed);
    switch.gone("1003-a");
    switch.says(&["ringing_over 1 [1002] for 1003"]);
    // The PBX calls the transferer on a new leg.
    switch.rings("1002-a", "1001-b");
    switch.says(&["ringing 1 [1002] 1002>1001"]);
    switch.enters("1001-b", "b2");
    switch.enters("1002-a", "b2");
    switch.says(&["call 1 [1001 1002]"]);
    switch.waits(10_000);
    assert_eq!(switch.tracker.call_count(), 1);
    // What rang for it has come to something.
    switch.leaves("1001-b", "b2");
    switch.gone("1001-b");
    switch.leaves("1002-a", "b2");
    switch.gone("1002-a");
    switch.says(&["bye 1 []"]);
}

#[test]
fn an_attended_transfer_is_one_in_every_order_of_its_reports() {
    // What Asterisk reports within a few milliseconds: each report is a step, and the order within a
    // bridge is kept (left 1002, left 1001 in b1; left 1001, entered 1002 in b2).
    let orders: [&[u8]; 7] = [
        b"lmeTxg", // as recorded: both left, entered, then the transfer
        b"Tlmexg", // the transfer first
        b"lTmexg", b"mlTexg", b"meTlxg", b"mexlTg", b"lmexgT",
    ];
    for order in orders {
        let mut switch = Switch::new();
        switch.one_consults();
        switch.unholds("1001-a");
        switch.unholds("1001-b");
        for step in order {
            match step {
                b'l' => switch.leaves("1002-a", "b1"),
                b'm' => switch.leaves("1001-b", "b2"),
                b'e' => switch.enters("1002-a", "b2"),
                b'T' => switch.transfers_attended(Some("1003-a")),
                b'x' => switch.leaves("1001-a", "b1"),
                _ => {
                    switch.gone("1001-a");
                    switch.gone("1001-b");
                }
            }
        }
        switch.waits(10_000);
        switch.says(&["bye 2 []", "transfer 1 [1002 1003] 1001>1003"]);
        switch.gone("1003-a");
        switch.gone("1002-a");
        switch.says(&["bye 1 []"]);
    }
}

/// As a busy Asterisk does.
#[test]
fn an_attended_transfer_that_is_reported_late_is_one() {
    let mut switch = Switch::new();
    switch.one_consults();
    switch.leaves("1002-a", "b1");
    switch.leaves("1001-b", "b2");
    switch.enters("1002-a", "b2");
    switch.waits(100);
    switch.says(&[]);
    switch.transfers_attended(Some("1003-a"));
    switch.says(&["bye 2 []", "transfer 1 [1002 1003] 1001>1003"]);
}

#[test]
fn a_refused_attended_transfer_changes_nothing() {
    let mut switch = Switch::new();
    switch.one_consults();
    switch.attended(Some("1003-a"), false);
    switch.waits(10_000);
    switch.says(&[]);
    assert_eq!(switch.tracker.call_count(), 2);
}

#[test]
fn a_transfer_while_the_target_rings_is_a_blind_one() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.holds("1001-a");
    switch.rings("1001-b", "1003-a");
    switch.says(&["hold_on 1 [1001 1002] by 1001", "ringing 2 [] 1001>1003"]);
    switch.unholds("1001-a");
    switch.transfers_attended(None);
    switch.leaves("1001-a", "b1");
    switch.leaves("1002-a", "b1");
    switch.gone("1001-a");
    switch.gone("1001-b");
    // It goes on ringing, for the other one.
    switch.says(&[
        "transferring 1 [1002] by 1001",
        "ringing_over 2 [] for 1003 1001",
        "ringing 1 [1002] 1002>1003",
    ]);
    switch.waits(5_000);
    switch.says(&[]);
    switch.enters("1002-a", "b3");
    switch.enters("1003-a", "b3");
    switch.says(&["transfer 1 [1002 1003] 1001>1003"]);
}

/// 1001 pressed keys to consult 1003, which rings through a Local pair, and hangs up.
fn left_to_the_ringing_target() -> Switch {
    let (ours, theirs) = ("1003@a-1;1", "1003@a-1;2");
    let mut switch = Switch::new();
    switch.two_talk();
    switch.holds("1001-a");
    switch.enters(ours, "b2");
    switch.leaves("1001-a", "b1");
    switch.enters("1001-a", "b2");
    switch.rings(theirs, "1003-a");
    switch.says(&["hold_on 1 [1001 1002] by 1001", "ringing 2 [] 1001>1003"]);
    switch.leaves("1001-a", "b2");
    switch.leaves(ours, "b2");
    switch.enters(ours, "b1");
    switch.tells(&PbxEvent::AttendedTransfer {
        first_leg: channel("1001-a"),
        second_leg: channel("1001-a"),
        first_bridge: Some(BridgeId::new("b1")),
        second_bridge: Some(BridgeId::new("b2")),
        transferee: Some(channel("1002-a")),
        target: Some(channel(ours)),
        success: true,
    });
    switch.says(&[
        "transferring 1 [1002] by 1001",
        "ringing_over 2 [] for 1003 1001",
        "ringing 1 [1002] 1002>1003",
    ]);
    switch
}

#[test]
fn a_target_that_was_left_ringing_answers() {
    let mut switch = left_to_the_ringing_target();
    switch.dials("1003@a-1;2", "1003-a", DialProgress::Answered);
    switch.enters("1003-a", "b3");
    switch.enters("1003@a-1;2", "b3");
    switch.says(&["transfer 1 [1002 1003] 1001>1003"]);
}

#[test]
fn a_target_that_was_left_ringing_refuses_and_the_transferer_is_called_again() {
    let mut switch = left_to_the_ringing_target();
    switch.dials("1003@a-1;2", "1003-a", DialProgress::Failed);
    switch.says(&["ringing_over 1 [1002] for 1003"]);
    switch.gone("1003-a");
    switch.leaves("1003@a-1;1", "b1");
    switch.gone("1003@a-1;1");
    switch.gone("1003@a-1;2");
    switch.gone("1001-a");
    switch.waits(10_000);
    switch.says(&[]);
    // Asterisk dials on nobody's behalf.
    switch.rings_for_nobody("1001-b");
    switch.says(&["ringing 1 [1002] 1002>1001"]);
    switch.enters("1001-b", "b1");
    switch.says(&["call 1 [1001 1002]"]);
}

#[test]
fn a_second_transfer_carries_the_call_on() {
    let mut switch = sent_on();
    switch.enters("1003-a", "b2");
    switch.enters("1002-a", "b2");
    switch.transfers_blind("1003-a", "1002-a", "1004", true);
    switch.leaves("1002-a", "b2");
    switch.leaves("1003-a", "b2");
    switch.gone("1003-a");
    switch.rings("1002-a", "1004-a");
    switch.enters("1004-a", "b3");
    switch.enters("1002-a", "b3");
    switch.says(&[
        "transfer 1 [1002 1003] 1001>1003",
        "transferring 1 [1002] by 1003",
        "ringing 1 [1002] 1002>1004",
        "transfer 1 [1002 1004] 1003>1004",
    ]);
    switch.waits(10_000);
}

#[test]
fn a_change_of_company_that_no_transfer_explains_is_a_new_call() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.leaves("1001-a", "b1");
    switch.leaves("1002-a", "b1");
    switch.enters("1002-a", "b2");
    switch.enters("1004-a", "b2");
    switch.says(&[]);
    switch.waits(25);
    switch.says(&["bye 1 []", "call 2 [1002 1004]"]);
}

#[test]
fn a_transferer_destroyed_before_the_report_after_a_long_consultation_is_still_one_who_transferred() {
    let mut switch = Switch::new();
    switch.two_talk();
    // The consultation is on the same leg, and longer than the settle time.
    switch.leaves("1001-a", "b1");
    switch.enters("1001-a", "b2");
    switch.enters("1003-a", "b2");
    switch.waits(60_000);
    switch.says(&["call 2 [1001 1003]", "hold_on 1 [1001 1002] by 1001"]);
    switch.gone("1001-a");
    switch.leaves("1002-a", "b1");
    switch.enters("1002-a", "b2");
    switch.says(&[]);
    switch.tells(&PbxEvent::AttendedTransfer {
        first_leg: channel("1001-a"),
        second_leg: channel("1001-a"),
        first_bridge: Some(BridgeId::new("b1")),
        second_bridge: Some(BridgeId::new("b2")),
        transferee: Some(channel("1002-a")),
        target: Some(channel("1003-a")),
        success: true,
    });
    switch.says(&["bye 2 []", "transfer 1 [1002 1003] 1001>1003"]);
    switch.waits(10_000);
    switch.says(&[]);
}

/// 1001 and 1003 talk through a Local pair that stays, as call 1: 1001 in `b1`, 1003 in `b2`.
fn two_talk_through_a_local_pair() -> Switch {
    let mut switch = Switch::new();
    switch.enters("1003@q-1;2", "b2");
    switch.enters("1003-a", "b2");
    switch.enters("1003@q-1;1", "b1");
    switch.enters("1001-a", "b1");
    switch.says(&["call 1 [1001 1003]"]);
    switch
}

#[test]
fn who_is_transferred_blind_behind_a_local_pair_is_whoever_is_beyond_it() {
    for left_first in [false, true] {
        let mut switch = two_talk_through_a_local_pair();
        if left_first {
            switch.leaves("1003@q-1;2", "b2");
        }
        switch.transfers_blind("1003-a", "1003@q-1;2", "1004", true);
        switch.leaves("1003@q-1;2", "b2");
        switch.leaves("1003-a", "b2");
        switch.gone("1003-a");
        switch.rings("1003@q-1;2", "1004-a");
        switch.enters("1004-a", "b3");
        switch.enters("1003@q-1;2", "b3");
        switch.says(&[
            "transferring 1 [1001] by 1003",
            "ringing 1 [1001] 1001>1004",
            "transfer 1 [1001 1004] 1003>1004",
        ]);
        switch.waits(10_000);
    }
}

#[test]
fn a_target_may_ring_before_a_transfer_behind_a_local_pair_is_reported() {
    let mut switch = two_talk_through_a_local_pair();
    switch.leaves("1003@q-1;2", "b2");
    switch.rings("1003@q-1;2", "1004-a");
    switch.waits(200);
    switch.says(&[]);
    switch.transfers_blind("1003-a", "1003@q-1;2", "1004", true);
    switch.says(&["transferring 1 [1001] by 1003", "ringing 1 [1001] 1001>1004"]);
}

#[test]
fn a_blind_transfer_behind_a_local_pair_that_nobody_answers_ends_with_the_leg_beyond() {
    let mut switch = two_talk_through_a_local_pair();
    switch.transfers_blind("1003-a", "1003@q-1;2", "1004", true);
    switch.leaves("1003@q-1;2", "b2");
    switch.leaves("1003-a", "b2");
    switch.gone("1003-a");
    switch.gone("1003@q-1;2");
    switch.gone("1003@q-1;1");
    switch.waits(10_000);
    switch.says(&["transferring 1 [1001] by 1003"]);
    switch.gone("1001-a");
    switch.says(&["bye 1 []"]);
}

#[test]
fn who_is_handed_over_behind_a_local_pair_is_whoever_is_beyond_it() {
    let mut switch = two_talk_through_a_local_pair();
    switch.holds("1003-a");
    switch.enters("1004-a", "b3");
    switch.enters("1003-b", "b3");
    switch.says(&["hold_on 1 [1001 1003] by 1003", "call 2 [1003 1004]"]);
    // The report comes last.
    switch.leaves("1003-b", "b3");
    switch.leaves("1003@q-1;2", "b2");
    switch.enters("1003@q-1;2", "b3");
    switch.tells(&PbxEvent::AttendedTransfer {
        first_leg: channel("1003-a"),
        second_leg: channel("1003-b"),
        first_bridge: Some(BridgeId::new("b2")),
        second_bridge: Some(BridgeId::new("b3")),
        transferee: Some(channel("1003@q-1;2")),
        target: Some(channel("1004-a")),
        success: true,
    });
    switch.says(&["bye 2 []", "transfer 1 [1001 1004] 1003>1004"]);
    switch.waits(10_000);
    switch.says(&[]);
}

#[test]
fn who_is_parked_behind_a_local_pair_is_whoever_is_beyond_it() {
    let mut switch = two_talk_through_a_local_pair();
    switch.leaves("1003@q-1;2", "b2");
    switch.tells(&PbxEvent::Entered {
        bridge: bridge("lot"),
        channel: channel("1003@q-1;2"),
    });
    switch.leaves("1003-a", "b2");
    switch.gone("1003-a");
    switch.waits(10_000);
    switch.says(&["transferring 1 [1001] by 1003"]);
    switch.leaves("1003@q-1;2", "lot");
    switch.enters("1003@q-1;2", "b3");
    switch.enters("1004-a", "b3");
    switch.says(&["transfer 1 [1001 1004] 1003>1004"]);
    switch.waits(10_000);
}

#[test]
fn a_caller_from_outside_may_be_gone_before_its_transfer_is_reported() {
    let mut switch = Switch::new();
    switch.enters("1002-a", "b1");
    switch.enters("trunk-a", "b1");
    switch.says(&["call 1 [1002 anonymous-trunk-a]"]);
    switch.leaves("1002-a", "b1");
    switch.leaves("trunk-a", "b1");
    switch.gone("trunk-a");
    switch.transfers_blind("trunk-a", "1002-a", "1003", true);
    switch.says(&["transferring 1 [1002] by anonymous-trunk-a"]);
    switch.waits(10_000);
    switch.gone("1002-a");
    switch.says(&["bye 1 []"]);
}

#[test]
fn who_was_sent_on_and_is_gone_before_that_is_reported_ends_the_call() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.gone("1002-a");
    switch.leaves("1001-a", "b1");
    switch.says(&[]);
    switch.transfers_blind("1001-a", "1002-a", "1003", true);
    switch.says(&["bye 1 []"]);
    switch.gone("1001-a");
}

#[test]
fn a_transferee_with_a_channel_that_got_the_transferers_name_ends_the_call_when_it_goes() {
    let mut switch = Switch::new();
    switch.two_talk();
    let named_anew = PbxEvent::Entered {
        bridge: bridge("b1"),
        channel: ChannelInfo {
            id: ChannelId::new("1002-a"),
            ..channel("1001-b")
        },
    };
    switch.enters("1002-b", "b1");
    switch.tells(&named_anew);
    switch.transfers_blind("1001-a", "1002-b", "1003", true);
    switch.says(&["transferring 1 [1002] by 1001"]);
    for name in ["1001-a", "1002-b", "1002-a"] {
        switch.gone(name);
    }
    switch.says(&["bye 1 []"]);
}
