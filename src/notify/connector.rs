//! One PBX of `kind = "notify"`: what is posted for it goes to the tracker.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot};

use super::line::Notification;
use super::switchboard::Switchboard;
use crate::clock::Clock;
use crate::model::PbxName;
use crate::pbx::{PbxNews, PbxReport};

/// Posts that may wait for the connector; whoever posts waits beyond that.
const POST_QUEUE: usize = 64;

/// What came of a post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// Lines that were taken in, from the first.
    pub accepted: usize,
    /// The line that could not be, if there was one. Those after it were not looked at.
    pub refused: Option<RefusedLine>,
}

/// A line that could not be taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedLine {
    /// Its number in the post, from 1.
    pub number: usize,
    /// Why.
    pub reason: String,
}

/// Where notifications of one PBX are posted.
#[derive(Clone, Debug)]
pub struct NotifyPort {
    token: [u8; 32],
    posts: mpsc::Sender<Post>,
}

#[derive(Debug)]
struct Post {
    text: String,
    reply: oneshot::Sender<Posted>,
}

impl NotifyPort {
    /// Whether this is the PBX's bearer token.
    #[must_use]
    pub fn admits(&self, token: &str) -> bool {
        // Digests differ everywhere if tokens differ anywhere, so the time this takes tells nothing.
        digest(token) == self.token
    }

    /// Takes in the lines. `None`: the relay is stopping, and nobody knows how many of them counted.
    pub async fn post(&self, text: String) -> Option<Posted> {
        let (reply, posted) = oneshot::channel();
        self.posts.send(Post { text, reply }).await.ok()?;
        posted.await.ok()
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Takes in what is posted, one post at a time.
#[derive(Debug)]
pub struct Connector {
    pbx: PbxName,
    switchboard: Switchboard,
    clock: Clock,
    posts: mpsc::Receiver<Post>,
}

impl Connector {
    /// A connector for this PBX, and where to post for it.
    #[must_use]
    pub fn new(
        pbx: PbxName,
        token: &SecretString,
        switchboard: Switchboard,
        clock: Clock,
    ) -> (Self, NotifyPort) {
        let (queue, posts) = mpsc::channel(POST_QUEUE);
        let port = NotifyPort {
            token: digest(token.expose_secret()),
            posts: queue,
        };
        let connector = Self {
            pbx,
            switchboard,
            clock,
            posts,
        };
        (connector, port)
    }

    /// Runs until the relay stops.
    pub async fn run(mut self, reports: mpsc::Sender<PbxReport>) {
        // Nobody has to be asked: what stands is what was notified.
        let known = PbxNews::Known {
            since: self.clock.now(),
            snapshot: self.switchboard.snapshot(),
            meanwhile: Vec::new(),
        };
        if !self.report(&reports, known).await {
            return;
        }
        while let Some(post) = self.posts.recv().await {
            let Some(posted) = self.take(&reports, &post.text).await else {
                return;
            };
            // Whoever posted may have gone away; what was posted counts.
            let _ = post.reply.send(posted);
        }
    }

    /// The answer is given when the loop's queue has everything, so that what is asked for afterwards knows it.
    async fn take(&mut self, reports: &mpsc::Sender<PbxReport>, text: &str) -> Option<Posted> {
        let mut accepted = 0;
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            let taken = match Notification::parse(line) {
                Ok(notification) => self
                    .switchboard
                    .take(notification)
                    .map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            let events = match taken {
                Ok(events) => events,
                Err(reason) => {
                    let number = index + 1;
                    let refused = Some(RefusedLine { number, reason });
                    return Some(Posted { accepted, refused });
                }
            };
            if !events.is_empty() && !self.report(reports, PbxNews::AtOnce(events)).await {
                return None;
            }
            accepted += 1;
        }
        Some(Posted {
            accepted,
            refused: None,
        })
    }

    async fn report(&self, reports: &mpsc::Sender<PbxReport>, news: PbxNews) -> bool {
        let report = PbxReport {
            pbx: self.pbx.clone(),
            at: self.clock.now(),
            news,
        };
        reports.send(report).await.is_ok()
    }
}
