//! Turns of a call, each on the real Asterisk.

use anyhow::Result;

use crate::stage::{Narrator, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_story() -> Result<()> {
    let mut stage = Stage::set(Narrator::Quiet).await?;
    crate::story::play(&mut stage).await
}
