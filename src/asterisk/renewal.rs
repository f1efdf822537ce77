//! Connecting anew because somebody says that events are missing, and not too often.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::tuning::Tuning;
use crate::model::Moment;

/// Asks a connector to connect anew. Asterisk is known to forget a subscription while the WebSocket
/// stays open, which only shows in what it does not say.
#[derive(Clone, Debug, Default)]
pub struct Renewal(Arc<watch::Sender<Asked>>);

/// How often it was asked.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    politely: u64,
    insisting: u64,
}

impl Renewal {
    /// Asks. A connector that has just done so may leave it at that.
    pub fn ask(&self) {
        self.0.send_modify(|asked| asked.politely += 1);
    }

    /// Asks, and takes no refusal: what is known is not what is the case.
    pub(super) fn insist(&self) {
        self.0.send_modify(|asked| asked.insisting += 1);
    }

    /// Sees what is asked from now on.
    pub(super) fn listen(&self) -> Requests {
        let asked = self.0.subscribe();
        let insisted = asked.borrow().insisting;
        Requests { asked, insisted }
    }
}

/// What is asked of one connection.
#[derive(Debug)]
pub(super) struct Requests {
    asked: watch::Receiver<Asked>,
    insisted: u64,
}

impl Requests {
    /// Waits for the next request. Gives back whether it takes no refusal. May be dropped while it waits.
    pub(super) async fn next(&mut self) -> bool {
        if self.asked.changed().await.is_err() {
            // Nobody can ask any more.
            std::future::pending::<()>().await;
        }
        let insisted = self.asked.borrow_and_update().insisting;
        std::mem::replace(&mut self.insisted, insisted) != insisted
    }
}

/// How often a connection may be renewed. If it does not help, it is not what is wrong, and terminals
/// should not be made uncertain for nothing again and again.
#[derive(Debug)]
pub(super) struct Restraint {
    min: Duration,
    max: Duration,
    pause: Duration,
    last: Option<Moment>,
}

impl Restraint {
    pub(super) const fn new(tuning: &Tuning) -> Self {
        Self {
            min: tuning.renew_min,
            max: tuning.renew_max,
            pause: tuning.renew_min,
            last: None,
        }
    }

    /// Whether it may be done now; if so, it is taken as done.
    pub(super) fn allows(&mut self, now: Moment) -> bool {
        if let Some(last) = self.last {
            let since = now.since(last);
            if since < self.pause {
                return false;
            }
            self.pause = if since < self.pause * 2 {
                (self.pause * 2).min(self.max)
            } else {
                self.min
            };
        }
        self.last = Some(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_renewal_is_allowed_and_those_after_it_ever_more_seldom() {
        let tuning = Tuning {
            renew_min: Duration::from_mins(1),
            renew_max: Duration::from_secs(200),
            ..Tuning::default()
        };
        let mut restraint = Restraint::new(&tuning);
        let mut allowed = Vec::new();
        for second in 0..1_000 {
            if restraint.allows(Moment::from_micros(second * 1_000_000)) {
                allowed.push(second);
            }
        }
        assert_eq!(allowed, [0, 60, 180, 380, 580, 780, 980]);
        let much_later = Moment::from_micros(2_000_000_000);
        assert!(restraint.allows(much_later));
        assert!(restraint.allows(much_later + Duration::from_mins(1)));
    }
}
