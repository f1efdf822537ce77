use super::*;

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use crate::model::Phone;
use crate::notify::{Notification, Switchboard};
use crate::relay::record::StoredMessage;
use crate::relay::{Rules, Wanted, Write};
use crate::store::MailboxStore;

/// A store that says when it is about to write, and waits for the permission.
struct Hesitant {
    about_to: mpsc::Sender<()>,
    may: std::sync::mpsc::Receiver<()>,
}

impl MailboxStore for Hesitant {
    fn load(&mut self) -> Result<Vec<RestoredCall>, StoreError> {
        Ok(Vec::new())
    }

    fn commit(&mut self, _: &[Write]) -> Result<(), StoreError> {
        // The test may be over.
        let _ = self.about_to.blocking_send(());
        let _ = self.may.recv();
        Ok(())
    }

    fn read(&mut self, _: &[u64]) -> Result<Vec<StoredMessage>, StoreError> {
        Ok(Vec::new())
    }

    fn probe(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn scrub(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn close(self) {}
}

#[tokio::test]
async fn who_asks_whether_it_is_safe_is_answered_for_all_that_was_reported_before() {
    let (about_to, mut is_about_to) = mpsc::channel(1);
    let (permit, may) = std::sync::mpsc::sync_channel(1);
    let writer = Writer::start(Hesitant { about_to, may }).unwrap();
    let (reports_in, reports) = mpsc::channel(8);
    let (to_loop, gateway) = mpsc::channel(8);
    let (_stop, stopping) = watch::channel(false);
    let (readiness, _) = watch::channel(Readiness::default());
    let pbx = PbxName::new("floor");
    let followed = Followed {
        tracker: Tracker::new(EndpointMap::default(), Patience::default()),
        renewal: None,
        repairs: Arc::default(),
    };
    let (clock, relay) = (Clock::start(), Relay::new(Rules::default(), 1));
    let pbxs = BTreeMap::from([(pbx.clone(), followed)]);
    let runtime = Runtime::new(clock, relay, pbxs, writer, &[], readiness);
    let mut switchboard = Switchboard::new(1, std::iter::empty());
    let report = |news| PbxReport {
        pbx: pbx.clone(),
        at: clock.now(),
        news,
    };
    let known = PbxNews::Known {
        since: clock.now(),
        snapshot: switchboard.snapshot(),
        meanwhile: Vec::new(),
    };
    reports_in.try_send(report(known)).unwrap();
    tokio::spawn(runtime.run(Queues {
        reports,
        gateway,
        stopping,
    }));
    // The loop is in the middle of a turn, and takes in what else there is, when a call is reported.
    let (reply, answer) = oneshot::channel();
    to_loop
        .try_send(FromGateway::Links(Wanted::default(), reply))
        .unwrap();
    answer.await.unwrap();
    let called = switchboard.take(Notification::Call {
        from: Phone::new("1001"),
        to: Phone::new("1002"),
    });
    reports_in
        .try_send(report(PbxNews::AtOnce(called.unwrap())))
        .unwrap();
    let (reply, mut safe) = oneshot::channel();
    to_loop.try_send(FromGateway::Safe(reply)).unwrap();
    is_about_to.recv().await.unwrap();
    assert_eq!(safe.try_recv(), Err(TryRecvError::Empty));
    permit.send(()).unwrap();
    safe.await.unwrap();
}
