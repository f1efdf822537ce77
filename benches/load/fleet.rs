//! Terminals of our own protocol, many at a time.

use anyhow::{Context as _, bail};
use futures::stream::{self, TryStreamExt as _};
use futures::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::Message;

use crate::frames::{Ears, Frame, Words};
use crate::line::{self, Address, Intake, Line, Socket};
use crate::relay::{PASSWORD, Relay, phone};

/// Terminals that link at the same time.
const LINKING: usize = 32;

/// A terminal that is linked.
pub(crate) struct Terminal {
    pub(crate) socket: Socket,
    pub(crate) call: String,
    pub(crate) epoch: String,
    /// What it links again with.
    pub(crate) token: String,
}

impl Terminal {
    pub(crate) fn line(self) -> Line {
        Line::new(self.socket, Words { call: self.call }, Ears)
    }

    /// The next text.
    pub(crate) async fn text(&mut self) -> anyhow::Result<String> {
        text(&mut self.socket).await
    }
}

/// How to link.
#[derive(Clone, Copy, Default)]
pub(crate) struct How {
    /// Also if the phone is in no call.
    pub(crate) wait: bool,
    /// How much it lets the relay send that it has not read.
    pub(crate) intake: Option<Intake>,
}

/// Links a user's terminal by password.
pub(crate) async fn link(address: &Address, user: u32, how: How) -> anyhow::Result<Terminal> {
    let (id, wait) = (phone(user), how.wait);
    let frame =
        format!(r#"{{"type":"link","id":"{id}","password":"{PASSWORD}","terminal":"bench","wait":{wait}}}"#);
    link_by(address, frame, how).await
}

/// Links a terminal again, where it was.
pub(crate) async fn link_again(
    address: &Address,
    token: &str,
    position: Option<(&str, u64)>,
) -> anyhow::Result<Terminal> {
    let resume = position
        .map(|(epoch, seq)| format!(r#","resume":{{"epoch":"{epoch}","seq":{seq}}}"#))
        .unwrap_or_default();
    let frame = format!(r#"{{"type":"link","token":"{token}","terminal":"bench","wait":true{resume}}}"#);
    link_by(address, frame, How::default()).await
}

async fn link_by(address: &Address, frame: String, how: How) -> anyhow::Result<Terminal> {
    let mut socket = line::connect(address, how.intake).await?;
    socket.send(Message::text(frame)).await?;
    let text = text(&mut socket).await?;
    let linked = Frame::parse(&text)?;
    if linked.kind != "linked" {
        bail!("the terminal was not linked: {text}");
    }
    let call = linked.calls.as_deref().unwrap_or_default().first();
    Ok(Terminal {
        call: call.map(|call| call.call.to_owned()).unwrap_or_default(),
        epoch: call.map(|call| call.epoch.to_owned()).unwrap_or_default(),
        token: linked.resume_token.context("no token")?.to_owned(),
        socket,
    })
}

pub(crate) async fn text(socket: &mut Socket) -> anyhow::Result<String> {
    loop {
        match socket.next().await.context("the connection is gone")?? {
            Message::Text(text) => return Ok(text.as_str().to_owned()),
            Message::Ping(_) | Message::Pong(_) => {}
            other @ (Message::Binary(_) | Message::Close(_) | Message::Frame(_)) => {
                bail!("not expected: {other}")
            }
        }
    }
}

/// Links these users, in their order.
pub(crate) async fn link_all(
    relay: &Relay,
    users: impl Iterator<Item = u32>,
    how: How,
) -> anyhow::Result<Vec<Terminal>> {
    let address = &relay.terminals();
    stream::iter(users.map(|user| link(address, user, how)))
        .buffered(LINKING)
        .try_collect()
        .await
}

/// So many pairs on the phone with each other, linked.
pub(crate) async fn pairs(relay: &Relay, pairs: u32) -> anyhow::Result<Vec<(Line, Line)>> {
    relay.call(pairs).await?;
    let mut lines = link_all(relay, 0..2 * pairs, How::default())
        .await?
        .into_iter()
        .map(Terminal::line);
    Ok(std::iter::from_fn(|| Some((lines.next()?, lines.next()?))).collect())
}
