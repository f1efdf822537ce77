//! Control packets as bytes (MQTT 3.1.1 §2 and §3).

use anyhow::{Context as _, bail, ensure};

const CONNECT: u8 = 1;
const CONNACK: u8 = 2;
const PUBLISH: u8 = 3;
const PUBACK: u8 = 4;
const SUBSCRIBE: u8 = 8;
const SUBACK: u8 = 9;
/// The flags that `SUBSCRIBE` has to have.
const SUBSCRIBE_FLAGS: u8 = 0b0010;
/// The flag of `PUBLISH` for QoS 1, and the bits of its QoS.
const QOS_1: u8 = 0b0010;
const QOS_BITS: u8 = 0b0110;
/// The version in `CONNECT`, and its flags that a name and a password follow.
const VERSION: u8 = 4;
const NAME_AND_PASSWORD: u8 = 0b1100_0000;

/// A packet of a broker.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet {
    Connack {
        code: u8,
    },
    Suback {
        granted: u8,
    },
    /// `id` is 0 of a message with QoS 0, which has none.
    Publish {
        id: u16,
        payload: Vec<u8>,
    },
    Puback,
    /// Its type.
    Other(u8),
}

/// `CONNECT` without a keep-alive, to a session that persists. With a password, the client's id is its name, too.
pub(super) fn connect(client: &str, password: Option<&str>) -> Vec<u8> {
    let mut body = string("MQTT");
    // Not: a clean session. Keep-alive: none.
    let flags = if password.is_some() { NAME_AND_PASSWORD } else { 0 };
    body.extend([VERSION, flags, 0, 0]);
    body.extend(string(client));
    if let Some(password) = password {
        body.extend(string(client));
        body.extend(string(password));
    }
    packet(CONNECT << 4, &body)
}

/// `SUBSCRIBE` to a topic with QoS 1.
pub(super) fn subscribe(id: u16, topic: &str) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    body.extend(string(topic));
    body.push(1);
    packet(SUBSCRIBE << 4 | SUBSCRIBE_FLAGS, &body)
}

/// `PUBLISH` with QoS 1.
pub(super) fn publish(id: u16, topic: &str, payload: &[u8]) -> Vec<u8> {
    let mut body = string(topic);
    body.extend(id.to_be_bytes());
    body.extend(payload);
    packet(PUBLISH << 4 | QOS_1, &body)
}

/// `PUBACK`s, one after the other.
pub(super) fn pubacks(ids: impl Iterator<Item = u16>) -> Vec<u8> {
    ids.flat_map(|id| packet(PUBACK << 4, &id.to_be_bytes()))
        .collect()
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut left = body.len();
    // The length, seven bits a byte, the lowest first.
    loop {
        let digit = u8::try_from(left & 0x7f).unwrap_or_default();
        left >>= 7;
        bytes.push(if left > 0 { digit | 0x80 } else { digit });
        if left == 0 {
            break;
        }
    }
    bytes.extend(body);
    bytes
}

/// A text with its length; the texts here are short.
fn string(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes
}

/// Packets out of a stream of bytes, however it is cut.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    bytes: Vec<u8>,
    /// How much of it has been read.
    read: usize,
}

impl Decoder {
    /// More bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.read);
        self.read = 0;
        self.bytes.extend(bytes);
    }

    /// The next packet, if all of it is there.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Packet>> {
        let bytes = &self.bytes[self.read..];
        let Some((first, rest)) = bytes.split_first() else {
            return Ok(None);
        };
        let Some((length, digits)) = length(rest)? else {
            return Ok(None);
        };
        let Some(body) = rest.get(digits..digits + length) else {
            return Ok(None);
        };
        let packet = parse(*first, body)?;
        self.read += 1 + digits + length;
        Ok(Some(packet))
    }
}

/// The length of a packet, and in how many bytes it is told.
fn length(bytes: &[u8]) -> anyhow::Result<Option<(usize, usize)>> {
    let mut length = 0;
    for (index, byte) in bytes.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((length, index + 1)));
        }
    }
    ensure!(bytes.len() < 4, "a length of more than four bytes");
    Ok(None)
}

fn parse(first: u8, body: &[u8]) -> anyhow::Result<Packet> {
    Ok(match first >> 4 {
        CONNACK => Packet::Connack {
            code: *body.get(1).context("CONNACK is cut off")?,
        },
        SUBACK => Packet::Suback {
            granted: *body.get(2).context("SUBACK is cut off")?,
        },
        PUBACK => Packet::Puback,
        PUBLISH => {
            let (topic, rest) = body.split_first_chunk::<2>().context("PUBLISH is cut off")?;
            let topic = usize::from(u16::from_be_bytes(*topic));
            let rest = rest.get(topic..).context("PUBLISH is cut off")?;
            match first & QOS_BITS {
                0 => Packet::Publish {
                    id: 0,
                    payload: rest.to_vec(),
                },
                QOS_1 => {
                    let (id, payload) = rest.split_first_chunk::<2>().context("PUBLISH is cut off")?;
                    Packet::Publish {
                        id: u16::from_be_bytes(*id),
                        payload: payload.to_vec(),
                    }
                }
                _ => bail!("a message with QoS 2"),
            }
        }
        other => Packet::Other(other),
    })
}
