//! The one place that reads the machine's clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::model::Moment;

/// Tells the moment: wall-clock time when it was made, and steady from there, so that moments never
/// go backwards when the machine's clock is set.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
    origin_moment: Moment,
}

impl Clock {
    /// Starts a clock at the machine's present time.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            origin: Instant::now(),
            origin_moment: Moment::from_micros(0) + since_epoch,
        }
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.origin_moment + self.origin.elapsed()
    }
}
