//! The story of the main job, told as it happens: `scripts/demo` runs this.

mod phone;
mod relay;
mod stage;
mod story;
mod terminal;

use anyhow::Result;

use crate::stage::{Narrator, Stage};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let stay = std::env::args().any(|argument| argument == "--stay");
    let mut stage = Stage::set(Narrator::Aloud).await?;
    story::play(&mut stage).await?;
    stage.narrator.say("That was the story. Every step was checked as it happened.");
    if stay {
        stage.leave_running()?;
    }
    Ok(())
}
