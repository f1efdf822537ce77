//! A WebSocket with a protocol on it: what is said and heard, whatever the protocol.

use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use futures::stream::{SplitSink, SplitStream};
use futures::{FutureExt as _, SinkExt as _, StreamExt as _};
use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// What a connection keeps for reading; the library's default would be 128 KiB for each.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// Frames that are ready together leave together.
const WRITE_BUFFER_BYTES: usize = 16 * 1024;
/// Digits of a stamp at the beginning of a body.
pub(crate) const STAMP_DIGITS: usize = 20;

/// Something that a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A message of ours was accepted.
    Accepted,
    /// A message of ours was refused.
    Refused,
    /// A message for us: what it is acknowledged by, and the stamp in it.
    Arrived { place: u64, stamp: u64 },
    /// A message of ours was acknowledged by its receiver.
    Acknowledged,
}

/// The words of a protocol.
pub(crate) trait Talk: Send {
    /// A message with this body.
    fn publish(&mut self, body: &Body, stamp: u64) -> Message;

    /// The messages at these places were received, all before them too.
    fn acknowledge(&mut self, places: &[u64]) -> Message;

    /// How many of so many acknowledgements count as heard by the server once they were written. None of a
    /// protocol in which the server tells the sender.
    fn acknowledged_by_writing(&self, places: usize) -> u64;
}

/// The ears of a protocol.
pub(crate) trait Hear: Send {
    /// Adds what this says. Part of it may have come before, or may come later.
    fn hear(&mut self, message: Message, events: &mut Vec<Event>) -> anyhow::Result<()>;
}

/// Bodies of one size, with a stamp at their beginning.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    /// What follows the stamp.
    filler: String,
}

impl Body {
    /// Of so many bytes as JSON, quotes included.
    pub(crate) fn of_bytes(bytes: u32) -> Self {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        Self {
            filler: "x".repeat(bytes.saturating_sub(STAMP_DIGITS + 2)),
        }
    }

    /// The body as JSON.
    pub(crate) fn json(&self, stamp: u64) -> String {
        format!("\"{stamp:0STAMP_DIGITS$}{}\"", self.filler)
    }
}

/// The stamp of a body, without its quotes.
pub(crate) fn stamp(body: &str) -> anyhow::Result<u64> {
    let digits = body.get(..STAMP_DIGITS).context("a body that is none of ours")?;
    Ok(digits.parse()?)
}

pub(crate) type Socket = WebSocketStream<TcpStream>;

/// Where to connect, and how.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) server: SocketAddr,
    pub(crate) path: String,
    pub(crate) subprotocol: &'static str,
}

/// What a connection lets the other side send that nobody has read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Intake {
    /// Bytes that our kernel keeps.
    pub(crate) buffer_bytes: u32,
    /// The largest segment, after which the other side's kernel sizes what it keeps.
    pub(crate) segment_bytes: u32,
}

/// Opens a WebSocket.
pub(crate) async fn connect(address: &Address, intake: Option<Intake>) -> anyhow::Result<Socket> {
    let socket = TcpSocket::new_v4()?;
    if let Some(intake) = intake {
        socket.set_recv_buffer_size(intake.buffer_bytes)?;
        SockRef::from(&socket).set_tcp_mss(intake.segment_bytes)?;
    }
    let stream = socket.connect(address.server).await?;
    stream.set_nodelay(true)?;
    let mut request = format!("ws://{}{}", address.server, address.path).into_client_request()?;
    let offer = HeaderValue::from_static(address.subprotocol);
    request.headers_mut().insert("sec-websocket-protocol", offer);
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES);
    let (socket, _) = Box::pin(client_async_with_config(request, stream, Some(config))).await?;
    Ok(socket)
}

/// Both directions of a connection.
pub(crate) struct Line {
    pub(crate) speaker: Speaker,
    pub(crate) listener: Listener,
}

impl Line {
    pub(crate) fn new(socket: Socket, talk: impl Talk + 'static, hear: impl Hear + 'static) -> Self {
        let (sink, stream) = socket.split();
        Self {
            speaker: Speaker {
                sink,
                talk: Box::new(talk),
            },
            listener: Listener {
                stream,
                hear: Box::new(hear),
                events: Vec::new(),
            },
        }
    }
}

/// The direction to the server.
pub(crate) struct Speaker {
    sink: SplitSink<Socket, Message>,
    talk: Box<dyn Talk>,
}

impl Speaker {
    /// Has a message leave with the next [`Speaker::flush`].
    pub(crate) async fn publish(&mut self, body: &Body, stamp: u64) -> Result<(), Error> {
        let message = self.talk.publish(body, stamp);
        self.sink.feed(message).await
    }

    /// Acknowledges what is at these places. Gives back how many the server has heard of by that.
    pub(crate) async fn acknowledge(&mut self, places: &[u64]) -> Result<u64, Error> {
        let message = self.talk.acknowledge(places);
        self.sink.send(message).await?;
        Ok(self.talk.acknowledged_by_writing(places.len()))
    }

    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        self.sink.flush().await
    }
}

/// The direction from the server.
pub(crate) struct Listener {
    stream: SplitStream<Socket>,
    hear: Box<dyn Hear>,
    events: Vec<Event>,
}

impl Listener {
    /// What the server says next: at least one event, and all that is there.
    pub(crate) async fn listen(&mut self) -> anyhow::Result<&[Event]> {
        self.events.clear();
        while self.events.is_empty() {
            let message = self.stream.next().await;
            self.take(message)?;
            while let Some(message) = self.stream.next().now_or_never() {
                self.take(message)?;
            }
        }
        Ok(&self.events)
    }

    fn take(&mut self, message: Option<Result<Message, Error>>) -> anyhow::Result<()> {
        match message {
            Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                self.hear.hear(message, &mut self.events)
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(()),
            Some(Ok(Message::Close(frame))) => bail!("the server closed the connection: {frame:?}"),
            Some(Err(error)) => Err(error.into()),
            None => bail!("the connection is gone"),
        }
    }
}
