//! The WebSocket. The task that reads it does nothing else: what it reads it stamps and queues.
//!
//! Asterisk writes events with a time limit (`websocket_write_timeout` in ari.conf, 100 ms unless
//! configured) and cuts off whoever does not take them, without a close frame; what happens until
//! the next connection is not told. So nothing here waits for anybody: if the queue is full, the
//! connection is given up and counted.
//!
//! See <https://docs.asterisk.org/Latest_API/API_Documentation/Asterisk_REST_Interface/Events_REST_API/#eventwebsocket>.

use std::time::Duration;

use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use http::header::AUTHORIZATION;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Bytes, Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::rest::Rest;
use crate::asterisk::inbox::{Inbox, Intake};
use crate::asterisk::interface::{Heard, Weigh};
use crate::asterisk::loss::Loss;
use crate::asterisk::tuning::Tuning;
use crate::clock::Clock;

/// Bytes of one message at the most. An event takes one or two thousand; a bridge names all its
/// channels, so that a large conference takes more.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes read at a time. Events come in bursts of a few dozen.
const READ_BYTES: usize = 64 * 1024;
/// Bytes that may wait to be written: pings, pongs and one close frame, each under 140 bytes.
const WRITE_BYTES_MAX: usize = 4 * 1024;
/// How long a farewell may take.
const FAREWELL_MAX: Duration = Duration::from_secs(1);

type Ws = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Connects, and begins to read the texts that Asterisk sends.
pub(super) async fn open(rest: &Rest, clock: Clock, tuning: &Tuning) -> Result<Inbox<Utf8Bytes>, Loss> {
    let ws = connect(rest).await?;
    let tuning = *tuning;
    Ok(Inbox::spawn(tuning.queue_max, clock, move |intake, closing| {
        serve(ws, intake, closing, clock, tuning)
    }))
}

async fn connect(rest: &Rest) -> Result<Ws, Loss> {
    let name = "GET /events";
    let mut request = rest.events_url()?.as_str().into_client_request()?;
    request.headers_mut().insert(AUTHORIZATION, rest.authorization());
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BYTES_MAX)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let without_delay = true;
    match timeout(
        rest.wait(),
        connect_async_with_config(request, Some(config), without_delay),
    )
    .await
    {
        Ok(Ok((ws, _))) => Ok(ws),
        Ok(Err(tungstenite::Error::Http(response))) => Err(rest.refused(name, response.status())),
        Ok(Err(error)) => Err(Loss::Failed {
            request: name,
            reason: error.to_string(),
        }),
        Err(_) => Err(Loss::NoAnswer {
            request: name,
            wait: rest.wait(),
        }),
    }
}

/// Reads and keeps alive until either fails or the socket is dropped.
async fn serve(
    ws: Ws,
    intake: Intake<Utf8Bytes>,
    closing: oneshot::Receiver<()>,
    clock: Clock,
    tuning: Tuning,
) -> Loss {
    let (mut sink, stream) = ws.split();
    tokio::select! {
        biased;
        loss = read(stream, &intake) => loss,
        loss = keep_alive(&mut sink, clock, &intake, &tuning) => loss,
        _ = closing => {
            let _ = timeout(FAREWELL_MAX, sink.close()).await;
            Loss::Closed
        }
    }
}

impl Weigh for Utf8Bytes {
    fn bytes(&self) -> usize {
        size_of::<Heard<Self>>() + self.len()
    }
}

async fn read(mut stream: SplitStream<Ws>, intake: &Intake<Utf8Bytes>) -> Loss {
    loop {
        let message = match stream.next().await {
            Some(Ok(message)) => message,
            // It was there until now: the end of what it says comes after all the rest.
            Some(Err(error @ tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))) => {
                intake.hears();
                return error.into();
            }
            Some(Err(error)) => return error.into(),
            None => {
                intake.hears();
                return Loss::Closed;
            }
        };
        let at = intake.hears();
        match message {
            Message::Text(word) => {
                if let Err(loss) = intake.put(at, word) {
                    return loss;
                }
            }
            Message::Close(_) => return Loss::Closed,
            // Pings are answered by the library, pongs count as heard, and ARI sends no binary.
            Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_) => {}
        }
    }
}

/// Pings, and gives up when nothing comes: a connection whose other end vanished looks open.
async fn keep_alive(
    sink: &mut SplitSink<Ws, Message>,
    clock: Clock,
    intake: &Intake<Utf8Bytes>,
    tuning: &Tuning,
) -> Loss {
    let mut next_ping = clock.now() + tuning.ping_every;
    loop {
        let now = clock.now();
        let silent_at = intake.heard_until() + tuning.silence_max;
        if now >= silent_at {
            return Loss::Silent(tuning.silence_max);
        }
        if now >= next_ping {
            next_ping = now + tuning.ping_every;
            match timeout(tuning.silence_max, sink.send(Message::Ping(Bytes::new()))).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return error.into(),
                Err(_) => return Loss::Silent(tuning.silence_max),
            }
        }
        sleep(silent_at.min(next_ping).since(now)).await;
    }
}
