//! Losing sight of the PBX, and restarts (semantics §6.8, §9.2, §9.3).

use callrelay::model::Moment;

use crate::switch::{Switch, channel};

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
    switch.says(&["call 2 [1001 1002]", "bye 1 []"]);
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
