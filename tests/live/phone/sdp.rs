//! Session descriptions: one PCMU line, to be offered, held and resumed.

use std::sync::atomic::{AtomicU64, Ordering};

static NEXT_SESSION: AtomicU64 = AtomicU64::new(1);

/// This side of one call's media.
pub(super) struct Media {
    session: u64,
    version: u64,
    port: u16,
    held: bool,
}

impl Media {
    /// Media of a new call, to be received at `port` of this machine.
    pub(super) fn at(port: u16) -> Self {
        Self {
            session: NEXT_SESSION.fetch_add(1, Ordering::Relaxed),
            version: 0,
            port,
            held: false,
        }
    }

    /// From now on, descriptions put the other side on hold, or no longer.
    pub(super) fn set_held(&mut self, held: bool) {
        self.held = held;
    }

    /// An offer of what we want.
    pub(super) fn offer(&mut self) -> String {
        self.describe(if self.held { "sendonly" } else { "sendrecv" })
    }

    /// The answer to `offer`: what we want, as far as the offer lets us (RFC 3264, section 6.1). A hold of ours
    /// stays, whoever renegotiates. A request without a description asks for an offer instead.
    pub(super) fn answer(&mut self, offer: &[u8]) -> String {
        if offer.is_empty() {
            return self.offer();
        }
        let offer = String::from_utf8_lossy(offer);
        let offers = |direction| offer.lines().any(|line| line.trim_end() == direction);
        let they_send = !offers("a=recvonly") && !offers("a=inactive");
        let they_receive = !offers("a=sendonly") && !offers("a=inactive");
        self.describe(match (they_receive, they_send && !self.held) {
            (true, true) => "sendrecv",
            (true, false) => "sendonly",
            (false, true) => "recvonly",
            (false, false) => "inactive",
        })
    }

    fn describe(&mut self, direction: &str) -> String {
        self.version += 1;
        let Self {
            session,
            version,
            port,
            ..
        } = self;
        format!(
            "v=0\r\n\
             o=- {session} {version} IN IP4 127.0.0.1\r\n\
             s=-\r\n\
             c=IN IP4 127.0.0.1\r\n\
             t=0 0\r\n\
             m=audio {port} RTP/AVP 0\r\n\
             a=rtpmap:0 PCMU/8000\r\n\
             a={direction}\r\n"
        )
    }
}
