//! The network side: terminals' WebSockets, HTTP routes, and the operator's listener.
//!
//! ```text
//! terminal ──▶ server (accept, limits) ──▶ routes ──▶ session ──▶ FromGateway ──▶ the loop
//!          ◀──────────────────────────────────────── frames_out ◀── ToSession ◀──┘
//! ```
//!
//! A session checks credentials and takes frames apart; what they mean is the core's business. The
//! gateway knows the core's inputs and notices, and neither PBXs nor the store.

mod admin;
mod app;
mod auth;
mod close;
#[cfg(feature = "echo")]
mod echo;
mod files;
mod frames_in;
mod frames_out;
mod notify;
mod origin;
mod places;
mod poll;
mod problem;
mod readable;
mod refusals;
mod routes;
mod server;
mod session;
mod spec;
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{mpsc, oneshot, watch};

pub use admin::{Facts, Health, PbxCounts, PbxFacts, Readiness, serve_admin};
pub use app::BrowserSettings;
pub use auth::Authenticator;
pub use close::{CloseCode, Return};
#[doc(hidden)]
pub use frames_in::understood;
pub use refusals::{Cause, Refusals};
pub use server::{Listening, serve_terminals};
pub use spec::{asyncapi, openapi};

use crate::files::Folder;
use crate::model::{CallId, FileId, PbxName, Phone, SessionId};
use crate::notify::NotifyPort;
use crate::relay::record::FileRecord;
use crate::relay::{CallList, Input, LinkList, Notice, SendRefusal, UploadPlace, Wanted};

/// What the gateway has for the loop.
#[derive(Debug)]
pub enum FromGateway {
    /// A session that is about to be linked can be told things here.
    Opened {
        /// Which.
        session: SessionId,
        /// Its queue.
        queue: SessionQueue,
    },
    /// Something happened to a session.
    Input(Input),
    /// Several things happened to a session, in this order.
    Inputs(Vec<Input>),
    /// The operator wants to know who talks.
    Calls(Wanted, oneshot::Sender<CallList>),
    /// The operator wants to know who is linked.
    Links(Wanted, oneshot::Sender<LinkList>),
    /// The operator wants to know how much is kept.
    Kept(oneshot::Sender<Kept>),
    /// Somebody is about to upload a file.
    PlaceForUpload {
        /// Who.
        phone: Phone,
        /// Into which call, if not the obvious one.
        call: Option<CallId>,
        /// Where to, or why not.
        reply: oneshot::Sender<Result<UploadPlace, SendRefusal>>,
    },
    /// A file was uploaded, and its bytes are safe.
    Uploaded {
        /// The file.
        record: FileRecord,
        /// Whether it is known now, also after a crash.
        reply: oneshot::Sender<()>,
    },
    /// Somebody wants to read a file.
    FindFile {
        /// Who.
        phone: Phone,
        /// Which.
        file: FileId,
        /// The file, if there is one that this phone may read.
        reply: oneshot::Sender<Option<FileRecord>>,
    },
    /// Somebody wants to know when everything before this was taken in and told, rows from the store included.
    Barrier(oneshot::Sender<()>),
    /// Somebody wants to know when what was taken in before this is safe. No answer: it could not be written.
    Safe(oneshot::Sender<()>),
}

/// How much is kept at the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Mailboxes, those of ended calls that linger included.
    pub mailboxes: usize,
    /// Channels and bridges that are known of each PBX.
    pub pbxs: BTreeMap<PbxName, (usize, usize)>,
}

/// What the loop has for a session.
#[derive(Debug)]
pub enum ToSession {
    /// Tell the terminal.
    Notice(Notice),
    /// Close the session.
    Close(CloseCode),
}

/// What the loop has for one session, in order. Takes no room for what is not there: most sessions are idle.
pub type SessionQueue = futures::channel::mpsc::Sender<ToSession>;

/// Notices that may wait for a session's task. The core keeps far fewer under way, so a full queue
/// is a terminal that is too slow.
pub const SESSION_QUEUE: usize = 2_048;

/// What every session needs.
#[derive(Debug)]
pub struct Gateway {
    to_loop: mpsc::Sender<FromGateway>,
    authenticator: Authenticator,
    settings: Settings,
    notify: BTreeMap<PbxName, NotifyPort>,
    polls: poll::Polls,
    uploads: files::Uploads,
    refusals: Arc<Refusals>,
    next_session: AtomicU64,
    stopping: watch::Receiver<bool>,
}

/// How the gateway is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Origins of other sites whose pages may connect.
    pub allowed_origins: Vec<String>,
    /// Bytes of one frame.
    pub frame_bytes_max: usize,
    /// Connections at a time, sessions included.
    pub connections_max: usize,
    /// Those from one address.
    pub connections_per_address_max: usize,
    /// Bytes of one uploaded file.
    pub file_bytes_max: u64,
    /// Where uploaded files are.
    pub folder: Folder,
    /// What the browser terminal is told.
    pub browser: BrowserSettings,
}

impl Settings {
    /// Room for a body of the largest size, and for the frame around it. A body that is too large by
    /// less than this is refused by name (`too_large`); a larger frame closes the session (1009).
    #[must_use]
    pub fn frame_bytes_max(body_bytes_max: usize) -> usize {
        body_bytes_max.saturating_mul(4).max(64 * 1024)
    }
}

impl Gateway {
    /// A gateway that reports to the loop, hands lines that are posted for a PBX to its port, and notes which links it
    /// refused. When `stopping` becomes true, sessions are closed.
    #[must_use]
    pub fn new(
        to_loop: mpsc::Sender<FromGateway>,
        authenticator: Authenticator,
        settings: Settings,
        notify: BTreeMap<PbxName, NotifyPort>,
        refusals: Arc<Refusals>,
        stopping: watch::Receiver<bool>,
    ) -> Arc<Self> {
        Arc::new(Self {
            to_loop,
            authenticator,
            settings,
            notify,
            polls: poll::Polls::default(),
            uploads: files::Uploads::default(),
            refusals,
            next_session: AtomicU64::new(1),
            stopping,
        })
    }

    /// Hands the loop something. `false`: the relay ends.
    ///
    /// It is made when there is room for it, so that whoever waits need not keep it in its own state.
    async fn tell_loop(&self, event: impl FnOnce() -> FromGateway) -> bool {
        match self.to_loop.reserve().await {
            Ok(place) => {
                place.send(event());
                true
            }
            Err(_) => false,
        }
    }

    fn new_session(&self) -> SessionId {
        SessionId(self.next_session.fetch_add(1, Ordering::Relaxed))
    }
}
