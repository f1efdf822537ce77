//! The event loop: the only place that sees trackers, core, store and gateway together.
//!
//! A turn takes in what is ready, in this order of precedence: outcomes of the store (they free
//! senders and peers), reports of PBXs (who talks to whom comes before what they say), sessions, and
//! what fell due. Then it carries out effects, and hands the store the next batch if it is idle. So
//! a turn applies, then stores, and only a later turn, after the sync, confirms and delivers.

mod store_side;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::sync::{mpsc, watch};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, error, info, warn};

use crate::asterisk::Renewal;
use crate::clock::Clock;
use crate::gateway::{CloseCode, FromGateway, Health, Kept, Readiness, SessionQueue, ToSession};
use crate::model::{Moment, PbxName, SessionId};
use crate::pbx::{PbxNews, PbxReport};
use crate::relay::record::RestoredCall;
use crate::relay::{Effect, Input, Relay};
use crate::store::{Outcome, StoreError, Writer};
use crate::tracker::compare::{Repair, RepairKind};
use crate::tracker::{Conclusion, EndpointMap, Patience, Tracker, What};
use store_side::StoreSide;

/// Reports and session events, each frame by itself, after which no more are taken in before effects are carried out.
const TURN_EVENTS_MAX: usize = 256;
/// The loop and all it owns.
#[derive(Debug)]
pub struct Runtime {
    clock: Clock,
    relay: Relay,
    pbxs: BTreeMap<PbxName, Followed>,
    sessions: BTreeMap<SessionId, SessionQueue>,
    store: StoreSide,
    readiness: watch::Sender<Readiness>,
}

/// A PBX that is followed.
#[derive(Debug)]
pub struct Followed {
    /// What is concluded of it.
    pub tracker: Tracker,
    /// How to have it connected anew, if it is listened to.
    pub renewal: Option<Renewal>,
    /// What the running comparison repaired.
    pub repairs: Arc<Repairs>,
}

/// How often the running comparison with one PBX had to repair what.
#[derive(Debug, Default)]
pub struct Repairs([AtomicU64; RepairKind::ALL.len()]);

impl Repairs {
    /// Repairs of this kind since the process started.
    #[must_use]
    pub fn count(&self, kind: RepairKind) -> u64 {
        self.0[kind as usize].load(Relaxed)
    }

    fn add(&self, kind: RepairKind) {
        self.0[kind as usize].fetch_add(1, Relaxed);
    }
}

/// What flows into the loop.
#[derive(Debug)]
pub struct Queues {
    /// From the connectors.
    pub reports: mpsc::Receiver<PbxReport>,
    /// From the gateway.
    pub gateway: mpsc::Receiver<FromGateway>,
    /// Becomes true when the relay is to stop.
    pub stopping: watch::Receiver<bool>,
}

/// Why the loop ended without being told to.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The store cannot be used any more. Nothing that was not stored was confirmed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store's thread is gone.
    #[error("the thread of the store is gone")]
    StoreGone,
}

impl Runtime {
    /// A loop over these parts, with the calls that an earlier process kept.
    #[must_use]
    pub fn new(
        clock: Clock,
        mut relay: Relay,
        mut pbxs: BTreeMap<PbxName, Followed>,
        writer: Writer,
        kept: &[RestoredCall],
        readiness: watch::Sender<Readiness>,
    ) -> Self {
        let now = clock.now();
        for (name, followed) in &mut pbxs {
            followed.tracker.suspend();
            relay.handle(now, Input::PbxLost(name.clone()));
        }
        let mut orphans: BTreeMap<PbxName, Tracker> = BTreeMap::new();
        for call in kept {
            let pbx = &call.record.pbx;
            let tracker = match pbxs.get_mut(pbx) {
                Some(followed) => &mut followed.tracker,
                None => orphans
                    .entry(pbx.clone())
                    .or_insert_with(|| Tracker::new(EndpointMap::default(), Patience::default())),
            };
            if call.record.ended_at.is_none() {
                relay.restore(call, tracker.adopt(&call.record.memory));
            } else {
                relay.restore_ended(call);
            }
        }
        // A PBX that is not configured any more has no calls.
        for (pbx, mut tracker) in orphans {
            for conclusion in tracker.end_all(now) {
                relay.handle(
                    now,
                    Input::Concluded {
                        pbx: pbx.clone(),
                        conclusion,
                    },
                );
            }
        }
        Self {
            clock,
            relay,
            pbxs,
            sessions: BTreeMap::new(),
            store: StoreSide::new(writer),
            readiness,
        }
    }

    /// Runs until the relay is to stop or the store is broken.
    pub async fn run(mut self, mut queues: Queues) -> Result<(), RuntimeError> {
        self.carry_out();
        let ended = loop {
            let due = self.next_deadline();
            tokio::select! {
                biased;
                outcome = self.store.outcome() => match outcome {
                    Some(outcome) => if let Err(broken) = self.take_outcome(outcome) { break Err(broken) },
                    None => break Err(RuntimeError::StoreGone),
                },
                Some(report) = queues.reports.recv() => {
                    self.take_report(report);
                    for _ in 0..TURN_EVENTS_MAX {
                        let Ok(report) = queues.reports.try_recv() else { break };
                        self.take_report(report);
                    }
                }
                Some(event) = queues.gateway.recv(), if self.store.has_room() => {
                    let mut taken = self.take_event_after(&mut queues.reports, event);
                    // Whoever else has something to say may say it now: more of it shares the turn, and the sync.
                    yield_now().await;
                    while taken < TURN_EVENTS_MAX
                        && let Ok(event) = queues.gateway.try_recv()
                    {
                        taken += self.take_event_after(&mut queues.reports, event);
                    }
                    // Sessions that never pause do not put off what is due.
                    if due.is_some_and(|due| due <= self.clock.now()) {
                        self.take_time();
                    }
                }
                () = wait_until(&self.clock, due) => self.take_time(),
                () = stopped(&mut queues.stopping) => break Ok(()),
            }
            self.carry_out();
            self.store.feed(self.clock.now());
        };
        let code = if ended.is_ok() {
            CloseCode::GoingAway
        } else {
            CloseCode::Unavailable
        };
        for queue in self.sessions.values_mut() {
            // A session whose queue is full is closed by the process ending.
            let _ = queue.try_send(ToSession::Close(code));
        }
        let finished = self.finish_store(ended.is_ok()).await;
        ended.and(finished)
    }

    fn take_report(&mut self, report: PbxReport) {
        let PbxReport { pbx, at, news } = report;
        let Some(Followed { tracker, .. }) = self.pbxs.get_mut(&pbx) else {
            return;
        };
        match news {
            PbxNews::Event(event) => {
                let conclusions = tracker.handle(at, &event);
                self.follow(&pbx, conclusions);
            }
            PbxNews::AtOnce(events) => {
                let conclusions = tracker.handle_at_once(at, &events);
                self.follow(&pbx, conclusions);
            }
            PbxNews::Known {
                snapshot, meanwhile, ..
            } => {
                let meanwhile: Vec<_> = meanwhile.into_iter().map(|(_, event)| event).collect();
                let conclusions = tracker.resume(at, &snapshot, &meanwhile);
                let calls = tracker.call_count();
                self.follow(&pbx, conclusions);
                self.relay.handle(at, Input::PbxFound(pbx.clone()));
                info!(%pbx, calls, "the PBX was compared");
                self.readiness.send_modify(|readiness| {
                    readiness.pbxs.insert(pbx, Health::well(at));
                });
            }
            PbxNews::Compared { snapshot, asked_at } => {
                let found = tracker.compare(at, asked_at, &snapshot);
                self.count_repairs(&pbx, &found.repairs, found.events_are_missing);
                self.follow(&pbx, found.conclusions);
            }
            PbxNews::Endpoints(names) => tracker.know_endpoints(&names),
            PbxNews::Lost { reason, .. } => {
                tracker.suspend();
                self.relay.handle(at, Input::PbxLost(pbx.clone()));
                self.readiness.send_modify(|readiness| {
                    readiness.pbxs.entry(pbx).or_default().breaks(at, reason);
                });
            }
        }
    }

    fn count_repairs(&self, pbx: &PbxName, repairs: &[Repair], events_are_missing: bool) {
        let Some(followed) = self.pbxs.get(pbx) else {
            return;
        };
        for Repair {
            kind,
            channel,
            bridge,
        } in repairs
        {
            followed.repairs.add(*kind);
            let (kind, channel, bridge) = (
                kind.as_str(),
                channel.as_ref().map(tracing::field::display),
                bridge.as_ref().map(tracing::field::display),
            );
            warn!(%pbx, kind, channel, bridge, "the PBX left out an event; its snapshot made it good");
        }
        if events_are_missing && let Some(renewal) = &followed.renewal {
            renewal.ask();
        }
    }

    fn follow(&mut self, pbx: &PbxName, conclusions: Vec<Conclusion>) {
        for conclusion in conclusions {
            if conclusion.what != What::Remember {
                debug!(%pbx, call = conclusion.call.0, what = ?conclusion.what, because = %conclusion.because, "concluded");
            }
            let at = conclusion.at;
            self.relay.handle(
                at,
                Input::Concluded {
                    pbx: pbx.clone(),
                    conclusion,
                },
            );
        }
    }

    /// What was reported before somebody asked something is known when it is answered: it is in its queue by now, also if
    /// it came within this turn.
    fn take_event_after(&mut self, reports: &mut mpsc::Receiver<PbxReport>, event: FromGateway) -> usize {
        for _ in 0..reports.len() {
            let Ok(report) = reports.try_recv() else { break };
            self.take_report(report);
        }
        self.take_event(event)
    }

    /// Gives back how many events it was.
    fn take_event(&mut self, event: FromGateway) -> usize {
        match event {
            FromGateway::Inputs(inputs) => {
                let count = inputs.len();
                for input in inputs {
                    self.take_input(input);
                }
                return count;
            }
            FromGateway::Opened { session, queue } => {
                self.sessions.insert(session, queue);
            }
            FromGateway::Input(input) => self.take_input(input),
            // Whoever asked may have gone away.
            FromGateway::Calls(wanted, reply) => drop(reply.send(self.relay.report_calls(&wanted))),
            FromGateway::Links(wanted, reply) => drop(reply.send(self.relay.report_links(&wanted))),
            FromGateway::Kept(reply) => drop(reply.send(self.kept())),
            FromGateway::PlaceForUpload { phone, call, reply } => {
                drop(reply.send(self.relay.place_for_upload(&phone, call.as_ref())));
            }
            FromGateway::Uploaded { record, reply } => {
                if self.relay.take_file(record) {
                    self.carry_out();
                    self.store.tell_when_written(reply);
                }
            }
            FromGateway::FindFile { phone, file, reply } => {
                drop(reply.send(self.relay.find_file(&phone, &file)));
            }
            FromGateway::Safe(reply) => {
                self.carry_out();
                self.store.tell_when_safe(reply);
            }
            FromGateway::Barrier(reply) => {
                self.take_time();
                self.carry_out();
                self.store.let_through(reply);
            }
        }
        1
    }

    fn kept(&self) -> Kept {
        let of_pbx = |(name, followed): (&PbxName, &Followed)| {
            let tracker = &followed.tracker;
            (name.clone(), (tracker.channel_count(), tracker.bridge_count()))
        };
        Kept {
            mailboxes: self.relay.mailbox_count(),
            pbxs: self.pbxs.iter().map(of_pbx).collect(),
        }
    }

    fn take_input(&mut self, input: Input) {
        if let Input::Closed(session) = &input {
            self.sessions.remove(session);
        }
        self.relay.handle(self.clock.now(), input);
    }

    fn take_time(&mut self) {
        let now = self.clock.now();
        let names: Vec<PbxName> = self.pbxs.keys().cloned().collect();
        for pbx in names {
            let conclusions = self
                .pbxs
                .get_mut(&pbx)
                .map(|followed| followed.tracker.tick(now))
                .unwrap_or_default();
            self.follow(&pbx, conclusions);
        }
        self.relay.handle(now, Input::Tick);
    }

    fn take_outcome(&mut self, outcome: Outcome) -> Result<(), RuntimeError> {
        let now = self.clock.now();
        if let Some(broken) = outcome.broken {
            // Whether what was under way will be there after a restart nobody knows, so nothing is said of it.
            if let Some(unsubmitted) = self.store.first_waiting_row() {
                self.relay.handle(now, Input::StoreBroke { unsubmitted });
                self.carry_out();
            }
            return Err(broken.into());
        }
        match outcome.failed {
            None => {
                if self.store.has_written() {
                    info!("the store writes again");
                    self.readiness
                        .send_modify(|readiness| readiness.store = Health::well(now));
                }
                self.relay.handle(
                    now,
                    Input::Committed {
                        row: outcome.row.unwrap_or(0),
                    },
                );
            }
            Some((unwritten, reason)) => {
                let (unwritten, is_news) = self.store.has_failed(now, unwritten);
                self.relay.handle(now, Input::StoreFailed { unwritten });
                if is_news {
                    error!(%reason, "the store has no room: messages are refused until it has");
                }
                self.readiness
                    .send_modify(|readiness| readiness.store.breaks(now, reason.to_string()));
            }
        }
        for (request, messages) in outcome.read {
            self.relay.handle(now, Input::RowsRead { request, messages });
        }
        self.carry_out();
        self.store.is_through();
        Ok(())
    }

    fn carry_out(&mut self) {
        let mut lost = Vec::new();
        for effect in self.relay.effects() {
            match effect {
                Effect::Tell(session, notice) => {
                    let Some(queue) = self.sessions.get_mut(&session) else {
                        continue;
                    };
                    match queue.try_send(ToSession::Notice(notice)) {
                        Ok(()) => {}
                        // Its connection is gone, and its last word is on its way.
                        Err(refused) if refused.is_disconnected() => lost.push(session),
                        Err(_) => {
                            warn!(%session, "a session's queue is full");
                            lost.push(session);
                        }
                    }
                }
                Effect::Close(session, reason) => {
                    let Some(mut queue) = self.sessions.remove(&session) else {
                        continue;
                    };
                    // With its queue full it finds out by the queue being gone.
                    let _ = queue.try_send(ToSession::Close(reason.into()));
                }
                Effect::Write(write) => self.store.write(write),
                Effect::Read(request) => self.store.read(request),
            }
        }
        if lost.is_empty() {
            return;
        }
        let now = self.clock.now();
        for session in lost {
            if self.sessions.remove(&session).is_some() {
                self.relay.handle(now, Input::Closed(session));
            }
        }
        self.carry_out();
    }

    fn next_deadline(&self) -> Option<Moment> {
        let trackers = self
            .pbxs
            .values()
            .filter_map(|followed| followed.tracker.next_deadline());
        let retry = self.store.retry_due();
        trackers.chain(self.relay.next_deadline()).chain(retry).min()
    }

    /// Lets the store write what it has, so that positions survive a restart.
    async fn finish_store(mut self, healthy: bool) -> Result<(), RuntimeError> {
        let mut broken = self.store.come_to_rest().await;
        if healthy && broken.is_none() {
            self.relay.write_all_positions();
            self.carry_out();
            broken = self.store.write_the_last().await;
        }
        self.store.close();
        broken.map_or(Ok(()), |broken| Err(broken.into()))
    }
}

/// Waits for the relay to be told to stop, or for nobody to be there any more who could tell it.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

async fn wait_until(clock: &Clock, due: Option<Moment>) {
    match due {
        Some(due) => sleep_until(Instant::now() + due.since(clock.now())).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
