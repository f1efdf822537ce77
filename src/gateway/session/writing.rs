//! The half of a session that writes: what the loop has, as frames, many with one flush.

use std::time::Duration;

use futures::channel::mpsc;
use futures::{SinkExt as _, StreamExt as _};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::Writer;
use crate::gateway::close::CloseCode;
use crate::gateway::frames_out::{self, SessionFacts};
use crate::gateway::{FromGateway, Gateway, ToSession};
use crate::model::SessionId;
use crate::relay::{Input, Notice, notice_bytes};

/// How often the server pings.
const PING_INTERVAL: Duration = Duration::from_secs(25);
/// How long one flush may take before the terminal counts as too slow.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Frames that are gathered for one flush.
const GATHER_FRAMES: usize = 128;
/// Written bytes that are reported to the core together, and frames.
const REPORT_BYTES: usize = 32 * 1024;
const REPORT_FRAMES: usize = 32;

/// Writes what the loop has until the session is to be closed. `None`: the connection is gone.
pub(super) async fn write_frames(
    gateway: &Gateway,
    id: SessionId,
    writer: &mut Writer,
    facts: &SessionFacts,
    mut written: Written,
    notices: &mut mpsc::Receiver<ToSession>,
    own_words: &mut mpsc::Receiver<String>,
) -> Option<CloseCode> {
    let mut pings = interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut next = notices.try_recv().ok();
    loop {
        let mut gathered = 0;
        while let Some(told) = next.take() {
            let frame = match told {
                ToSession::Close(code) => {
                    flush(writer).await.ok()?;
                    return Some(code);
                }
                ToSession::Notice(notice) => written.note(&notice, facts),
            };
            if let Err(ended) = within(writer.feed(frame)).await {
                return ended;
            }
            gathered += 1;
            if gathered < GATHER_FRAMES {
                next = notices.try_recv().ok();
            }
        }
        if let Err(ended) = within(writer.flush()).await {
            return ended;
        }
        if written.is_worth_a_report() {
            let Written { frames, bytes } = std::mem::take(&mut written);
            let report = || {
                FromGateway::Input(Input::Written {
                    session: id,
                    frames,
                    bytes,
                })
            };
            if !gateway.tell_loop(report).await {
                return None;
            }
        }
        tokio::select! {
            // Pings first: a terminal that is sent frames without end has to show that it lives, too.
            biased;
            _ = pings.tick() => {
                if let Err(ended) = within(writer.feed(Message::Ping(Bytes::new()))).await {
                    return ended;
                }
            }
            told = notices.next() => match told {
                // The loop gave the session up because its queue was full.
                None => return Some(CloseCode::TooSlow),
                told => next = told,
            },
            Some(text) = own_words.next() => {
                if let Err(ended) = within(writer.feed(Message::text(text))).await {
                    return ended;
                }
            }
        }
    }
}

/// What was written and not reported yet.
#[derive(Default)]
pub(super) struct Written {
    frames: usize,
    bytes: usize,
}

impl Written {
    /// The frame of a notice that is about to be written.
    pub(super) fn note(&mut self, notice: &Notice, facts: &SessionFacts) -> Message {
        self.frames += 1;
        self.bytes += notice_bytes(notice);
        Message::text(frames_out::encode(notice, facts))
    }

    fn is_worth_a_report(&self) -> bool {
        self.frames >= REPORT_FRAMES || self.bytes >= REPORT_BYTES
    }
}

/// A write that takes too long is a terminal that is too slow; one that fails is a terminal that is gone.
pub(super) async fn within(write: impl Future<Output = Result<(), Error>>) -> Result<(), Option<CloseCode>> {
    match timeout(WRITE_TIMEOUT, write).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(None),
        Err(_) => Err(Some(CloseCode::TooSlow)),
    }
}

async fn flush(writer: &mut Writer) -> Result<(), Option<CloseCode>> {
    within(writer.flush()).await
}
