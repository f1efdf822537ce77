//! How long to wait, and how much to take.

use std::time::Duration;

/// How long a connection waits for what, and how much it takes. The defaults are for production;
/// tests are less patient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// How often the other side is pinged.
    pub ping_every: Duration,
    /// How long a connection may be silent, answers to pings included, before it counts as broken.
    pub silence_max: Duration,
    /// How long connecting, and each question, may take.
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
    /// How often to ask what Asterisk knows, so that it can be compared with what was heard.
    pub compare_every: Duration,
    /// How much longer than the answer took is the least pause before the next question, so that a
    /// large Asterisk is asked less often: with 50, less than two percent of the time is spent asking.
    pub compare_rest_per_work: u32,
    /// How many of these questions may fail in a row before the connection counts as lost.
    pub compare_failures_max: u32,
    /// How often to ask which endpoints there are; they change with the configuration.
    pub endpoints_every: Duration,
    /// How long a connection that was made anew because events were missing is left alone. It
    /// doubles while that does not help.
    pub renew_min: Duration,
    /// The longest such time.
    pub renew_max: Duration,
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
            compare_every: Duration::from_secs(3),
            compare_rest_per_work: 50,
            compare_failures_max: 3,
            endpoints_every: Duration::from_mins(1),
            renew_min: Duration::from_mins(1),
            renew_max: Duration::from_hours(1),
            queue_max: 65_536,
        }
    }
}
