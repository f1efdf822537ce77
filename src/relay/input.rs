//! What happened: the core's input.

use crate::model::{Body, CallId, Epoch, FileId, PbxName, Phone, SessionId, TerminalName};
use crate::tracker::Conclusion;

use super::effect::{ReadRequest, Write};
use super::record::StoredMessage;

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// The tracker of a PBX concluded something.
    Concluded {
        /// Which PBX.
        pbx: PbxName,
        /// What.
        conclusion: Conclusion,
    },
    /// A PBX is out of sight.
    PbxLost(PbxName),
    /// A PBX is in sight again and was compared.
    PbxFound(PbxName),
    /// A terminal whose credentials were checked wants to be linked.
    Link {
        /// Its session.
        session: SessionId,
        /// What it asked for.
        request: LinkRequest,
    },
    /// A terminal wants its session to end.
    Unlink(SessionId),
    /// A session's connection is gone.
    Closed(SessionId),
    /// A terminal sends a message.
    Send {
        /// Its session.
        session: SessionId,
        /// The message.
        request: SendRequest,
    },
    /// A terminal has received everything up to this row.
    Ack {
        /// Its session.
        session: SessionId,
        /// The call.
        call: CallId,
        /// The mailbox, for those who say so: a phone that left a call and came again has another one there.
        epoch: Option<Epoch>,
        /// The row.
        seq: u64,
    },
    /// Frames were written to a terminal.
    Written {
        /// Its session.
        session: SessionId,
        /// How many.
        frames: usize,
        /// How large, by [`super::notice_bytes`].
        bytes: usize,
    },
    /// The store has everything up to this row number, safe against a power cut.
    Committed {
        /// The highest row number that was committed.
        row: u64,
    },
    /// The store could not write. Nothing of this is stored.
    StoreFailed {
        /// All writes that were asked for and not committed, in order.
        unwritten: Vec<Write>,
    },
    /// The store is broken, and the process ends. Whether what was under way is stored is not known.
    StoreBroke {
        /// The first row that the store was never handed: what is from there on is not stored.
        unsubmitted: u64,
    },
    /// Bodies that were asked for. Those that are gone meanwhile are missing.
    RowsRead {
        /// The request.
        request: ReadRequest,
        /// The messages, in the order of the request.
        messages: Vec<StoredMessage>,
    },
    /// Time passed.
    Tick,
}

/// A link whose credentials were checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRequest {
    /// The phone it is to be tied to.
    pub phone: Phone,
    /// The terminal's name.
    pub terminal: TerminalName,
    /// Stay linked although the phone is in no call.
    pub wait: bool,
    /// The position the terminal has.
    pub resume: Option<Resume>,
    /// What to hand over if it has none.
    pub replay: Replay,
}

/// A position in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// Which mailbox.
    pub epoch: Epoch,
    /// Every row up to this one arrived.
    pub seq: u64,
}

/// What a terminal without a position is handed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replay {
    /// What it, or its phone, has not acknowledged.
    #[default]
    Unread,
    /// Everything there is.
    All,
}

/// A message as a terminal sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendRequest {
    /// The sender's reference: the same one again is the same message.
    pub reference: String,
    /// What is written.
    pub body: Body,
    /// What kind of body it is.
    pub kind: String,
    /// Replaces what this phone sent with the same key, for whoever has not received that.
    pub key: Option<String>,
    /// Only for who is connected now; not stored.
    pub transient: bool,
    /// Which call it goes to, if not the obvious one.
    pub call: Option<CallId>,
    /// The file that it names, if it does.
    pub file: Option<FileId>,
}
