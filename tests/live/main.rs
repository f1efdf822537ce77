//! The main job on a real Asterisk, with real SIP phones and the real binary.
//!
//! `scripts/test` brings the Asterisk up and says where it is; see [`stage::Pbx`].

mod ami;
mod many;
mod outages;
mod phone;
mod recorder;
mod relay;
mod scenes;
mod smoke;
mod stage;
mod story;
mod terminal;
mod wire;

/// Tests are quiet, unless somebody wants to follow them.
fn narrator() -> stage::Narrator {
    match std::env::var_os("CALLRELAY_TEST_ALOUD") {
        Some(_) => stage::Narrator::Aloud,
        None => stage::Narrator::Quiet,
    }
}
