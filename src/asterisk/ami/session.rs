//! One logged-in connection. The task that reads it does nothing else: what it reads it stamps and sorts.
//!
//! Asterisk writes with a time limit (`writetimeout` in manager.conf, 100 ms unless configured) and cuts off whoever does
//! not read, and what happens until the next connection is not told. So nothing here waits for anybody: events go into
//! a queue, answers to whoever asked, and if there is too much of either, the connection is given up.
//!
//! See <https://docs.asterisk.org/Configuration/Interfaces/Asterisk-Manager-Interface-AMI/>.

use std::sync::Arc;
use std::time::Duration;

use md5::{Digest as _, Md5};
use secrecy::ExposeSecret as _;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::decoder::Decoder;
use super::message::Message;
use super::questions::{Desk, Question};
use super::transport::{self, Socket};
use crate::asterisk::inbox::{Inbox, Intake};
use crate::asterisk::loss::Loss;
use crate::asterisk::tuning::Tuning;
use crate::clock::Clock;
use crate::config;
use crate::files::hex;
use crate::model::Moment;

/// Bytes of the greeting at the most: `Asterisk Call Manager/9.0.0`.
const GREETING_BYTES_MAX: u64 = 256;
/// Bytes read at a time. Events come in bursts of a few dozen.
const READ_BYTES: usize = 64 * 1024;
/// Actions that may wait to be written: one question at a time, and pings.
const WRITES_MAX: usize = 16;
/// How long a farewell may take.
const FAREWELL_MAX: Duration = Duration::from_secs(1);

/// How the events of the class `call` begin that say nothing about who talks to whom.
const UNWANTED: [&str; 4] = [
    "DeviceStateChange",
    "ExtensionStatus",
    "MusicOnHold",
    "PresenceStateChange",
];

/// An open connection, logged in. Dropping it closes it in the background.
#[derive(Debug)]
pub(super) struct Session {
    events: Inbox<Message>,
    questioner: Arc<Questioner>,
}

/// Asks by an open connection.
#[derive(Debug)]
pub struct Questioner {
    desk: Arc<Desk>,
    writes: mpsc::Sender<Vec<u8>>,
    wait: Duration,
    /// One question at a time.
    turn: Mutex<u64>,
}

impl Session {
    /// Connects, logs in, and begins to read. `classes` of events are told (`on` for all that the account may read).
    pub(super) async fn open(
        ami: &config::Ami,
        classes: &str,
        clock: Clock,
        tuning: &Tuning,
    ) -> Result<Self, Loss> {
        let connecting = async {
            let mut socket = BufReader::new(transport::connect(ami).await?);
            read_greeting(&mut socket).await?;
            Ok::<_, Loss>(socket)
        };
        let socket = match timeout(tuning.request_max, connecting).await {
            Ok(socket) => socket?,
            Err(_) => {
                return Err(Loss::NoAnswer {
                    request: "connecting to AMI",
                    wait: tuning.request_max,
                });
            }
        };
        let (writes, to_write) = mpsc::channel(WRITES_MAX);
        let desk = Arc::new(Desk::default());
        let questioner = Arc::new(Questioner {
            desk: Arc::clone(&desk),
            writes,
            wait: tuning.request_max,
            turn: Mutex::default(),
        });
        let tuning = *tuning;
        let events = Inbox::spawn(tuning.queue_max, clock, |intake, closing| {
            let line = Line {
                intake,
                desk,
                clock,
                tuning,
            };
            line.serve(socket, to_write, closing)
        });
        let mut session = Self { events, questioner };
        match session.log_in(ami, classes).await {
            Ok(()) => Ok(session),
            // What became of the connection says more than that nobody answered.
            Err(Loss::Closed) => Err(session.events.loss().await),
            Err(loss) => Err(loss),
        }
    }

    /// The events that are told.
    pub(super) const fn events(&mut self) -> &mut Inbox<Message> {
        &mut self.events
    }

    /// How many events were read and not been taken yet.
    pub(super) fn waiting_count(&self) -> usize {
        self.events.waiting_count()
    }

    /// When anything was last read.
    pub(super) fn heard_until(&self) -> Moment {
        self.events.heard_until()
    }

    pub(super) const fn questioner(&self) -> &Arc<Questioner> {
        &self.questioner
    }

    /// Logs off and closes.
    pub(super) async fn close(self) {
        self.events.close().await;
    }

    /// By challenge and response, so that the password does not go over the wire.
    async fn log_in(&self, ami: &config::Ami, classes: &str) -> Result<(), Loss> {
        let ask = |action, fields| self.questioner.ask(Question::plain(action, fields));
        let challenge = ask("Challenge", vec![("AuthType", "MD5".to_owned())]).await?;
        let challenge = challenge
            .first()
            .map(|answer| answer.get("Challenge"))
            .filter(|challenge| !challenge.is_empty());
        let challenge = challenge.ok_or(Loss::NoManager)?;
        let mut digest = Md5::new();
        digest.update(challenge);
        digest.update(ami.password.expose_secret());
        let key = hex(&digest.finalize());
        let logged_in = ask(
            "Login",
            vec![
                ("AuthType", "MD5".to_owned()),
                ("Username", ami.username.clone()),
                ("Key", key),
                ("Events", classes.to_owned()),
            ],
        );
        match logged_in.await {
            Err(Loss::Refused { .. }) => Err(Loss::LoginRefused {
                username: ami.username.clone(),
            }),
            outcome => outcome.map(drop),
        }
    }
}

impl Questioner {
    /// Asks Asterisk not to send what does not matter. One that cannot, or does not let this account, is heard all the
    /// same.
    pub(super) async fn filter(&self) {
        for kind in UNWANTED {
            let fields = vec![
                ("Operation", "Add".to_owned()),
                // A filter sees the whole text, in which a caller's name stands too: only its beginning counts.
                ("Filter", format!("!^Event: {kind}")),
            ];
            if let Err(reason) = self.ask(Question::plain("Filter", fields)).await {
                debug!(%reason, "Asterisk does not filter events");
                return;
            }
        }
    }

    /// Asks, and waits for the whole answer.
    pub(super) async fn ask(&self, question: Question) -> Result<Vec<Message>, Loss> {
        let mut turn = self.turn.lock().await;
        *turn += 1;
        let id = format!("callrelay-{}", *turn);
        let request = question.action;
        let (text, answer) = self.desk.put(&question, id)?;
        let answered = async {
            self.writes.send(text).await.map_err(|_| Loss::Closed)?;
            answer.await.map_err(|_| Loss::Closed)?
        };
        let outcome = timeout(self.wait, answered).await;
        self.desk.clear();
        outcome.unwrap_or(Err(Loss::NoAnswer {
            request,
            wait: self.wait,
        }))
    }
}

async fn read_greeting(socket: &mut BufReader<Socket>) -> Result<(), Loss> {
    let mut greeting = Vec::new();
    let mut limited = socket.take(GREETING_BYTES_MAX);
    limited.read_until(b'\n', &mut greeting).await?;
    if greeting.is_empty() {
        return Err(Loss::Closed);
    }
    if greeting.starts_with(b"Asterisk Call Manager/") && greeting.ends_with(b"\n") {
        Ok(())
    } else {
        Err(Loss::NoManager)
    }
}

/// What the task works with.
struct Line {
    intake: Intake<Message>,
    desk: Arc<Desk>,
    clock: Clock,
    tuning: Tuning,
}

impl Line {
    /// Reads, writes and keeps alive until one of them fails or the session is dropped.
    async fn serve(
        self,
        socket: BufReader<Socket>,
        to_write: mpsc::Receiver<Vec<u8>>,
        closing: oneshot::Receiver<()>,
    ) -> Loss {
        let (reading, mut writing) = tokio::io::split(socket);
        let loss = tokio::select! {
            biased;
            loss = self.read(reading) => loss,
            loss = self.write(&mut writing, to_write) => loss,
            _ = closing => {
                let farewell = writing.write_all(b"Action: Logoff\r\n\r\n");
                let _ = timeout(FAREWELL_MAX, farewell).await;
                let _ = timeout(FAREWELL_MAX, writing.shutdown()).await;
                Loss::Closed
            }
        };
        self.desk.clear();
        loss
    }

    async fn read(&self, mut socket: ReadHalf<impl AsyncRead + AsyncWrite>) -> Loss {
        let mut decoder = Decoder::default();
        let mut bytes = vec![0; READ_BYTES];
        loop {
            let count = match socket.read(&mut bytes).await {
                Ok(0) => {
                    // It was there until now: the end of what it says comes after all the rest.
                    self.intake.hears();
                    return Loss::Closed;
                }
                Ok(count) => count,
                Err(error) => return error.into(),
            };
            let at = self.intake.hears();
            let mut loss = None;
            let outcome = decoder.decode(&bytes[..count], |message| {
                if loss.is_none() {
                    loss = self.sort(at, message).err();
                }
            });
            match (loss, outcome) {
                (Some(loss), _) => return loss,
                (None, Err(error)) => return error.into(),
                (None, Ok(())) => {}
            }
        }
    }

    /// Answers go to whoever asked, and events into the queue.
    fn sort(&self, at: Moment, message: Message) -> Result<(), Loss> {
        let Some(word) = self.desk.take(message)? else {
            return Ok(());
        };
        if word.event().is_empty() {
            return Ok(());
        }
        self.intake.put(at, word)
    }

    /// Writes what is asked, pings, and gives up when nothing comes: a connection whose other end vanished looks open.
    async fn write(
        &self,
        socket: &mut WriteHalf<impl AsyncRead + AsyncWrite>,
        mut to_write: mpsc::Receiver<Vec<u8>>,
    ) -> Loss {
        let tuning = &self.tuning;
        let mut next_ping = self.clock.now() + tuning.ping_every;
        loop {
            let now = self.clock.now();
            let silent_at = self.intake.heard_until() + tuning.silence_max;
            if now >= silent_at {
                return Loss::Silent(tuning.silence_max);
            }
            let text = if now >= next_ping {
                next_ping = now + tuning.ping_every;
                b"Action: Ping\r\n\r\n".to_vec()
            } else {
                tokio::select! {
                    text = to_write.recv() => match text {
                        Some(text) => text,
                        None => return Loss::Closed,
                    },
                    () = sleep(silent_at.min(next_ping).since(now)) => continue,
                }
            };
            match timeout(tuning.silence_max, socket.write_all(&text)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return error.into(),
                Err(_) => return Loss::Silent(tuning.silence_max),
            }
        }
    }
}
