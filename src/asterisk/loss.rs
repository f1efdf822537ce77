//! Why there is no connection.

use std::time::Duration;

use tokio_tungstenite::tungstenite;

use super::ami::decoder::DecodeError;
use super::ari::translate::TranslationError;

/// Bytes of one answer at the most. A channel takes about 600.
pub(super) const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes that may wait to be translated.
pub(super) const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Why a connection could not be made, or is gone. Its text is for the operator: it names the user
/// and what to look at, and holds no password and no phone number.
#[derive(Debug, thiserror::Error)]
pub enum Loss {
    /// `url` of the `[[pbx]]` is no address to connect to, or the user name cannot be sent.
    #[error("`url`, `username` or `password` cannot be used: {0}")]
    Settings(String),
    /// The HTTP client could not be made.
    #[error("the HTTP client cannot be made: {0}")]
    Client(#[source] reqwest::Error),
    /// Asterisk does not accept the credentials.
    #[error(
        "{request}: Asterisk refused the user `{username}` ({status}); name and password must be those of a \
         `type = user` section of ari.conf, without `read_only = yes`"
    )]
    Denied {
        /// What was asked for.
        request: &'static str,
        /// As whom.
        username: String,
        /// 401 or 403.
        status: u16,
    },
    /// There is nothing there.
    #[error(
        "{request}: not found (404); is ARI enabled in ari.conf and http.conf, and does `url` end in /ari?"
    )]
    NotFound {
        /// What was asked for.
        request: &'static str,
    },
    /// Asterisk cannot or will not.
    #[error("{request}: Asterisk answered {status}")]
    Status {
        /// What was asked for.
        request: &'static str,
        /// The HTTP status.
        status: u16,
    },
    /// Nothing came in time.
    #[error("{request}: no answer within {wait:?}")]
    NoAnswer {
        /// What was asked for.
        request: &'static str,
        /// How long it was waited for.
        wait: Duration,
    },
    /// The request could not be made, or its answer not be read.
    #[error("{request}: {reason}")]
    Failed {
        /// What was asked for.
        request: &'static str,
        /// What went wrong.
        reason: String,
    },
    /// The answer is too much.
    #[error("{request}: the answer is larger than {ANSWER_BYTES_MAX} bytes")]
    AnswerTooLarge {
        /// What was asked for.
        request: &'static str,
    },
    /// The connection failed, or none could be made.
    #[error("the connection to the manager broke, or cannot be made: {0}")]
    Io(#[from] std::io::Error),
    /// Whoever answers does not greet as Asterisk does.
    #[error(
        "whoever answers there is no Asterisk manager; `url` has to name the `bindaddr` and `port` of manager.conf"
    )]
    NoManager,
    /// Asterisk's manager does not accept the credentials.
    #[error(
        "Asterisk refused the manager account `{username}`; name and password must be those of a section of \
         manager.conf, and its `permit` has to let this machine in"
    )]
    LoginRefused {
        /// As whom.
        username: String,
    },
    /// Asterisk's manager will not do what it was asked.
    #[error("{request}: Asterisk refused ({reason}); see `read` and `write` of the account in manager.conf")]
    Refused {
        /// The action.
        request: &'static str,
        /// What it said.
        reason: String,
    },
    /// What the manager sends is not AMI.
    #[error("what the manager sends cannot be read: {0}")]
    Undecodable(#[from] DecodeError),
    /// The answer is not what it should be.
    #[error(transparent)]
    Answer(#[from] TranslationError),
    /// Asterisk closed the connection; a WebSocket with or without a close frame.
    #[error("Asterisk closed the connection")]
    Closed,
    /// The WebSocket failed.
    #[error("the WebSocket broke: {0}")]
    Broken(#[source] Box<tungstenite::Error>),
    /// Neither an event nor a pong came in time.
    #[error("nothing was heard for {0:?}")]
    Silent(Duration),
    /// More messages waited than the queue holds.
    #[error("more than {0} messages, or {QUEUE_BYTES_MAX} bytes, were waiting to be translated")]
    Overflow(usize),
    /// What Asterisk does not say, and its own picture shows.
    #[error(
        "Asterisk keeps leaving out events; it may have forgotten the subscription of ARI, or the account of AMI has no \
         `read = call`"
    )]
    EventsMissing,
    /// The other interface was lost, and had not been heard any more when this one connected.
    #[error("for a while the PBX was heard over neither of its interfaces")]
    Gap,
    /// The running comparison's questions are not answered, though the connection is open.
    #[error("{failures} questions in a row were not answered, the last one: {last}")]
    Unanswered {
        /// How many.
        failures: u32,
        /// What became of the last one.
        last: Box<Loss>,
    },
    /// Another WebSocket took the application over.
    #[error(
        "another listener connected with the ARI application name `{app}`; every callrelay needs an `app` of \
         its own"
    )]
    Replaced {
        /// The application.
        app: String,
    },
}

impl From<tungstenite::Error> for Loss {
    fn from(error: tungstenite::Error) -> Self {
        Self::Broken(Box::new(error))
    }
}
