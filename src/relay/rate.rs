//! How fast one session may send.

use std::time::Duration;

use crate::model::Moment;

/// A token bucket: so many at once, so many a second in the long run.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    /// Microseconds of credit; one send costs one interval.
    credit: u64,
    filled_at: Moment,
}

/// The limit that a [`Bucket`] keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    pub(super) per_sec: u32,
    pub(super) burst: u32,
}

impl Rate {
    fn interval(self) -> u64 {
        1_000_000 / u64::from(self.per_sec.max(1))
    }

    fn full(self) -> u64 {
        self.interval() * u64::from(self.burst.max(1))
    }
}

impl Bucket {
    pub(super) fn full(rate: Rate, now: Moment) -> Self {
        Self {
            credit: rate.full(),
            filled_at: now,
        }
    }

    /// Takes one, or tells how long to wait for it.
    pub(super) fn take(&mut self, rate: Rate, now: Moment) -> Result<(), Duration> {
        let passed = u64::try_from(now.since(self.filled_at).as_micros()).unwrap_or(u64::MAX);
        self.filled_at = now;
        self.credit = self.credit.saturating_add(passed).min(rate.full());
        if self.credit >= rate.interval() {
            self.credit -= rate.interval();
            return Ok(());
        }
        Err(Duration::from_micros(rate.interval() - self.credit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_one_an_interval() {
        let rate = Rate {
            per_sec: 10,
            burst: 2,
        };
        let start = Moment::from_micros(0);
        let mut bucket = Bucket::full(rate, start);
        assert_eq!(
            [bucket.take(rate, start), bucket.take(rate, start)],
            [Ok(()), Ok(())]
        );
        assert_eq!(bucket.take(rate, start), Err(Duration::from_millis(100)));
        let later = start + Duration::from_millis(60);
        assert_eq!(bucket.take(rate, later), Err(Duration::from_millis(40)));
        assert_eq!(bucket.take(rate, later + Duration::from_millis(40)), Ok(()));
    }
}
