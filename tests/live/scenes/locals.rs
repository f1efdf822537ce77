//! Phones that talk through Local channels, which Asterisk takes out of the way or leaves there.

use std::convert::Infallible;

use anyhow::Result;

use super::desk::{Desk, all_part, began};
use crate::phone::Call;
use crate::stage::Stage;

/// 1001 dials this number, behind which 1003 is found.
async fn dials(number: &str) -> Result<(Desk, Desk, Call, Call, Stage)> {
    let stage = Stage::set(crate::narrator()).await?;
    let mut alice = Desk::at(&stage, "1001").await?;
    let mut carol = Desk::at(&stage, "1003").await?;
    let call = alice.phone.dial(number).await?;
    let answered = carol.phone.rings().await?.answer_heard_by(&call).await?;
    call.answered().await?;
    began(&mut alice, &mut carol).await?;
    alice.tells(&mut [&mut carol], 1, "Before we speak").await?;
    Ok((alice, carol, call, answered, stage))
}

/// The two talk on and on.
async fn speak(one: &Call, other: &Call) -> Result<Infallible> {
    loop {
        one.talks_with(other).await?;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_behind_local_channels_that_stay_are_in_one_call() -> Result<()> {
    all_stay("650", 4).await
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_three_local_channels_apart_that_stay_are_in_one_call() -> Result<()> {
    all_stay("652", 6).await
}

async fn all_stay(number: &str, halves: usize) -> Result<()> {
    let (mut alice, mut carol, call, answered, stage) = dials(number).await?;
    call.talks_with(&answered).await?;
    carol.tells(&mut [&mut alice], 2, "Now we speak").await?;
    stage.has_local_halves(halves).await?;
    answered.hold().await?;
    alice.hears("hold_on: held with 1003").await?;
    carol.hears("hold_on: held with 1001").await?;
    answered.resume().await?;
    alice.hears("hold_off: talking with 1003").await?;
    carol.hears("hold_off: talking with 1001").await?;
    answered.hang_up().await?;
    call.ended().await?;
    all_part(&mut [&mut alice, &mut carol]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_behind_local_channels_that_go_stay_in_their_call() -> Result<()> {
    those_go_that_may("660", 0).await
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_three_local_channels_apart_that_go_stay_in_their_call() -> Result<()> {
    those_go_that_may("662", 0).await
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_three_local_channels_apart_of_which_one_stays_stay_in_their_call() -> Result<()> {
    those_go_that_may("655", 2).await
}

async fn those_go_that_may(number: &str, halves: usize) -> Result<()> {
    let (mut alice, mut carol, call, answered, stage) = dials(number).await?;
    call.talks_with(&answered).await?;
    // Each pair is taken out by what is heard through it.
    tokio::select! {
        gone = stage.has_local_halves(halves) => gone?,
        speechless = speak(&call, &answered) => speechless.map(drop)?,
    }
    carol.tells(&mut [&mut alice], 2, "Now we speak").await?;
    call.hang_up().await?;
    answered.ended().await?;
    all_part(&mut [&mut alice, &mut carol]).await
}

/// 1001 and 1003 talk through Local channels that stay; 1004 is there too.
struct Chain {
    alice: Desk,
    carol: Desk,
    dave: Desk,
    call: Call,
    answered: Call,
    _stage: Stage,
}

async fn two_talk_through_a_chain(number: &str) -> Result<Chain> {
    let (alice, carol, call, answered, stage) = dials(number).await?;
    call.talks_with(&answered).await?;
    Ok(Chain {
        alice,
        carol,
        dave: Desk::at(&stage, "1004").await?,
        call,
        answered,
        _stage: stage,
    })
}

impl Chain {
    /// 1003 is out of the call, and 1001 hears that somebody comes.
    async fn carol_has_sent_alice_on(&mut self) -> Result<()> {
        self.carol.hears("transfer: transferring with 1001").await?;
        self.alice.hears("transferring: transferring with nobody").await?;
        self.alice.sends("Who comes?", "#2 held").await?;
        self.carol.cannot_send().await
    }

    /// 1004 has what 1003 had, and 1001 goes on with it.
    async fn dave_has_it(&mut self) -> Result<()> {
        self.dave
            .hears_all(&[
                "call: talking with 1001",
                "received #1 1001: Before we speak (transferred receive)",
                "received #2 1001: Who comes?",
                "replayed #2",
            ])
            .await?;
        self.alice.hears("parties: talking with 1004").await?;
        self.dave.tells(&mut [&mut self.alice], 3, "It is me").await?;
        self.carol.hears_nothing().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_behind_local_channels_is_transferred_blind() -> Result<()> {
    is_transferred_blind("650").await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_three_local_channels_away_is_transferred_blind() -> Result<()> {
    is_transferred_blind("655").await
}

async fn is_transferred_blind(number: &str) -> Result<()> {
    let mut chain = two_talk_through_a_chain(number).await?;
    chain.answered.transfer_blind("1004").await?;
    let ringing = chain.dave.phone.rings().await?;
    chain.carol_has_sent_alice_on().await?;
    chain.dave.hears("ringing in with 1001").await?;
    let daves = ringing.answer().await?;
    chain.call.talks_with(&daves).await?;
    chain.dave_has_it().await?;
    daves.hang_up().await?;
    chain.call.ended().await?;
    all_part(&mut [&mut chain.alice, &mut chain.dave]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blind_transfer_behind_local_channels_that_is_refused_ends_the_call() -> Result<()> {
    let mut chain = two_talk_through_a_chain("650").await?;
    chain.answered.transfer_blind("1004").await?;
    let ringing = chain.dave.phone.rings().await?;
    chain.carol_has_sent_alice_on().await?;
    chain.dave.hears("ringing in with 1001").await?;
    ringing.refuse(486).await?;
    chain.call.ended().await?;
    chain.dave.hears("ringing_over").await?;
    chain.dave.hears_nothing().await?;
    all_part(&mut [&mut chain.alice, &mut chain.carol]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_behind_local_channels_is_parked_and_fetched() -> Result<()> {
    let mut chain = two_talk_through_a_chain("650").await?;
    chain.answered.transfer_blind("700").await?;
    chain.carol_has_sent_alice_on().await?;
    let fetching = chain.dave.dials_into("701").await?;
    chain.call.talks_with(&fetching).await?;
    chain.dave_has_it().await?;
    chain.call.hang_up().await?;
    fetching.ended().await?;
    all_part(&mut [&mut chain.alice, &mut chain.dave]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_behind_local_channels_is_handed_over_after_a_consultation() -> Result<()> {
    let mut chain = two_talk_through_a_chain("650").await?;
    chain.answered.hold().await?;
    chain.alice.hears("hold_on: held with 1003").await?;
    chain.carol.hears("hold_on: held with 1001").await?;
    let consultation = chain.carol.phone.dial("1004").await?;
    let daves = chain
        .dave
        .phone
        .rings()
        .await?
        .answer_heard_by(&consultation)
        .await?;
    consultation.answered().await?;
    consultation.talks_with(&daves).await?;
    began(&mut chain.carol, &mut chain.dave).await?;
    chain.alice.sends("While I wait", "#2 held").await?;
    chain
        .answered
        .transfer_attended(&consultation)
        .await?
        .succeeds()
        .await?;
    chain.call.talks_with(&daves).await?;
    chain
        .carol
        .hears_all(&["bye: talking with nobody", "transfer: talking with 1001, 1004"])
        .await?;
    chain
        .dave
        .hears_all(&[
            "bye: talking with nobody",
            "call: talking with 1001",
            "received #1 1001: Before we speak (transferred receive)",
            "received #2 1001: While I wait (transferred receive)",
            "replayed #2",
        ])
        .await?;
    chain
        .alice
        .hears_all(&["parties: talking with 1004", "hold_off: talking with 1004"])
        .await?;
    chain.dave.tells(&mut [&mut chain.alice], 3, "It is me").await?;
    daves.hang_up().await?;
    chain.call.ended().await?;
    all_part(&mut [&mut chain.alice, &mut chain.dave]).await?;
    chain.carol.hears_nothing().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_behind_local_channels_is_handed_over_by_code() -> Result<()> {
    let mut chain = two_talk_through_a_chain("650").await?;
    chain.answered.press("*2").await?;
    chain.carol.hears("hold_on: held with 1001").await?;
    chain.alice.hears("hold_on: held with 1003").await?;
    chain.answered.press("1004").await?;
    let ringing = chain.dave.phone.rings().await?;
    chain.carol.hears("ringing out with 1004").await?;
    chain.dave.hears("ringing in with 1003").await?;
    let daves = ringing.answer().await?;
    chain.answered.talks_with(&daves).await?;
    chain
        .carol
        .hears_all(&["call: talking with 1004", "replayed #0"])
        .await?;
    chain
        .dave
        .hears_all(&["call: talking with 1003", "replayed #0"])
        .await?;
    chain.answered.hang_up().await?;
    chain.call.talks_with(&daves).await?;
    chain
        .carol
        .hears_all(&["bye: talking with nobody", "transfer: talking with 1001, 1004"])
        .await?;
    chain
        .dave
        .hears_all(&[
            "bye: talking with nobody",
            "call: talking with 1001",
            "received #1 1001: Before we speak (transferred receive)",
            "replayed #1",
        ])
        .await?;
    chain
        .alice
        .hears_all(&["parties: talking with 1004", "hold_off: talking with 1004"])
        .await?;
    chain.dave.tells(&mut [&mut chain.alice], 2, "It is me").await?;
    chain.carol.hears_nothing().await
}
