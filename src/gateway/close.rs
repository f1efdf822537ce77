//! Why sessions are closed, as numbers (`docs/protocol.md`, close codes).

use crate::relay::CloseReason;

/// A close code of the protocol, with the words that go with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseCode {
    /// The terminal unlinked.
    Unlinked,
    /// The relay is going away.
    GoingAway,
    /// A frame was larger than the limit.
    TooLarge,
    /// Not the protocol: the first frame is no `link`, or a frame is no JSON object, or binary.
    NotTheProtocol,
    /// Credentials were refused too often, or ended.
    Denied,
    /// No `link` in time.
    NoLink,
    /// Another session has this terminal's name.
    Displaced,
    /// Too much was waiting to be written.
    TooSlow,
    /// The store or the relay cannot serve.
    Unavailable,
}

impl CloseCode {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Unlinked => 1000,
            Self::GoingAway => 1001,
            Self::TooLarge => 1009,
            Self::NotTheProtocol => 4400,
            Self::Denied => 4401,
            Self::NoLink => 4408,
            Self::Displaced => 4409,
            Self::TooSlow => 4429,
            Self::Unavailable => 4503,
        }
    }

    /// The words on the wire.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Unlinked => "unlinked",
            Self::GoingAway => "the server is going away",
            Self::TooLarge => "the frame is larger than the limit",
            Self::NotTheProtocol => "not the protocol",
            Self::Denied => "credentials refused or ended",
            Self::NoLink => "no link in time",
            Self::Displaced => "another session has this terminal name",
            Self::TooSlow => "too slow",
            Self::Unavailable => "not able to serve",
        }
    }
}

impl From<CloseReason> for CloseCode {
    fn from(reason: CloseReason) -> Self {
        match reason {
            CloseReason::Unlinked => Self::Unlinked,
            CloseReason::Displaced => Self::Displaced,
            CloseReason::TooSlow => Self::TooSlow,
        }
    }
}
