//! The same pairs on an MQTT broker, over WebSocket, with QoS 1 and sessions that persist.
//!
//! Only what that takes of MQTT 3.1.1
//! (<https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/os/mqtt-v3.1.1-os.html>).

mod packet;

use anyhow::{Context as _, bail, ensure};
use futures::SinkExt as _;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio_tungstenite::tungstenite::Message;

use crate::line::{self, Address, Body, Event, Hear, Line, Socket, Talk};
use packet::{Decoder, Packet};

/// Clients that connect at the same time.
const CONNECTING: usize = 16;
/// The packet of the only subscription.
const SUBSCRIPTION: u16 = 1;

/// Where a broker is, and what it wants to know.
pub(crate) struct Broker<'a> {
    address: Address,
    password: Option<&'a str>,
}

impl<'a> Broker<'a> {
    /// From `ws://127.0.0.1:8083/mqtt`.
    pub(crate) fn at(url: &str, password: Option<&'a str>) -> anyhow::Result<Self> {
        let rest = url
            .strip_prefix("ws://")
            .context("a URL that begins with ws://")?;
        let (server, path) = rest.split_once('/').unwrap_or((rest, ""));
        let address = Address {
            server: server
                .parse()
                .context("an address with its port, as 127.0.0.1:8083")?,
            path: format!("/{path}"),
            subprotocol: "mqtt",
        };
        Ok(Self { address, password })
    }
}

/// So many pairs, each with a topic of its own.
pub(crate) async fn pairs(broker: &Broker<'_>, pairs: u32, run: &str) -> anyhow::Result<Vec<(Line, Line)>> {
    stream::iter((0..pairs).map(|pair| pair_of(broker, run, pair)))
        .buffered(CONNECTING)
        .try_collect()
        .await
}

async fn pair_of(broker: &Broker<'_>, run: &str, pair: u32) -> anyhow::Result<(Line, Line)> {
    let topic = format!("bench/{run}/{pair}");
    let mut receiver = connect(broker, &format!("receiver-{run}-{pair}")).await?;
    let subscribe = packet::subscribe(SUBSCRIPTION, &topic);
    receiver.0.send(Message::binary(subscribe)).await?;
    let granted = answer(&mut receiver).await?;
    ensure!(granted == Packet::Suback { granted: 1 }, "not QoS 1: {granted:?}");
    let sender = connect(broker, &format!("sender-{run}-{pair}")).await?;
    let line = |(socket, decoder)| {
        let words = Words {
            topic: topic.clone(),
            last: 0,
        };
        Line::new(socket, words, Ears { decoder })
    };
    Ok((line(sender), line(receiver)))
}

async fn connect(broker: &Broker<'_>, client: &str) -> anyhow::Result<(Socket, Decoder)> {
    let mut socket = line::connect(&broker.address, None).await?;
    let packet = packet::connect(client, broker.password);
    socket.send(Message::binary(packet)).await?;
    let mut client = (socket, Decoder::default());
    let let_in = answer(&mut client).await?;
    ensure!(
        let_in == Packet::Connack { code: 0 },
        "the broker refused: {let_in:?}"
    );
    Ok(client)
}

async fn answer((socket, decoder): &mut (Socket, Decoder)) -> anyhow::Result<Packet> {
    loop {
        if let Some(packet) = decoder.next()? {
            return Ok(packet);
        }
        let message = socket.next().await.context("the connection is gone")??;
        decoder.push(&message.into_data());
    }
}

struct Words {
    topic: String,
    /// The id of the last message. They are used again when they have all been used.
    last: u16,
}

impl Talk for Words {
    fn publish(&mut self, body: &Body, stamp: u64) -> Message {
        self.last = self.last.checked_add(1).unwrap_or(1);
        let payload = body.json(stamp);
        Message::binary(packet::publish(self.last, &self.topic, payload.as_bytes()))
    }

    fn acknowledge(&mut self, places: &[u64]) -> Message {
        let ids = places.iter().filter_map(|place| u16::try_from(*place).ok());
        Message::binary(packet::pubacks(ids))
    }

    fn acknowledged_by_writing(&self, places: usize) -> u64 {
        places as u64
    }
}

struct Ears {
    decoder: Decoder,
}

impl Hear for Ears {
    fn hear(&mut self, message: Message, events: &mut Vec<Event>) -> anyhow::Result<()> {
        self.decoder.push(&message.into_data());
        while let Some(packet) = self.decoder.next()? {
            match packet {
                Packet::Puback => events.push(Event::Accepted),
                Packet::Publish { id, payload } => {
                    let text = std::str::from_utf8(&payload)?;
                    ensure!(id > 0, "a message without an id: not QoS 1");
                    events.push(Event::Arrived {
                        place: id.into(),
                        stamp: line::stamp(text.trim_start_matches('"'))?,
                    });
                }
                Packet::Connack { .. } | Packet::Suback { .. } | Packet::Other(_) => {
                    bail!("not expected: {packet:?}")
                }
            }
        }
        Ok(())
    }
}
