//! The shortest proof that an Asterisk and a relay understand each other.

use anyhow::Result;

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_followed() -> Result<()> {
    let stage = Stage::set(crate::narrator()).await?;
    let (alice, bob) = (stage.phone("1001").await?, stage.phone("1002").await?);
    let (mut alices, mut bobs) = (stage.waiting("1001").await?, stage.waiting("1002").await?);
    let call = alice.dial("1002").await?;
    let answered = bob.rings().await?.answer().await?;
    call.answered().await?;
    alices
        .hears_all(&["ringing out with 1002", "call: talking with 1002", "replayed #0"])
        .await?;
    bobs.hears_all(&["ringing in with 1001", "call: talking with 1001", "replayed #0"])
        .await?;
    bobs.sends("Hello").await?;
    alices.hears("received #1 1002: Hello").await?;
    call.hang_up().await?;
    answered.ended().await?;
    alices.hears("bye: talking with nobody").await
}
