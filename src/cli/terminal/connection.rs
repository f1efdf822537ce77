//! The WebSocket under a terminal.

use std::future::pending;
use std::pin::Pin;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::cli::WrongUsage;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The relay pings every 25 seconds; silence for this long means that it, or the way to it, is gone.
const SILENCE_MAX: Duration = Duration::from_secs(75);

/// How long a frame may take to be written.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// What came over the connection.
#[derive(Debug)]
pub(super) enum Event {
    Frame(String),
    /// It is gone; with the close code, if the relay said one.
    Closed(Option<u16>, String),
}

/// A connection, or none.
#[derive(Debug, Default)]
pub(super) struct Connection {
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    silence: Pin<Box<Sleep>>,
}

impl Connection {
    /// Connects; an error is in words.
    pub(super) async fn connect(url: &str) -> Result<Self, String> {
        let mut request = url.into_client_request().map_err(|error| in_words(&error))?;
        request
            .headers_mut()
            .insert("sec-websocket-protocol", HeaderValue::from_static("callrelay.v1"));
        match timeout(CONNECT_TIMEOUT, connect_async(request)).await {
            Ok(Ok((socket, _))) => Ok(Self {
                open: Some(Open {
                    socket,
                    silence: Box::pin(sleep(SILENCE_MAX)),
                }),
            }),
            Ok(Err(error)) => Err(in_words(&error)),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }

    /// The next thing that comes; never, if there is no connection. May be dropped and called again.
    pub(super) async fn next(&mut self) -> Event {
        let Some(open) = &mut self.open else {
            return pending().await;
        };
        let event = open.next().await;
        if matches!(event, Event::Closed(..)) {
            self.open = None;
        }
        event
    }

    /// Writes a frame. What cannot be written is lost with the connection, which tells in `next`.
    pub(super) async fn send(&mut self, frame: String) -> Option<Event> {
        let open = self.open.as_mut()?;
        let problem = match timeout(WRITE_TIMEOUT, open.socket.send(Message::text(frame))).await {
            Ok(Ok(())) => return None,
            // The close code is still to be read.
            Ok(Err(Error::ConnectionClosed | Error::AlreadyClosed | Error::Io(_) | Error::Protocol(_))) => {
                return None;
            }
            Ok(Err(error)) => in_words(&error),
            Err(_) => "the relay reads no more".to_owned(),
        };
        self.open = None;
        Some(Event::Closed(None, problem))
    }

    /// Drops the connection without a word.
    pub(super) fn drop_it(&mut self) {
        self.open = None;
    }
}

impl Open {
    async fn next(&mut self) -> Event {
        loop {
            let message = tokio::select! {
                message = self.socket.next() => message,
                () = &mut self.silence => return Event::Closed(None, "nothing was heard for too long".to_owned()),
            };
            self.silence = Box::pin(sleep(SILENCE_MAX));
            match message {
                Some(Ok(Message::Text(text))) => return Event::Frame(text.as_str().to_owned()),
                Some(Ok(Message::Close(Some(close)))) => {
                    return Event::Closed(
                        Some(close.code.into()),
                        format!("closed with code {}", close.code),
                    );
                }
                Some(Ok(Message::Close(None))) | None => return Event::Closed(None, "closed".to_owned()),
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => return Event::Closed(None, in_words(&error)),
            }
        }
    }
}

fn in_words(error: &Error) -> String {
    if let Error::Http(answer) = error {
        format!("the answer was {}, no WebSocket", answer.status())
    } else {
        error.to_string()
    }
}

/// The address of the terminal WebSocket, from what was typed: `host:port` with `ws`, `wss`, `http` or
/// `https` before it, with or without the path.
pub(super) fn terminal_url(typed: &str) -> Result<String, WrongUsage> {
    let wrong = || {
        WrongUsage(format!(
            "--url {typed}: use an address such as wss://relay.example.com"
        ))
    };
    let uri: http::Uri = typed.parse().map_err(|_| wrong())?;
    let scheme = match uri.scheme_str() {
        Some("ws" | "http") => "ws",
        Some("wss" | "https") => "wss",
        Some(_) | None => return Err(wrong()),
    };
    let authority = uri
        .authority()
        .filter(|authority| !authority.as_str().contains('@'))
        .ok_or_else(wrong)?;
    let path = match uri.path() {
        "" | "/" => "/v1/terminal",
        path => path,
    };
    Ok(format!("{scheme}://{authority}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_be_typed_in_several_ways() {
        for (typed, expected) in [
            ("http://127.0.0.1:8480", "ws://127.0.0.1:8480/v1/terminal"),
            ("ws://127.0.0.1:8480/", "ws://127.0.0.1:8480/v1/terminal"),
            ("https://relay.example.com", "wss://relay.example.com/v1/terminal"),
            (
                "wss://relay.example.com/sub/v1/terminal",
                "wss://relay.example.com/sub/v1/terminal",
            ),
            ("ws://[::1]:8480", "ws://[::1]:8480/v1/terminal"),
        ] {
            assert_eq!(terminal_url(typed).unwrap(), expected);
        }
        for typed in [
            "",
            "relay:8480",
            "127.0.0.1:8480",
            "ftp://relay",
            "ws://me:secret@relay",
            "/v1/terminal",
        ] {
            assert!(terminal_url(typed).is_err(), "{typed}");
        }
    }
}
