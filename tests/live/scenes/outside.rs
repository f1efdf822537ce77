//! Calls that come or go over the outside line.

use anyhow::Result;

use super::desk::{self, Desk, all_part};
use crate::phone::{Account, Caller, Phone};
use crate::relay::Settings;
use crate::stage::Stage;

/// The far end of the outside line: all numbers that are not ours.
async fn outside(stage: &Stage) -> Result<Phone> {
    let account = Account {
        password: "trunk".to_owned(),
        ..Account::of("trunk")
    };
    stage.phone_of(account).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_from_outside_is_known_by_its_number() -> Result<()> {
    let stage = Stage::set(crate::narrator()).await?;
    let trunk = outside(&stage).await?;
    let bob = stage.phone("1002").await?;
    let mut bobs = stage.waiting("1002").await?;
    let call = trunk
        .dial_as(&Caller::named("5557654321", "Olga"), "815551002")
        .await?;
    let ringing = bob.rings().await?;
    call.rings().await?;
    assert_eq!(
        (ringing.caller(), ringing.dialled()),
        (&Caller::named("5557654321", "Olga"), "1002")
    );
    bobs.hears("ringing in with 5557654321").await?;
    let _answered = ringing.answer().await?;
    bobs.hears_all(&["call: talking with 5557654321", "replayed #0"])
        .await?;
    call.hang_up().await?;
    bobs.hears("bye: talking with nobody").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_from_outside_cannot_pass_for_one_of_our_phones() -> Result<()> {
    let stage = Stage::set(crate::narrator()).await?;
    let trunk = outside(&stage).await?;
    let bob = stage.phone("1002").await?;
    let (mut alices, mut bobs) = (stage.waiting("1001").await?, stage.waiting("1002").await?);
    let call = trunk.dial_as(&Caller::number("1001"), "815551002").await?;
    let _answered = bob.rings().await?.answer_heard_by(&call).await?;
    call.answered().await?;
    bobs.hears_like("ringing in with anonymous-").await?;
    bobs.hears_like("call: talking with anonymous-").await?;
    bobs.hears("replayed #0").await?;
    bobs.sends("Not for 1001").await?;
    bobs.hears("sent #1 stored").await?;
    alices.hears_nothing().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_to_the_outside_is_one_with_the_number_that_was_dialled() -> Result<()> {
    let stage = Stage::set(crate::narrator()).await?;
    let trunk = outside(&stage).await?;
    let mut alice = Desk::at(&stage, "1001").await?;
    let call = alice.phone.dial("9815551234").await?;
    let ringing = trunk.rings().await?;
    assert_eq!(ringing.dialled(), "815551234");
    alice.hears("ringing out with 815551234").await?;
    let answered = ringing.answer().await?;
    call.answered().await?;
    call.talks_with(&answered).await?;
    alice
        .hears_all(&["call: talking with 815551234", "replayed #0"])
        .await?;
    alice.sends("Nobody reads there", "#1 stored").await?;

    // The outside party may hold as well.
    answered.hold().await?;
    alice.hears("hold_on: held with 815551234").await?;
    alice.sends("Nor now", "#2 held").await?;
    answered.resume().await?;
    alice.hears("hold_off: talking with 815551234").await?;
    answered.hang_up().await?;
    call.ended().await?;
    all_part(&mut [&mut alice]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_callers_who_hide_their_numbers_are_never_mixed_up() -> Result<()> {
    let stage = Stage::set(crate::narrator()).await?;
    let trunk = outside(&stage).await?;
    let mut bob = Desk::at(&stage, "1002").await?;
    let mut carol = Desk::at(&stage, "1003").await?;
    let hidden = Caller::named("anonymous", "Anonymous");
    let mut calls = Vec::new();
    for (desk, number) in [(&mut bob, "815551002"), (&mut carol, "815551003")] {
        let call = trunk.dial_as(&hidden, number).await?;
        let answered = desk.phone.rings().await?.answer_heard_by(&call).await?;
        call.answered().await?;
        call.talks_with(&answered).await?;
        desk.terminal.hears_like("ringing in with anonymous-").await?;
        desk.terminal.hears_like("call: talking with anonymous-").await?;
        desk.hears("replayed #0").await?;
        calls.push((call, answered));
    }
    bob.sends("For the first", "#1 stored").await?;
    carol.sends("For the second", "#1 stored").await?;
    bob.hears_nothing().await?;
    carol.hears_nothing().await?;
    let told = stage.relay.operator("/v1/calls").await?;
    let mut phones: Vec<&str> = told["calls"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|call| call["parties"].as_array().into_iter().flatten())
        .filter_map(|party| party["phone"].as_str())
        .collect();
    phones.sort_unstable();
    phones.dedup();
    assert_eq!(phones.len(), 4, "two calls of two: {told}");
    for (call, _answered) in &calls {
        call.hang_up().await?;
    }
    bob.terminal.hears("bye: talking with nobody").await?;
    carol.terminal.hears("bye: talking with nobody").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_from_outside_is_handed_over_after_a_consultation() -> Result<()> {
    let stage = Stage::set(crate::narrator()).await?;
    let trunk = outside(&stage).await?;
    let mut bob = Desk::at(&stage, "1002").await?;
    let mut carol = Desk::at(&stage, "1003").await?;
    let olga = trunk.dial_as(&Caller::number("5557654321"), "815551002").await?;
    let bobs = bob.phone.rings().await?.answer_heard_by(&olga).await?;
    olga.answered().await?;
    olga.talks_with(&bobs).await?;
    bob.hears_all(&[
        "ringing in with 5557654321",
        "call: talking with 5557654321",
        "replayed #0",
    ])
    .await?;
    bob.sends("Her contract", "#1 stored").await?;
    bobs.hold().await?;
    bob.hears("hold_on: held with 5557654321").await?;
    let consultation = bob.phone.dial("1003").await?;
    let carols = carol.phone.rings().await?.answer_heard_by(&consultation).await?;
    consultation.answered().await?;
    consultation.talks_with(&carols).await?;
    desk::began(&mut bob, &mut carol).await?;
    bobs.transfer_attended(&consultation).await?.succeeds().await?;
    bob.hears_all(&[
        "bye: talking with nobody",
        "transfer: talking with 1003, 5557654321",
    ])
    .await?;
    carol
        .hears_all(&[
            "bye: talking with nobody",
            "call: talking with 5557654321",
            "sent #1 1002: Her contract (transferred send)",
            "replayed #1",
        ])
        .await?;
    carols.hang_up().await?;
    olga.ended().await?;
    all_part(&mut [&mut carol]).await?;
    bob.hears_nothing().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_from_outside_who_is_forwarded_outside_is_in_a_call_of_the_two_numbers() -> Result<()> {
    // Somebody may well have a terminal for a mobile telephone's number.
    let (olga, peter) = ("5557654321", "815554321");
    let settings = Settings {
        phones: &[olga, peter],
        ..Settings::default()
    };
    let stage = Stage::set_with(crate::narrator(), settings).await?;
    let trunk = outside(&stage).await?;
    let mut bob = Desk::at(&stage, "1002").await?;
    let (mut olgas, mut peters) = (stage.waiting(olga).await?, stage.waiting(peter).await?);
    let call = trunk.dial_as(&Caller::number(olga), "815550621").await?;
    let ringing = trunk.rings().await?;
    assert_eq!(ringing.dialled(), peter);
    let answered = ringing.answer().await?;
    call.answered().await?;
    call.talks_with(&answered).await?;
    olgas
        .hears_all(&[
            "ringing out with 815554321",
            "call: talking with 815554321",
            "replayed #0",
        ])
        .await?;
    peters
        .hears_all(&[
            "ringing in with 5557654321",
            "call: talking with 5557654321",
            "replayed #0",
        ])
        .await?;
    olgas.sends("On both our mobiles").await?;
    olgas.hears("sent #1 stored").await?;
    peters
        .hears("received #1 5557654321: On both our mobiles")
        .await?;
    call.hang_up().await?;
    olgas.hears("bye: talking with nobody").await?;
    peters.hears("bye: talking with nobody").await?;
    bob.hears_nothing().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_follows_a_phone_to_a_mobile_telephone_is_one_with_that() -> Result<()> {
    let stage = Stage::set(crate::narrator()).await?;
    let trunk = outside(&stage).await?;
    let mut alice = Desk::at(&stage, "1001").await?;
    let mut bob = Desk::at(&stage, "1002").await?;
    let call = alice.phone.dial("612").await?;
    let (bobs, mobile) = (bob.phone.rings().await?, trunk.rings().await?);
    alice
        .terminal
        .hears_in_any_order(&["ringing out with 1002", "ringing out with 815554321"])
        .await?;
    bob.hears("ringing in with 1001").await?;
    let answered = mobile.answer().await?;
    call.answered().await?;
    call.talks_with(&answered).await?;
    bobs.stops().await?;
    bob.hears("ringing_over").await?;
    alice
        .hears_all(&["call: talking with 815554321", "replayed #0"])
        .await?;
    alice.sends("Nobody reads there", "#1 stored").await?;
    answered.hang_up().await?;
    call.ended().await?;
    all_part(&mut [&mut alice]).await?;
    bob.hears_nothing().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_writes_line_breaks_into_its_number_is_nobody_else() -> Result<()> {
    let stage = Stage::set(crate::narrator()).await?;
    let trunk = outside(&stage).await?;
    let bob = stage.phone("1002").await?;
    let mut bobs = stage.waiting("1002").await?;
    let forged = "5557654321%0d%0aUniqueid:%201.1%0d%0aChannel:%20PJSIP/1001-00000001";
    let call = trunk.dial_as(&Caller::number(forged), "815551002").await?;
    let _answered = bob.rings().await?.answer_heard_by(&call).await?;
    call.answered().await?;
    bobs.hears("ringing in with 5557654321%0d%0aUniqueid").await?;
    bobs.hears_all(&["call: talking with 5557654321%0d%0aUniqueid", "replayed #0"])
        .await?;
    call.hang_up().await?;
    bobs.hears("bye: talking with nobody").await
}
