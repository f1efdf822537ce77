//! Losing sight of the PBX, and restarts (semantics §6.8, §9.2, §9.3).

use callrelay::model::{ChannelId, Moment};
use callrelay::tracker::PbxEvent;

use crate::switch::{Switch, bridge, channel};

#[test]
fn nothing_is_concluded_while_the_pbx_is_out_of_sight() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.holds("1001-a");
    switch.unholds("1001-a");
    switch.says(&["hold_on 1 [1001 1002] by 1001"]);
    switch.tracker.suspend();
    assert_eq!(switch.tracker.next_deadline(), None);
    switch.leaves("1001-a", "b1");
    switch.gone("1001-a");
    switch.gone("1002-a");
    switch.waits(60_000);
    switch.says(&[]);
}

#[test]
fn the_same_channels_in_the_same_bridge_are_the_same_call_with_its_hold() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.holds("1001-a");
    switch.says(&["hold_on 1 [1001 1002] by 1001"]);
    switch.comes_back(&[("b1", &["1001-a", "1002-a"])], &[]);
    switch.waits(10_000);
    switch.says(&[]);
    switch.unholds("1001-a");
    switch.waits(300);
    switch.says(&["hold_off 1 [1001 1002] by 1001"]);
}

#[test]
fn other_company_is_another_call() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.comes_back(&[("b9", &["1002-a", "1003-a"])], &[]);
    switch.says(&["bye 1 []", "call 2 [1002 1003]"]);
    switch.waits(10_000);
}

#[test]
fn the_same_phones_on_other_channels_are_another_call() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.comes_back(&[("b9", &["1001-b", "1002-b"])], &[]);
    switch.says(&["bye 1 []", "call 2 [1001 1002]"]);
    switch.waits(10_000);
}

#[test]
fn the_same_phones_are_another_call_if_one_of_them_has_another_channel() {
    let mut switch = Switch::new();
    switch.two_talk();
    // Somebody may have had 1002 on the line meanwhile, and have sent it back.
    switch.comes_back(&[("b9", &["1001-b", "1002-a"])], &[]);
    switch.says(&["bye 1 []", "call 2 [1001 1002]"]);
    switch.waits(10_000);
}

#[test]
fn a_call_of_which_nothing_is_left_has_ended() {
    for alone in [&[][..], &["1001-a"][..], &["1001-a", "1002-a"][..]] {
        let mut switch = Switch::new();
        switch.two_talk();
        switch.comes_back(&[], alone);
        switch.says(&["bye 1 []"]);
        assert_eq!(switch.tracker.call_count(), 0);
    }
}

#[test]
fn a_pending_transfer_is_proved_by_the_extension_it_went_to() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.transfers_blind("1001-a", "1002-a", "1003", true);
    switch.says(&["transferring 1 [1002] by 1001"]);
    switch.comes_back(&[("b2", &["1002-a", "1003-a"])], &[]);
    switch.says(&["transfer 1 [1002 1003] 1001>1003"]);
}

#[test]
fn a_pending_transfer_that_went_elsewhere_ends_the_call() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.transfers_blind("1001-a", "1002-a", "1003", true);
    switch.says(&["transferring 1 [1002] by 1001"]);
    switch.comes_back(&[("b2", &["1002-a", "1004-a"])], &[]);
    switch.says(&["bye 1 []", "call 2 [1002 1004]"]);
}

#[test]
fn a_transfer_that_still_waits_goes_on_waiting() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.transfers_blind("1001-a", "1002-a", "1003", true);
    switch.says(&["transferring 1 [1002] by 1001"]);
    switch.comes_back(&[], &["1002-a"]);
    switch.waits(10_000);
    switch.says(&[]);
    switch.enters("1002-a", "b2");
    switch.enters("1003-a", "b2");
    switch.says(&["transfer 1 [1002 1003] 1001>1003"]);
}

#[test]
fn after_an_outage_only_the_extension_proves_who_the_target_of_a_transfer_is() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.transfers_blind("1001-a", "1002-a", "1003", true);
    switch.says(&["transferring 1 [1002] by 1001"]);
    switch.comes_back(&[], &["1002-a"]);
    switch.enters("1002-a", "b2");
    switch.enters("1004-a", "b2");
    switch.says(&["bye 1 []", "call 2 [1002 1004]"]);
}

#[test]
fn where_a_transferee_was_sent_proves_nothing_once_it_was_parked_out_of_sight() {
    for parks in [false, true] {
        let mut switch = Switch::new();
        switch.two_talk();
        switch.transfers_blind("1001-a", "1002-a", "1003", true);
        switch.leaves("1002-a", "b1");
        switch.says(&["transferring 1 [1002] by 1001"]);
        if parks {
            // 1003 did not answer, it came back to 1001, and 1001 parked it.
            switch.comes_back(&[("lot", &["1002-a"])], &[]);
        }
        switch.comes_back(&[("b2", &["1002-a", "1003-a"])], &[]);
        if parks {
            switch.says(&["bye 1 []", "call 2 [1002 1003]"]);
        } else {
            switch.says(&["transfer 1 [1002 1003] 1001>1003"]);
        }
    }
}

#[test]
fn a_transferee_that_sits_where_the_transfer_does_not_explain_it_is_not_transferred_any_more() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.transfers_blind("1001-a", "1002-a", "700", true);
    switch.says(&["transferring 1 [1002] by 1001"]);
    // Somebody retrieved it, and it consults a third one by feature code, who rings.
    switch.comes_back(&[("b2", &["1004-a"]), ("b3", &["1002-a"])], &[]);
    switch.says(&["bye 1 []"]);
}

#[test]
fn a_consultation_stands_as_well() {
    let mut switch = Switch::new();
    switch.one_consults();
    switch.comes_back(
        &[("b1", &["1001-a", "1002-a"]), ("b2", &["1001-b", "1003-a"])],
        &[],
    );
    switch.waits(10_000);
    switch.says(&[]);
    switch.leaves("1002-a", "b1");
    switch.leaves("1001-b", "b2");
    switch.enters("1002-a", "b2");
    switch.transfers_attended(Some("1003-a"));
    switch.says(&["bye 2 []", "transfer 1 [1002 1003] 1001>1003"]);
}

#[test]
fn ringing_that_ended_meanwhile_is_over() {
    let mut switch = Switch::new();
    switch.rings("1001-a", "1002-a");
    switch.says(&["ringing 1 [] 1001>1002"]);
    switch.comes_back(&[], &["1001-a"]);
    switch.says(&["ringing_over 1 [] for 1002 1001"]);
}

#[test]
fn a_call_is_found_again_by_what_an_earlier_process_kept() {
    let mut first = Switch::new();
    first.rings("1001-a", "1002-a");
    first.enters("1002-a", "b1");
    first.enters("1001-a", "b1");
    first.holds("1001-a");
    let memory = first.memory(1);
    first.says(&[
        "ringing 1 [] 1001>1002",
        "call 1 [1001 1002] 1001>1002",
        "hold_on 1 [1001 1002] by 1001",
    ]);

    let mut second = Switch::new();
    second.tracker.adopt(&memory);
    second.comes_back(&[("b1", &["1001-a", "1002-a"])], &[]);
    second.waits(10_000);
    second.says(&[]);
    second.unholds("1001-a");
    second.waits(300);
    second.says(&["hold_off 1 [1001 1002] by 1001"]);

    let mut third = Switch::new();
    third.tracker.adopt(&memory);
    third.comes_back(&[], &["1002-a"]);
    third.says(&["bye 1 []"]);
}

#[test]
fn a_transferee_that_held_holds_nobody_when_it_is_found_again() {
    let mut first = Switch::new();
    first.two_talk();
    first.holds("1002-a");
    first.transfers_blind("1001-a", "1002-a", "1003", true);
    first.leaves("1002-a", "b1");
    let memory = first.memory(1);
    first.says(&["hold_on 1 [1001 1002] by 1002", "transferring 1 [1002] by 1001"]);

    let mut second = Switch::new();
    second.tracker.adopt(&memory);
    second.comes_back(&[], &["1002-a"]);
    second.enters("1003-a", "b2");
    second.enters("1002-a", "b2");
    second.waits(10_000);
    second.says(&["transfer 1 [1002 1003] 1001>1003"]);
}

#[test]
fn a_leg_that_consults_is_found_again_where_it_sits() {
    let mut first = Switch::new();
    first.two_talk();
    first.holds("1001-a");
    first.leaves("1001-a", "b1");
    first.enters("1003-a", "b2");
    first.enters("1001-a", "b2");
    first.waits(1_000);
    let (original, consultation) = (first.memory(1), first.memory(2));
    first.says(&["hold_on 1 [1001 1002] by 1001", "call 2 [1001 1003]"]);

    for (kept, [original, consultation]) in [
        ([&original, &consultation], ["1", "2"]),
        ([&consultation, &original], ["2", "1"]),
    ] {
        let mut second = Switch::new();
        for memory in kept {
            second.tracker.adopt(memory);
        }
        second.comes_back(&[("b1", &["1002-a"]), ("b2", &["1001-a", "1003-a"])], &[]);
        second.waits(10_000);
        second.says(&[]);
        assert_eq!(second.tracker.call_count(), 2);
        second.holds("1001-a");
        second.says(&[&format!("hold_on {consultation} [1001 1003] by 1001")]);
        second.leaves("1001-a", "b2");
        second.enters("1001-a", "b1");
        second.gone("1003-a");
        second.waits(5_000);
        second.says(&[
            &format!("hold_off {original} [1001 1002] by 1001"),
            &format!("bye {consultation} []"),
        ]);

        // It had come back when it was seen again.
        let mut third = Switch::new();
        for memory in kept {
            third.tracker.adopt(memory);
        }
        third.comes_back(&[("b1", &["1001-a", "1002-a"])], &[]);
        third.waits(5_000);
        third.says(&[
            &format!("bye {consultation} []"),
            &format!("hold_off {original} [1001 1002] by 1001"),
        ]);
    }
}

#[test]
fn an_outside_number_that_was_learnt_from_the_dialling_is_kept_through_a_restart() {
    let mut first = Switch::new();
    let mut caller = channel("1001-a");
    caller.app_name = "Dial".to_owned();
    caller.app_data = "PJSIP/815551234@trunk,20".to_owned();
    first.tells(&callrelay::tracker::PbxEvent::Dial {
        caller: Some(caller),
        peer: channel("trunk-a"),
        progress: callrelay::tracker::event::DialProgress::Begun,
        forwarded: None,
    });
    first.enters("trunk-a", "b1");
    first.enters("1001-a", "b1");
    let memory = first.memory(1);
    first.says(&["call 1 [1001 815551234] 1001>815551234"]);

    let mut second = Switch::new();
    second.tracker.adopt(&memory);
    second.comes_back(&[("b1", &["1001-a", "trunk-a"])], &[]);
    second.waits(10_000);
    second.says(&[]);
    assert_eq!(second.tracker.call_count(), 1);
}

#[test]
fn a_pbx_that_is_taken_away_ends_its_calls() {
    let mut switch = Switch::new();
    switch.one_consults();
    let ended = switch.tracker.end_all(Moment::from_secs_f64(200.0));
    assert_eq!(ended.len(), 2);
    assert_eq!(switch.tracker.call_count(), 0);
}

#[test]
fn who_held_among_three_of_whom_one_went_while_the_relay_was_dead_resumes() {
    let mut before = Switch::new();
    for name in ["1001-a", "1002-a", "1003-a"] {
        before.enters(name, "b1");
    }
    before.waits(25);
    before.holds("1002-a");
    let memory = before.memory(1);
    before.says(&[
        "call 1 [1001 1002]",
        "join 1 [1001 1002 1003] of 1003",
        "hold_on 1 [1001 1002 1003] by 1002",
    ]);
    drop(before);
    let mut switch = Switch::new();
    switch.tracker.suspend();
    switch.tracker.adopt(&memory);
    switch.comes_back(&[("b1", &["1001-a", "1002-a"])], &[]);
    switch.says(&["leave 1 [1001 1002] of 1003", "hold_on 1 [1001 1002] by 1002"]);
    switch.unholds("1002-a");
    switch.waits(300);
    switch.says(&["hold_off 1 [1001 1002] by 1002"]);
}

#[test]
fn a_resume_that_waited_for_its_delay_counts_after_a_restart() {
    let mut before = Switch::new();
    before.two_talk();
    before.holds("1002-a");
    before.unholds("1002-a");
    let memory = before.memory(1);
    before.says(&["hold_on 1 [1001 1002] by 1002"]);
    before.tracker.suspend();
    drop(before);
    let mut switch = Switch::new();
    switch.tracker.suspend();
    switch.tracker.adopt(&memory);
    switch.comes_back(&[("b1", &["1001-a", "1002-a"])], &[]);
    switch.says(&["hold_off 1 [1001 1002] by 1001"]);
}

/// 1002 was parked while the snapshot was taken, in which these sit where it was.
fn is_parked_meanwhile(company: &[&str]) -> Switch {
    let mut switch = Switch::new();
    switch.two_talk();
    let meanwhile = [
        PbxEvent::Left {
            bridge: bridge("b1"),
            channel: channel("1002-a"),
        },
        PbxEvent::Entered {
            bridge: bridge("lot"),
            channel: channel("1002-a"),
        },
    ];
    switch.comes_back_and_reports(&[("b1", company)], &[], &meanwhile);
    switch.enters("1003-a", "b2");
    switch.leaves("1002-a", "lot");
    switch.enters("1002-a", "b2");
    switch.waits(10_000);
    switch
}

#[test]
fn who_is_parked_while_the_snapshot_is_taken_was_parked_by_whom_it_sat_with() {
    let mut switch = is_parked_meanwhile(&["1001-a", "1002-a"]);
    switch.says(&[
        "transferring 1 [1002] by 1001",
        "transfer 1 [1002 1003] 1001>1003",
    ]);
}

#[test]
fn who_is_parked_by_a_stranger_while_the_snapshot_is_taken_takes_no_rows_along() {
    let mut switch = is_parked_meanwhile(&["1004-a", "1002-a"]);
    switch.says(&["bye 1 []", "call 2 [1002 1003]"]);
}

#[test]
fn a_hold_in_a_consultation_is_none_in_the_call_that_waits() {
    let mut first = Switch::new();
    first.two_talk();
    first.leaves("1001-a", "b1");
    first.enters("1003-a", "b2");
    first.enters("1001-a", "b2");
    first.waits(1_000);
    first.holds("1001-a");
    let (original, consultation) = (first.memory(1), first.memory(2));
    first.says(&[
        "call 2 [1001 1003]",
        "hold_on 1 [1001 1002] by 1001",
        "hold_on 2 [1001 1003] by 1001",
    ]);

    let mut second = Switch::new();
    second.tracker.adopt(&original);
    second.tracker.adopt(&consultation);
    // It came back from the consultation meanwhile.
    second.comes_back(&[("b1", &["1002-a", "1001-a"])], &[]);
    second.says(&["bye 2 []", "hold_off 1 [1001 1002] by 1001"]);
}

#[test]
fn ringing_that_ends_while_the_pbx_is_asked_is_over() {
    let mut switch = Switch::new();
    switch.rings("1001-a", "1002-a");
    switch.says(&["ringing 1 [] 1001>1002"]);
    let gone = PbxEvent::ChannelGone(ChannelId::new("1002-a"));
    switch.comes_back_and_reports(&[], &["1001-a", "1002-a"], &[gone]);
    switch.waits(3_000);
    switch.says(&["ringing_over 1 [] for 1002", "ringing_over 1 [] for 1001"]);
}

#[test]
fn a_transferee_that_only_a_report_still_knows_ends_the_call_when_it_goes() {
    let mut switch = Switch::new();
    switch.two_talk();
    switch.transfers_blind("1001-a", "1002-a", "1003", true);
    switch.says(&["transferring 1 [1002] by 1001"]);
    let seen = PbxEvent::ChannelSeen(channel("1002-a"));
    switch.comes_back_and_reports(&[], &[], &[seen]);
    switch.says(&[]);
    switch.gone("1002-a");
    switch.says(&["bye 1 []"]);
}
