//! Calls that ring at more than one phone, or end up at another one than was called: queues, ring groups,
//! pickup and forwarding. Who ends up talking is the party; who only rang hears the end of the ringing.

use anyhow::Result;

use super::desk::{Desk, all_part};
use crate::phone::{Call, IncomingCall};
use crate::stage::Stage;

/// Three desks; 1001 is about to call.
struct Office {
    alice: Desk,
    bob: Desk,
    carol: Desk,
    _stage: Stage,
}

async fn office() -> Result<Office> {
    let stage = Stage::set(crate::narrator()).await?;
    Ok(Office {
        alice: Desk::at(&stage, "1001").await?,
        bob: Desk::at(&stage, "1002").await?,
        carol: Desk::at(&stage, "1003").await?,
        _stage: stage,
    })
}

impl Office {
    /// 1001 calls this number, and both others ring.
    async fn both_ring(&mut self, number: &str) -> Result<(Call, IncomingCall, IncomingCall)> {
        let call = self.alice.phone.dial(number).await?;
        let (bobs, carols) = (self.bob.phone.rings().await?, self.carol.phone.rings().await?);
        self.alice
            .terminal
            .hears_in_any_order(&["ringing out with 1002", "ringing out with 1003"])
            .await?;
        self.bob.hears("ringing in with 1001").await?;
        self.carol.hears("ringing in with 1001").await?;
        Ok((call, bobs, carols))
    }

    /// 1003 answers and 1002 rings no more.
    async fn carol_answers(&mut self, call: &Call, bobs: IncomingCall, carols: IncomingCall) -> Result<Call> {
        let answered = carols.answer().await?;
        call.answered().await?;
        call.talks_with(&answered).await?;
        bobs.stops().await?;
        self.alice
            .hears_all(&["call: talking with 1003", "replayed #0"])
            .await?;
        self.carol
            .hears_all(&["call: talking with 1001", "replayed #0"])
            .await?;
        self.bob.hears("ringing_over").await?;
        Ok(answered)
    }

    /// 1003 hands the caller on to 1002, who had only heard it ring.
    async fn carol_hands_over(mut self, answered: &Call) -> Result<()> {
        answered.transfer_blind("1002").await?.succeeds().await?;
        self.carol.hears("transfer: transferring with 1001").await?;
        self.alice.hears("transferring: transferring with nobody").await?;
        self.alice.sends("Anybody?", "#2 held").await?;
        let ringing = self.bob.phone.rings().await?;
        self.bob.hears("ringing in with 1001").await?;
        let taken = ringing.answer().await?;
        self.bob
            .hears_all(&[
                "call: talking with 1001",
                "received #1 1001: Message 1 (transferred receive)",
                "received #2 1001: Anybody?",
                "replayed #2",
            ])
            .await?;
        self.alice.hears("parties: talking with 1002").await?;
        taken.hang_up().await?;
        all_part(&mut [&mut self.alice, &mut self.bob]).await?;
        self.carol.hears_nothing().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_queue_that_rings_everybody_one_takes_the_call() -> Result<()> {
    let mut office = office().await?;
    let (call, bobs, carols) = office.both_ring("600").await?;
    office.alice.cannot_send().await?;
    let answered = office.carol_answers(&call, bobs, carols).await?;
    office
        .alice
        .tells(&mut [&mut office.carol], 1, "Message 1")
        .await?;
    office.bob.hears_nothing().await?;

    office.carol_hands_over(&answered).await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_queue_with_members_behind_local_channels_one_takes_the_call() -> Result<()> {
    a_queue_behind_local_channels("601").await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_queue_that_follows_its_members_as_freepbx_does_one_takes_the_call() -> Result<()> {
    a_queue_behind_local_channels("602").await
}

async fn a_queue_behind_local_channels(number: &str) -> Result<()> {
    let mut office = office().await?;
    let (call, bobs, carols) = office.both_ring(number).await?;
    let answered = office.carol_answers(&call, bobs, carols).await?;
    office
        .alice
        .tells(&mut [&mut office.carol], 1, "Message 1")
        .await?;
    office.bob.hears_nothing().await?;
    office.carol_hands_over(&answered).await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_ring_group_one_takes_the_call() -> Result<()> {
    a_ring_group("610").await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_ring_group_that_follows_its_members_as_freepbx_does_one_takes_the_call() -> Result<()> {
    a_ring_group("611").await
}

async fn a_ring_group(number: &str) -> Result<()> {
    let mut office = office().await?;
    let (call, bobs, carols) = office.both_ring(number).await?;
    let _answered = office.carol_answers(&call, bobs, carols).await?;
    office
        .alice
        .tells(&mut [&mut office.carol], 1, "Message 1")
        .await?;
    call.hang_up().await?;
    all_part(&mut [&mut office.alice, &mut office.carol]).await?;
    office.bob.hears_nothing().await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_calls_a_queue_and_gives_up_was_in_no_call() -> Result<()> {
    gives_up("600").await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_calls_a_queue_that_follows_its_members_and_gives_up_was_in_no_call() -> Result<()> {
    gives_up("602").await
}

async fn gives_up(number: &str) -> Result<()> {
    let mut office = office().await?;
    let (call, bobs, carols) = office.both_ring(number).await?;
    call.hang_up().await?;
    bobs.stops().await?;
    carols.stops().await?;
    office.bob.hears("ringing_over").await?;
    office.carol.hears("ringing_over").await?;
    office.alice.hears("ringing_over").await?;
    office.alice.hears_nothing().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_a_colleague_picks_up_is_the_colleagues() -> Result<()> {
    picked_up_with("*8").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_picked_up_at_one_phone_by_name_is_whose_took_it() -> Result<()> {
    picked_up_with("**1002").await
}

/// 1001 calls 1002, and 1003 fetches the call with this code.
async fn picked_up_with(code: &str) -> Result<()> {
    let mut office = office().await?;
    let call = office.alice.phone.dial("1002").await?;
    let ringing = office.bob.phone.rings().await?;
    office.alice.hears("ringing out with 1002").await?;
    office.bob.hears("ringing in with 1001").await?;
    let fetched = office.carol.phone.dial(code).await?;
    fetched.answered().await?;
    call.answered().await?;
    call.talks_with(&fetched).await?;
    ringing.stops().await?;
    office
        .alice
        .hears_all(&["call: talking with 1003", "replayed #0"])
        .await?;
    office
        .carol
        .hears_all(&["call: talking with 1001", "replayed #0"])
        .await?;
    office.bob.hears("ringing_over").await?;
    office
        .carol
        .tells(&mut [&mut office.alice], 1, "Message 1")
        .await?;
    call.hang_up().await?;
    fetched.ended().await?;
    all_part(&mut [&mut office.alice, &mut office.carol]).await?;
    office.bob.hears_nothing().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_forwards_its_calls_is_not_party_to_them() -> Result<()> {
    let mut office = office().await?;
    let call = office.alice.phone.dial("1002").await?;
    let ringing = office.bob.phone.rings().await?;
    office.alice.hears("ringing out with 1002").await?;
    office.bob.hears("ringing in with 1001").await?;
    ringing.forward("1003").await?;
    let ringing = office.carol.phone.rings().await?;
    office.alice.hears("ringing out with 1003").await?;
    office.carol.hears("ringing in with 1001").await?;
    let answered = ringing.answer().await?;
    call.answered().await?;
    call.talks_with(&answered).await?;
    office.bob.hears("ringing_over").await?;
    office
        .alice
        .hears_all(&["call: talking with 1003", "replayed #0"])
        .await?;
    office
        .carol
        .hears_all(&["call: talking with 1001", "replayed #0"])
        .await?;
    office
        .carol
        .tells(&mut [&mut office.alice], 1, "Message 1")
        .await?;
    answered.hang_up().await?;
    all_part(&mut [&mut office.alice, &mut office.carol]).await?;
    office.bob.hears_nothing().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_forwarded_by_the_pbx_is_the_phone_where_it_ends_up() -> Result<()> {
    let mut office = office().await?;
    let call = office.alice.phone.dial("620").await?;
    let ringing = office.carol.phone.rings().await?;
    office.alice.hears("ringing out with 1003").await?;
    office.carol.hears("ringing in with 1001").await?;
    let answered = ringing.answer().await?;
    call.answered().await?;
    call.talks_with(&answered).await?;
    office
        .alice
        .hears_all(&["call: talking with 1003", "replayed #0"])
        .await?;
    office
        .carol
        .hears_all(&["call: talking with 1001", "replayed #0"])
        .await?;
    office
        .alice
        .tells(&mut [&mut office.carol], 1, "Message 1")
        .await?;
    call.hang_up().await?;
    all_part(&mut [&mut office.alice, &mut office.carol]).await?;
    office.bob.hears_nothing().await
}
