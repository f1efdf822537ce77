//! How long to wait, and how much to take.

use std::time::Duration;

/// How long a connection waits for what, and how much it takes. The defaults are for production;
/// tests are less patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// How often the WebSocket is pinged.
    pub ping_every: Duration,
    /// How long the WebSocket may be silent, pongs included, before it counts as broken.
    pub silence_max: Duration,
    /// How long the WebSocket handshake, and each REST request, may take.
    pub request_max: Duration,
    /// The first pause after a loss, halved at random. It doubles with every further failure.
    pub retry_min: Duration,
    /// The longest pause between attempts.
    pub retry_max: Duration,
    /// How long a connection has to hold for the pauses to begin anew.
    pub held_min: Duration,
    /// How often to look, after another listener took the application over, whether it is still there.
    pub replaced_poll: Duration,
    /// How long to leave the application to that other listener before it is taken back.
    pub replaced_max: Duration,
    /// Messages that may wait to be translated before the connection counts as lost.
    pub queue_max: usize,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            ping_every: Duration::from_secs(5),
            silence_max: Duration::from_secs(10),
            request_max: Duration::from_secs(5),
            retry_min: Duration::from_millis(200),
            retry_max: Duration::from_secs(15),
            held_min: Duration::from_secs(30),
            replaced_poll: Duration::from_secs(5),
            replaced_max: Duration::from_mins(1),
            queue_max: 65_536,
        }
    }
}
