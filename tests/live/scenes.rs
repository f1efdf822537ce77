//! Turns of a call, each on the real Asterisk with real phones, as the terminals see it.

use anyhow::Result;
use serde_json::json;

use crate::phone::{Account, Call, Caller, Phone};
use crate::relay::RelayProcess;
use crate::stage::{Pbx, Stage};
use crate::terminal::Terminal;
use crate::wire::Wire;

/// 1001 and 1002 talk, and a terminal of each knows.
struct Talk {
    stage: Stage,
    /// A phone that goes out of scope hangs up.
    phones: (Phone, Phone),
    call: Call,
    answered: Call,
    alices: Terminal,
    bobs: Terminal,
}

async fn alice_and_bob_talk() -> Result<Talk> {
    talk_on(Stage::set(crate::narrator()).await?).await
}

async fn talk_on(stage: Stage) -> Result<Talk> {
    let (alice, bob) = (stage.phone("1001").await?, stage.phone("1002").await?);
    let (mut alices, mut bobs) = (stage.waiting("1001").await?, stage.waiting("1002").await?);
    let call = alice.dial("1002").await?;
    let answered = bob.rings().await?.answer().await?;
    call.answered().await?;
    call.talks_with(&answered).await?;
    alices
        .hears_all(&["ringing out with 1002", "call: talking with 1002", "replayed #0"])
        .await?;
    bobs.hears_all(&["ringing in with 1001", "call: talking with 1001", "replayed #0"])
        .await?;
    Ok(Talk {
        stage,
        phones: (alice, bob),
        call,
        answered,
        alices,
        bobs,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_story() -> Result<()> {
    let mut stage = Stage::set(crate::narrator()).await?;
    crate::story::play(&mut stage).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_given_up_rings_and_is_over() -> Result<()> {
    let stage = Stage::set(crate::narrator()).await?;
    let (alice, bob) = (stage.phone("1001").await?, stage.phone("1002").await?);
    let (mut alices, mut bobs) = (stage.waiting("1001").await?, stage.waiting("1002").await?);
    let call = alice.dial("1002").await?;
    let ringing = bob.rings().await?;
    alices.hears("ringing out with 1002").await?;
    bobs.hears("ringing in with 1001").await?;
    call.hang_up().await?;
    ringing.stops().await?;
    alices.hears("ringing_over").await?;
    bobs.hears("ringing_over").await?;
    bobs.sends("Hello?").await?;
    bobs.hears("send_failed not_in_call").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_rings_and_is_over() -> Result<()> {
    let stage = Stage::set(crate::narrator()).await?;
    let (alice, bob) = (stage.phone("1001").await?, stage.phone("1002").await?);
    let (mut alices, mut bobs) = (stage.waiting("1001").await?, stage.waiting("1002").await?);
    let call = alice.dial("1002").await?;
    bob.rings().await?.refuse(486).await?;
    call.failed().await?;
    alices
        .hears_all(&["ringing out with 1002", "ringing_over"])
        .await?;
    bobs.hears_all(&["ringing in with 1001", "ringing_over"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn either_side_may_hang_up() -> Result<()> {
    let Talk {
        stage,
        call,
        answered,
        mut alices,
        mut bobs,
        phones,
    } = alice_and_bob_talk().await?;
    answered.hang_up().await?;
    call.ended().await?;
    alices.hears("bye: talking with nobody").await?;
    bobs.hears("bye: talking with nobody").await?;
    let (alice, bob) = &phones;
    let again = bob.dial("1001").await?;
    let answered = alice.rings().await?.answer().await?;
    again.answered().await?;
    bobs.hears_all(&["ringing out with 1001", "call: talking with 1001", "replayed #0"])
        .await?;
    alices
        .hears_all(&["ringing in with 1002", "call: talking with 1002", "replayed #0"])
        .await?;
    answered.hang_up().await?;
    again.ended().await?;
    alices.hears("bye: talking with nobody").await?;
    bobs.hears("bye: talking with nobody").await?;
    drop(stage);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn while_both_sides_hold_the_first_resume_is_none() -> Result<()> {
    let Talk {
        call,
        answered,
        mut alices,
        mut bobs,
        stage: _stage,
        phones: _phones,
    } = alice_and_bob_talk().await?;
    call.hold().await?;
    alices.hears("hold_on: held with 1002").await?;
    bobs.hears("hold_on: held with 1001").await?;
    answered.hold().await?;
    call.resume().await?;
    bobs.sends("Still held").await?;
    bobs.hears("sent #1 held").await?;
    alices.hears_nothing().await?;
    answered.resume().await?;
    bobs.hears("hold_off: talking with 1001").await?;
    alices
        .hears_all(&["hold_off: talking with 1002", "received #1 1002: Still held"])
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callee_transfers_blind() -> Result<()> {
    let Talk {
        stage,
        answered,
        mut alices,
        mut bobs,
        call: _call,
        phones: _phones,
    } = alice_and_bob_talk().await?;
    let carol = stage.phone("1003").await?;
    let mut carols = stage.waiting("1003").await?;
    alices.sends("For whoever helps me").await?;
    alices.hears("sent #1 stored").await?;
    bobs.hears("received #1 1001: For whoever helps me").await?;
    answered.transfer_blind("1003").await?;
    bobs.hears("transfer: transferring with 1001").await?;
    alices.hears("transferring: transferring with nobody").await?;
    let _carols_call = carol.rings().await?.answer().await?;
    carols
        .hears_all(&[
            "ringing in with 1001",
            "call: talking with 1001",
            "received #1 1001: For whoever helps me (transferred receive)",
            "replayed #1",
        ])
        .await?;
    alices.hears("parties: talking with 1003").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blind_transfer_that_is_refused_ends_the_call() -> Result<()> {
    let Talk {
        stage,
        call,
        answered,
        mut alices,
        mut bobs,
        phones: _phones,
    } = alice_and_bob_talk().await?;
    let carol = stage.phone("1003").await?;
    let mut carols = stage.waiting("1003").await?;
    call.transfer_blind("1003").await?;
    alices.hears("transfer: transferring with 1002").await?;
    bobs.hears("transferring: transferring with nobody").await?;
    carol.rings().await?.refuse(486).await?;
    answered.ended().await?;
    carols
        .hears_all(&["ringing in with 1002", "ringing_over"])
        .await?;
    bobs.hears("bye: talking with nobody").await?;
    alices.hears("bye: talking with nobody").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blind_transfer_nobody_answers_ends_with_the_other_leg() -> Result<()> {
    let Talk {
        stage,
        call,
        answered,
        mut alices,
        mut bobs,
        phones: _phones,
    } = alice_and_bob_talk().await?;
    let carol = stage.phone("1003").await?;
    let mut carols = stage.waiting("1003").await?;
    call.transfer_blind("1003").await?;
    let ringing = carol.rings().await?;
    alices.hears("transfer: transferring with 1002").await?;
    bobs.hears("transferring: transferring with nobody").await?;
    bobs.sends("Anybody?").await?;
    bobs.hears("sent #1 held").await?;
    answered.hang_up().await?;
    ringing.stops().await?;
    carols
        .hears_all(&["ringing in with 1002", "ringing_over"])
        .await?;
    bobs.hears("bye: talking with nobody").await?;
    alices.hears("bye: talking with nobody").await?;
    carols.hears_nothing().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callee_transfers_after_a_consultation() -> Result<()> {
    let Talk {
        stage,
        answered,
        mut alices,
        mut bobs,
        call: _call,
        phones,
    } = alice_and_bob_talk().await?;
    let carol = stage.phone("1003").await?;
    let mut carols = stage.waiting("1003").await?;
    answered.hold().await?;
    alices.hears("hold_on: held with 1002").await?;
    bobs.hears("hold_on: held with 1001").await?;
    alices.sends("I am on hold").await?;
    alices.hears("sent #1 held").await?;
    let consultation = phones.1.dial("1003").await?;
    let carols_call = carol.rings().await?.answer().await?;
    consultation.answered().await?;
    consultation.talks_with(&carols_call).await?;
    bobs.hears_all(&["ringing out with 1003", "call: talking with 1003", "replayed #0"])
        .await?;
    carols
        .hears_all(&["ringing in with 1002", "call: talking with 1002", "replayed #0"])
        .await?;
    answered
        .transfer_attended(&consultation)
        .await?
        .succeeds()
        .await?;
    carols
        .hears_all(&[
            "bye: talking with nobody",
            "call: talking with 1001",
            "received #1 1001: I am on hold (transferred receive)",
            "replayed #1",
        ])
        .await?;
    bobs.hears_all(&["bye: talking with nobody", "transfer: talking with 1001, 1003"])
        .await?;
    alices
        .hears_all(&["parties: talking with 1003", "hold_off: talking with 1003"])
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consultation_that_comes_to_nothing_leaves_the_call_as_it_was() -> Result<()> {
    let Talk {
        stage,
        call,
        mut alices,
        mut bobs,
        answered: _answered,
        phones,
    } = alice_and_bob_talk().await?;
    let carol = stage.phone("1003").await?;
    call.hold().await?;
    alices.hears("hold_on: held with 1002").await?;
    bobs.hears("hold_on: held with 1001").await?;
    let consultation = phones.0.dial("1003").await?;
    let _carols_call = carol.rings().await?.answer().await?;
    consultation.answered().await?;
    alices
        .hears_all(&["ringing out with 1003", "call: talking with 1003", "replayed #0"])
        .await?;
    consultation.hang_up().await?;
    alices.hears("bye: talking with nobody").await?;
    call.resume().await?;
    alices.hears("hold_off: talking with 1002").await?;
    bobs.hears("hold_off: talking with 1001").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_call_goes_on_with_whoever_fetches_it() -> Result<()> {
    let Talk {
        stage,
        call,
        mut alices,
        mut bobs,
        answered: _answered,
        phones: _phones,
    } = alice_and_bob_talk().await?;
    let carol = stage.phone("1003").await?;
    let mut carols = stage.waiting("1003").await?;
    alices.sends("Please wait").await?;
    alices.hears("sent #1 stored").await?;
    bobs.hears("received #1 1001: Please wait").await?;
    call.transfer_blind("700").await?;
    alices.hears("transfer: transferring with 1002").await?;
    bobs.hears("transferring: transferring with nobody").await?;
    let fetching = carol.dial("701").await?;
    fetching.answered().await?;
    carols
        .hears_all(&[
            "call: talking with 1002",
            "sent #1 1001: Please wait (transferred send)",
            "replayed #1",
        ])
        .await?;
    bobs.hears("parties: talking with 1003").await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_unread_at_the_end_can_still_be_read_for_a_while() -> Result<()> {
    let Talk {
        stage,
        call,
        mut alices,
        bobs,
        answered,
        phones: _phones,
    } = alice_and_bob_talk().await?;
    let dropped = bobs.drops();
    alices.sends("The last word").await?;
    alices.hears("sent #1 stored").await?;
    call.hang_up().await?;
    answered.ended().await?;
    alices.hears("bye: talking with nobody").await?;
    let mut bobs = dropped.connects_again(&stage).await?;
    bobs.link(json!({})).await?;
    bobs.hears_all(&[
        "linked 1002, in no call",
        "received #1 1001: The last word",
        "replayed #1",
        "bye: talking with nobody",
    ])
    .await?;
    bobs.acknowledges(1).await?;
    stage.relay.forgets("The last word").await
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_ended_while_the_relay_was_dead_are_over_when_it_is_back() -> Result<()> {
    let Talk {
        mut stage,
        call,
        mut alices,
        bobs,
        answered,
        phones: _phones,
    } = alice_and_bob_talk().await?;
    alices.sends("Hello").await?;
    alices.hears("sent #1 stored").await?;
    stage.relay.kill()?;
    call.hang_up().await?;
    answered.ended().await?;
    stage.relay.start_again().await?;
    let mut alices = alices.drops().connects_again(&stage).await?;
    alices.link(json!({})).await?;
    alices.hears("link_failed not_in_call").await?;
    drop(bobs);
    stage.relay.forgets("Hello").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_by_feature_code_hands_over_like_any_other() -> Result<()> {
    let Talk {
        stage,
        call,
        mut alices,
        mut bobs,
        answered,
        phones: _phones,
    } = alice_and_bob_talk().await?;
    let carol = stage.phone("1003").await?;
    let mut carols = stage.waiting("1003").await?;
    alices.sends("Said before").await?;
    alices.hears("sent #1 stored").await?;
    bobs.hears("received #1 1001: Said before").await?;
    call.press("*2").await?;
    call.press("1003").await?;
    let ringing = carol.rings().await?;
    alices
        .hears_all(&["hold_on: held with 1002", "ringing out with 1003"])
        .await?;
    bobs.hears("hold_on: held with 1001").await?;
    let carols_call = ringing.answer().await?;
    alices
        .hears_all(&["call: talking with 1003", "replayed #0"])
        .await?;
    carols
        .hears_all(&["ringing in with 1001", "call: talking with 1001", "replayed #0"])
        .await?;
    bobs.hears_nothing().await?;
    call.hang_up().await?;
    alices
        .hears_all(&["bye: talking with nobody", "transfer: talking with 1002, 1003"])
        .await?;
    carols
        .hears_all(&[
            "bye: talking with nobody",
            "call: talking with 1002",
            "sent #1 1001: Said before (transferred send)",
            "replayed #1",
        ])
        .await?;
    bobs.hears_all(&["parties: talking with 1003", "hold_off: talking with 1003"])
        .await?;
    bobs.sends("And now?").await?;
    bobs.hears("sent #2 stored").await?;
    carols.hears("received #2 1002: And now?").await?;
    carols_call.hang_up().await?;
    answered.ended().await?;
    bobs.hears("bye: talking with nobody").await?;
    carols.hears_all(&["bye: talking with nobody"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_from_outside_is_known_by_its_number() -> Result<()> {
    let stage = Stage::set(crate::narrator()).await?;
    let trunk = Account {
        password: "trunk".to_owned(),
        ..Account::of("trunk")
    };
    let trunk = Phone::register_with(&stage.pbx.sip, trunk).await?;
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
    let trunk = Account {
        password: "trunk".to_owned(),
        ..Account::of("trunk")
    };
    let trunk = Phone::register_with(&stage.pbx.sip, trunk).await?;
    let bob = stage.phone("1002").await?;
    let (mut alices, mut bobs) = (stage.waiting("1001").await?, stage.waiting("1002").await?);
    let call = trunk.dial_as(&Caller::number("1001"), "815551002").await?;
    let _answered = bob.rings().await?.answer().await?;
    call.answered().await?;
    bobs.hears_like("ringing in with anonymous-").await?;
    bobs.hears_like("call: talking with anonymous-").await?;
    bobs.hears("replayed #0").await?;
    bobs.sends("Not for 1001").await?;
    bobs.hears("sent #1 stored").await?;
    alices.hears_nothing().await
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_pbx_is_out_of_sight_the_known_go_on_and_nothing_else_happens() -> Result<()> {
    let mut stage = Stage::set(crate::narrator()).await?;
    let ari = reqwest::Url::parse(&stage.pbx.ari_url)?;
    let wire = Wire::to(ari.authority().to_owned()).await?;
    let by_wire = stage
        .pbx
        .ari_url
        .replace(ari.authority(), &wire.address.to_string());
    stage.relay = RelayProcess::start(&Pbx {
        ari_url: by_wire,
        ..stage.pbx.clone()
    })
    .await?;
    let Talk {
        stage,
        call,
        answered,
        mut alices,
        mut bobs,
        phones: _phones,
    } = talk_on(stage).await?;

    wire.cut();
    alices.hears("uncertain main").await?;
    bobs.hears("uncertain main").await?;
    assert_eq!(stage.relay.operator("/readyz").await?["ready"], json!(false));
    alices.sends("Are we still on?").await?;
    alices.hears("sent #1 stored").await?;
    bobs.hears("received #1 1001: Are we still on?").await?;
    wire.mend();
    alices.hears("certain main").await?;
    bobs.hears("certain main").await?;
    assert_eq!(stage.relay.operator("/readyz").await?["ready"], json!(true));

    wire.cut();
    alices.hears("uncertain main").await?;
    bobs.hears("uncertain main").await?;
    call.hang_up().await?;
    answered.ended().await?;
    alices.hears_nothing().await?;
    wire.mend();
    alices
        .hears_all(&["bye: talking with nobody", "certain main"])
        .await?;
    bobs.hears_all(&["bye: talking with nobody", "certain main"])
        .await
}
