//! Audio, as far as it shows who talks with whom: on demand a leg calls out in an RTP packet, and whichever leg
//! hears that answers in one. A PBX that joins two PCMU legs passes the packets on as they are; one that mixes
//! or transcodes does not.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::timeout;

use super::locked;

/// What PCMU at 8 kHz fills in a packet's usual 20 ms.
const SAMPLES: u16 = 160;
const PACKET_TIME: Duration = Duration::from_millis(20);
const RTP_HEADER: usize = 12;
const SILENCE: u8 = 0xff;
const CALL: &[u8; 8] = b"anybody?";
const ANSWER: &[u8; 8] = b"speaking";

static NEXT_NUMBER: AtomicU64 = AtomicU64::new(1);

/// One leg's audio socket.
pub(super) struct Audio {
    socket: UdpSocket,
    tag: u64,
    peer: Mutex<Option<SocketAddr>>,
    packets: AtomicU16,
    /// The last call of ours that was answered, and by which leg.
    answered: watch::Sender<Option<(u64, u64)>>,
}

impl Audio {
    /// Binds a socket; to be called on the stack's runtime.
    pub(super) async fn bind() -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("a socket for audio")?;
        Ok(Self {
            socket,
            tag: NEXT_NUMBER.fetch_add(1, Ordering::Relaxed),
            peer: Mutex::default(),
            packets: AtomicU16::new(0),
            answered: watch::Sender::new(None),
        })
    }

    /// The port to name in a session description.
    pub(super) fn port(&self) -> Result<u16> {
        Ok(self.socket.local_addr()?.port())
    }

    /// Sends to where `description` of the other side wants it, if it says.
    pub(super) fn follow(&self, description: &[u8]) {
        let description = String::from_utf8_lossy(description);
        let value = |key| {
            description
                .lines()
                .find_map(|line| line.strip_prefix(key)?.split(' ').next())
        };
        let host = value("c=IN IP4 ").and_then(|host| host.trim_end().parse::<Ipv4Addr>().ok());
        let port = value("m=audio ").and_then(|port| port.parse::<u16>().ok());
        if let (Some(host), Some(port)) = (host, port) {
            *locked(&self.peer) = Some((host, port).into());
        }
    }

    /// Calls out until `other` answers; forever if it never does.
    pub(super) async fn reach(&self, other: &Self) -> Result<()> {
        let call = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut answers = self.answered.subscribe();
        loop {
            self.say(CALL, call, self.tag).await?;
            let answer = answers.wait_for(|answer| *answer == Some((call, other.tag)));
            if timeout(PACKET_TIME, answer).await.is_ok() {
                return Ok(());
            }
        }
    }

    /// Answers the calls it hears.
    pub(super) async fn listen(&self) -> Result<()> {
        let mut packet = [0; 2048];
        loop {
            let length = self.socket.recv(&mut packet).await?;
            let Some(payload) = packet[..length].get(RTP_HEADER..) else {
                continue;
            };
            let Some((word, [call, tag])) = parse(payload) else {
                continue;
            };
            if word == CALL {
                self.say(ANSWER, call, self.tag).await?;
            } else if word == ANSWER {
                self.answered.send_replace(Some((call, tag)));
            }
        }
    }

    async fn say(&self, word: &[u8; 8], call: u64, tag: u64) -> Result<()> {
        let Some(peer) = *locked(&self.peer) else {
            return Ok(());
        };
        let sequence = self.packets.fetch_add(1, Ordering::Relaxed);
        // Version 2, payload type 0 (RFC 3550, section 5.1).
        let mut packet = vec![0x80, 0];
        packet.extend(sequence.to_be_bytes());
        packet.extend((u32::from(sequence) * u32::from(SAMPLES)).to_be_bytes());
        packet.extend(&self.tag.to_be_bytes()[4..]);
        packet.extend(word);
        packet.extend(call.to_be_bytes());
        packet.extend(tag.to_be_bytes());
        packet.resize(RTP_HEADER + usize::from(SAMPLES), SILENCE);
        self.socket.send_to(&packet, peer).await?;
        Ok(())
    }
}

fn parse(payload: &[u8]) -> Option<(&[u8; 8], [u64; 2])> {
    let (word, rest) = payload.split_first_chunk::<8>()?;
    let (call, rest) = rest.split_first_chunk::<8>()?;
    let (tag, _) = rest.split_first_chunk::<8>()?;
    Some((word, [u64::from_be_bytes(*call), u64::from_be_bytes(*tag)]))
}
