//! A terminal that keeps its positions, and what it had no answer to, over everything that happens to its relay.

mod uploads;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::dice::Dice;
use crate::ledger::{Ledger, MessageNo, Row, TerminalNo, words, words_of};
use crate::place::PASSWORD;
use uploads::{Uploaded, Uploads, naming};

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How long a terminal sends nothing after a refusal.
const PAUSE: Duration = Duration::from_millis(10);

/// What all terminals of a run share.
pub(crate) struct Shared {
    pub(crate) ledger: Mutex<Ledger>,
    /// Whether they are to send.
    pub(crate) load: watch::Sender<bool>,
    /// Which of them are linked and up to date.
    pub(crate) linked: Mutex<Vec<bool>>,
    /// What each of them was given to show again.
    pub(crate) tokens: Mutex<Vec<Option<String>>>,
    /// The disk's journal, if it has one.
    pub(crate) journal: Option<PathBuf>,
}

impl Shared {
    /// Now, as the journal counts.
    pub(crate) fn moment(&self) -> u64 {
        let length = |journal: &PathBuf| Some(std::fs::metadata(journal).ok()?.len());
        self.journal.as_ref().and_then(length).unwrap_or(0)
    }
}

/// How far it is in a mailbox.
#[derive(Clone, Debug)]
struct Position {
    epoch: String,
    seq: u64,
}

/// A message without an answer.
struct Unanswered {
    number: MessageNo,
    frame: String,
    /// The file that it names.
    file: Option<Uploaded>,
    attempts: u32,
}

/// See the module.
pub(crate) struct Terminal {
    number: TerminalNo,
    phone: String,
    name: String,
    dice: Dice,
    token: Option<String>,
    positions: BTreeMap<String, Position>,
    /// The call of its last position.
    last_call: Option<String>,
    unanswered: VecDeque<Unanswered>,
    /// How many messages it has under way at most.
    window: usize,
    uploads: Uploads,
}

/// What is true for one connection.
struct Session {
    socket: Socket,
    /// The call it can send in.
    call: Option<String>,
    /// The epoch whose rows it resumed.
    resumed: Option<String>,
    /// Calls it is linked to whose past is not complete.
    awaited: Vec<String>,
    last: BTreeMap<String, u64>,
    /// Rows to acknowledge, by call.
    unacknowledged: BTreeMap<String, u64>,
    paused_until: Instant,
}

impl Terminal {
    pub(crate) fn new(number: TerminalNo, phone: &str, mut dice: Dice) -> Self {
        let window = usize::try_from(dice.between(1, 12)).unwrap_or(1);
        Self {
            number,
            phone: phone.to_owned(),
            name: format!("terminal-{number}"),
            uploads: Uploads::new(dice.fork()),
            dice,
            token: None,
            positions: BTreeMap::new(),
            last_call: None,
            unanswered: VecDeque::new(),
            window,
        }
    }

    /// Stays with the relay until it is gone.
    pub(crate) async fn run(mut self, relay: SocketAddr, shared: std::sync::Arc<Shared>) -> Self {
        while let Some(socket) = connect(relay).await {
            self.session(socket, relay, &shared).await;
            shared.linked.lock().unwrap()[self.number] = false;
        }
        self
    }

    async fn session(&mut self, socket: Socket, relay: SocketAddr, shared: &Shared) -> Option<()> {
        let position = self.last_call.as_ref().and_then(|call| self.positions.get(call));
        let mut session = Session {
            socket,
            call: None,
            resumed: position.map(|position| position.epoch.clone()),
            awaited: Vec::new(),
            last: BTreeMap::new(),
            unacknowledged: BTreeMap::new(),
            paused_until: Instant::now(),
        };
        self.link(&mut session, true).await?;
        let mut load = shared.load.subscribe();
        loop {
            let resumes = tokio::time::sleep_until(session.paused_until);
            let is_paused = session.paused_until > Instant::now();
            tokio::select! {
                frame = session.socket.next() => {
                    match frame?.ok()? {
                        Message::Text(text) => {
                            let frame: Value = serde_json::from_str(text.as_str()).unwrap();
                            self.take(&mut session, &frame, shared).await?;
                        }
                        Message::Close(_) => return None,
                        Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_) => continue,
                    }
                }
                changed = load.changed() => changed.ok()?,
                () = self.uploads.ended(shared) => {}
                () = resumes, if is_paused => {}
            }
            if *load.borrow_and_update() {
                self.send_more(&mut session, relay, shared).await?;
            } else {
                session.acknowledge_all().await?;
            }
            session.socket.flush().await.ok()?;
        }
    }

    async fn link(&self, session: &mut Session, with_token: bool) -> Option<()> {
        let mut frame = json!({"type": "link", "terminal": self.name, "wait": true});
        match &self.token {
            Some(token) if with_token => frame["token"] = json!(token),
            _ => {
                frame["id"] = json!("everybody");
                frame["password"] = json!(PASSWORD);
                frame["phone"] = json!(self.phone);
            }
        }
        match self.last_call.as_ref().and_then(|call| self.positions.get(call)) {
            Some(Position { epoch, seq }) => frame["resume"] = json!({"epoch": epoch, "seq": seq}),
            // It may have been linked to a call of which it never heard.
            None => frame["replay"] = json!("all"),
        }
        session.say(&frame.to_string()).await
    }

    async fn take(&mut self, session: &mut Session, frame: &Value, shared: &Shared) -> Option<()> {
        let text = |name: &str| frame[name].as_str().unwrap_or_default();
        match text("type") {
            "linked" => {
                self.token = frame["resume_token"].as_str().map(str::to_owned);
                shared.tokens.lock().unwrap()[self.number].clone_from(&self.token);
                for call in frame["calls"].as_array().into_iter().flatten() {
                    self.enter(session, call);
                    session.awaited.extend(session.call.clone());
                }
                self.note_linked(session, shared);
                for unanswered in &mut self.unanswered {
                    unanswered.attempts += 1;
                    session
                        .socket
                        .feed(Message::text(unanswered.frame.as_str()))
                        .await
                        .ok()?;
                }
            }
            "link_failed" => self.link(session, false).await?,
            "status" => self.take_status(session, frame).await?,
            "replayed" => {
                session.awaited.retain(|call| call != text("call"));
                // The relay may not have kept what was acknowledged last.
                let known = self.positions.get(text("call"));
                if let Some(position) = known.filter(|position| position.epoch == text("epoch")) {
                    let last = session.unacknowledged.entry(text("call").to_owned()).or_default();
                    *last = position.seq.max(*last);
                }
                self.note_linked(session, shared);
            }
            "message" => self.take_row(session, frame, shared).await?,
            "sent" => {
                let number = self.answered(frame).number;
                let epoch = self
                    .positions
                    .get(text("call"))
                    .map(|position| position.epoch.as_str());
                let row = epoch.zip(frame["seq"].as_u64());
                let at = shared.moment();
                shared.ledger.lock().unwrap().accepted(number, row, at);
            }
            "send_failed" => {
                let refused = self.answered(frame);
                let is_certain = refused.attempts == 1 || text("reason") != "not_in_call";
                session.paused_until = Instant::now() + PAUSE;
                let mut ledger = shared.ledger.lock().unwrap();
                ledger.refused(refused.number, is_certain);
                match (refused.file, text("reason")) {
                    (Some(uploaded), "bad_request") => {
                        ledger.file_is_lost(uploaded.file, "nobody may name it");
                    }
                    (Some(uploaded), "unavailable") => self.uploads.unnamed = Some(uploaded),
                    _ => {}
                }
            }
            // An acknowledgement may come after the end.
            "delivered" | "error" => {}
            other => panic!("a frame of type {other}: {frame}"),
        }
        Some(())
    }

    fn note_linked(&self, session: &Session, shared: &Shared) {
        shared.linked.lock().unwrap()[self.number] = session.awaited.is_empty();
    }

    async fn take_status(&mut self, session: &mut Session, frame: &Value) -> Option<()> {
        match frame["status"].as_str() {
            Some("call") => self.enter(session, &frame["call"]),
            Some("transfer" | "bye") => {
                let call = frame["call"]["call"].as_str().unwrap_or_default();
                if session.call.as_deref() == Some(call) {
                    session.call = None;
                }
                session.acknowledge_all().await?;
            }
            _ => {}
        }
        Some(())
    }

    /// It is in this call from now on.
    fn enter(&mut self, session: &mut Session, call: &Value) {
        let (Some(id), Some(epoch)) = (call["call"].as_str(), call["epoch"].as_str()) else {
            return;
        };
        session.call = Some(id.to_owned());
        self.last_call = Some(id.to_owned());
        self.position(id, epoch);
    }

    fn position(&mut self, call: &str, epoch: &str) -> &mut Position {
        let start = || Position {
            epoch: epoch.to_owned(),
            seq: 0,
        };
        let position = self.positions.entry(call.to_owned()).or_insert_with(start);
        if position.epoch != epoch {
            *position = start();
        }
        position
    }

    async fn take_row(&mut self, session: &mut Session, frame: &Value, shared: &Shared) -> Option<()> {
        let text = |name: &str| frame[name].as_str().unwrap_or_default().to_owned();
        let row = Row {
            call: text("call"),
            epoch: text("epoch"),
            seq: frame["seq"].as_u64()?,
            words: words_of(&frame["body"]),
            file: frame["body"]["file"].as_str().map(str::to_owned),
        };
        let last = session.last.insert(row.epoch.clone(), row.seq);
        let position = self.position(&row.call, &row.epoch);
        let had = position.seq;
        position.seq = had.max(row.seq);
        session.unacknowledged.insert(row.call.clone(), row.seq);
        {
            let mut ledger = shared.ledger.lock().unwrap();
            if last.is_some_and(|last| last >= row.seq) {
                ledger.out_of_order(self.number, &row);
            } else if row.seq > had {
                ledger.received(self.number, &row);
            } else if session.resumed.as_ref() == Some(&row.epoch) {
                ledger.repeated(self.number, &row);
            }
        }
        if self.dice.chance(15) {
            session.acknowledge_all().await?;
        }
        Some(())
    }

    fn unanswered_of(&self, frame: &Value) -> Option<usize> {
        let number: MessageNo = frame["ref"].as_str()?.parse().ok()?;
        self.unanswered
            .iter()
            .position(|unanswered| unanswered.number == number)
    }

    /// The message that this answers.
    fn answered(&mut self, frame: &Value) -> Unanswered {
        let index = self.unanswered_of(frame);
        let unanswered = index.and_then(|index| self.unanswered.remove(index));
        unanswered.unwrap_or_else(|| panic!("an answer to nothing: {frame}"))
    }

    async fn send_more(&mut self, session: &mut Session, relay: SocketAddr, shared: &Shared) -> Option<()> {
        let Some(call) = session.call.clone() else {
            return Some(());
        };
        if session.paused_until > Instant::now() || !session.awaited.is_empty() {
            return Some(());
        }
        if let Some(token) = &self.token
            && self.number.is_multiple_of(3)
        {
            self.uploads.perhaps_begin(token, &call, relay, shared);
        }
        while self.unanswered.len() < self.window {
            // Keys of its own: of two terminals nobody but the relay knows whose message came later.
            let key = self
                .dice
                .chance(25)
                .then(|| format!("{}-{}", self.number, self.dice.between(1, 4)));
            let padding = if self.dice.chance(10) { 3_000 } else { 200 };
            let padding = usize::try_from(self.dice.between(0, padding)).unwrap_or(0);
            let at = shared.moment();
            let file = self.uploads.next_to_name(&call);
            let number = {
                let mut ledger = shared.ledger.lock().unwrap();
                let number = ledger.asked(self.number, &call, key.as_deref(), at);
                if let Some(uploaded) = &file {
                    ledger.named(uploaded.file, number);
                }
                number
            };
            let words = words(&call, number, padding);
            let mut frame = json!({"type": "send", "ref": number.to_string(), "call": call});
            if let Some(uploaded) = &file {
                frame["kind"] = json!("file");
                frame["body"] = naming(uploaded, &words);
            } else {
                frame["body"] = json!(words);
            }
            if let Some(key) = key {
                frame["key"] = json!(key);
            }
            let frame = frame.to_string();
            self.unanswered.push_back(Unanswered {
                number,
                frame: frame.clone(),
                file,
                attempts: 1,
            });
            session.socket.feed(Message::text(frame)).await.ok()?;
        }
        Some(())
    }
}

impl Session {
    async fn say(&mut self, frame: &str) -> Option<()> {
        say(&mut self.socket, frame).await
    }

    async fn acknowledge_all(&mut self) -> Option<()> {
        for (call, seq) in std::mem::take(&mut self.unacknowledged) {
            let frame = json!({"type": "ack", "call": call, "seq": seq}).to_string();
            self.socket.feed(Message::text(frame)).await.ok()?;
        }
        Some(())
    }
}

/// `None`: the relay is gone.
pub(crate) async fn connect(relay: SocketAddr) -> Option<Socket> {
    let without_delay = true;
    let connecting = connect_async_with_config(format!("ws://{relay}/v1/terminal"), None, without_delay);
    Some(Box::pin(connecting).await.ok()?.0)
}

/// `None`: the relay is gone.
pub(crate) async fn say(socket: &mut Socket, frame: &str) -> Option<()> {
    socket.send(Message::text(frame)).await.ok()
}
