//! One terminal's WebSocket, from its first frame to its last.
//!
//! Two halves run side by side: one reads frames and hands them to the loop, the other writes what
//! the loop has, many frames with one flush. Whichever ends first ends the session.

use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc;
use futures::stream::{SplitSink, SplitStream};
use futures::{FutureExt as _, SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};
use tracing::{Instrument, debug, info, info_span};

use super::auth::{Identity, Refusal};
use super::close::CloseCode;
use super::frames_in::{self, ClientFrame, FrameError, LinkFrame};
use super::frames_out::{self, SessionFacts};
use super::{FromGateway, Gateway, SESSION_QUEUE, ToSession};
use crate::model::{SessionId, TerminalName};
use crate::relay::{Input, LinkRequest, Notice, SendRefusal, notice_bytes};

/// How long the first frame may take.
const LINK_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the server pings.
const PING_INTERVAL: Duration = Duration::from_secs(25);
/// How long a session may be silent, pongs included.
const SILENCE_MAX: Duration = Duration::from_mins(1);
/// How long one flush may take before the terminal counts as too slow.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a closing session may take to say so.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
/// `denied` answers before the session is closed.
const DENIED_MAX: u32 = 3;
/// Frames that are gathered for one flush.
const GATHER_FRAMES: usize = 128;
/// Answers to frames that cannot be followed and that wait to be written. With more the terminal is not read.
const REPLIES: usize = 8;
/// Frames that have arrived together and are handed to the loop together, and bytes from which on no more is added.
const READ_FRAMES: usize = 16;
const READ_BYTES: usize = 16 * 1024;
/// Written bytes that are reported to the core together, and frames.
const REPORT_BYTES: usize = 32 * 1024;
const REPORT_FRAMES: usize = 32;

type Socket = WebSocketStream<TokioIo<Upgraded>>;
type Reader = SplitStream<Socket>;
type Writer = SplitSink<Socket, Message>;

/// Serves a terminal until its session ends.
pub(super) async fn run(gateway: Arc<Gateway>, socket: Socket) {
    let id = gateway.new_session();
    let span = info_span!("session", %id);
    let (writer, reader) = socket.split();
    let session = Session {
        gateway,
        id,
        reader,
        writer,
    };
    session.serve().instrument(span).await;
}

struct Session {
    gateway: Arc<Gateway>,
    id: SessionId,
    reader: Reader,
    writer: Writer,
}

/// Why reading ended.
enum Ended {
    /// The connection is gone, or the client closes it.
    Gone,
    /// We close it.
    Close(CloseCode),
}

impl Session {
    async fn serve(mut self) {
        let mut stopping = self.gateway.stopping.clone();
        let mut denied = 0;
        let code = loop {
            let linked = tokio::select! {
                linked = timeout(LINK_TIMEOUT, self.next_link()) => linked,
                _ = stopping.wait_for(|stopping| *stopping) => break CloseCode::GoingAway,
            };
            let frame = match linked {
                Err(_) => break CloseCode::NoLink,
                Ok(Err(Ended::Gone)) => return self.part().await,
                Ok(Err(Ended::Close(code))) => break code,
                Ok(Ok(frame)) => frame,
            };
            match self.check(&frame).await {
                Err(Refusal::Denied) => {
                    denied += 1;
                    if self.say(frames_out::link_failed("denied")).await.is_err() {
                        return;
                    }
                    if denied == DENIED_MAX {
                        break CloseCode::Denied;
                    }
                }
                Err(Refusal::ChoosePhone(phones)) => {
                    if self.say(frames_out::choose_phone(&phones)).await.is_err() {
                        return;
                    }
                }
                Ok(identity) => match self.link(identity, frame).await {
                    Linked::Refused(text) => {
                        if self.say(text).await.is_err() {
                            return;
                        }
                    }
                    Linked::Over(code) => break code,
                    Linked::Gone => return self.part().await,
                },
            }
        };
        close(self.reader, self.writer, code).await;
    }

    /// Lets the answer to the terminal's close frame out, which the library has ready.
    async fn part(&mut self) {
        let _ = timeout(CLOSE_TIMEOUT, self.writer.flush()).await;
    }

    /// The next `link` frame.
    async fn next_link(&mut self) -> Result<LinkFrame, Ended> {
        loop {
            let text = next_text(&mut self.reader).await?;
            match frames_in::parse(text.as_str()) {
                Ok(ClientFrame::Link(link)) => return Ok(link),
                Ok(ClientFrame::Unlink) => return Err(Ended::Close(CloseCode::Unlinked)),
                Err(FrameError::BadField {
                    frame: "link",
                    detail,
                }) => {
                    let told = self.say(frames_out::error("bad_request", &detail)).await;
                    told.map_err(|_| Ended::Gone)?;
                }
                Ok(ClientFrame::Send(_) | ClientFrame::Ack { .. }) | Err(_) => {
                    return Err(Ended::Close(CloseCode::NotTheProtocol));
                }
            }
        }
    }

    async fn check(&self, frame: &LinkFrame) -> Result<Identity, Refusal> {
        match &frame.credentials {
            Some(credentials) => {
                self.gateway
                    .authenticator
                    .check(credentials, frame.phone.as_deref())
                    .await
            }
            None => Err(Refusal::Denied),
        }
    }

    /// Writes one frame before the session is linked.
    async fn say(&mut self, text: String) -> Result<(), Error> {
        match timeout(WRITE_TIMEOUT, self.writer.send(Message::text(text))).await {
            Ok(written) => written,
            Err(_) => Err(Error::ConnectionClosed),
        }
    }

    /// Asks the core for the link, and serves the session if it stands.
    async fn link(&mut self, identity: Identity, frame: LinkFrame) -> Linked {
        let terminal = frame
            .terminal
            .map(TerminalName::new)
            .or_else(|| identity.terminal.clone());
        let terminal =
            terminal.unwrap_or_else(|| TerminalName::new(format!("terminal-{}", made_name(self.id))));
        let request = LinkRequest {
            phone: identity.phone.clone(),
            terminal: terminal.clone(),
            wait: frame.wait,
            resume: frame.resume,
            replay: frame.replay,
        };
        let facts = SessionFacts {
            session: self.id.to_string(),
            resume_token: self.gateway.authenticator.resume_token(&identity, &terminal),
        };
        let (queue, mut notices) = mpsc::channel(SESSION_QUEUE);
        let session = self.id;
        let opened = || FromGateway::Opened { session, queue };
        let asked = || FromGateway::Input(Input::Link { session, request });
        if !(self.gateway.tell_loop(opened).await && self.gateway.tell_loop(asked).await) {
            return Linked::Over(CloseCode::GoingAway);
        }
        let mut written = Written::default();
        let first = match notices.next().await {
            Some(ToSession::Notice(notice @ Notice::LinkFailed(_))) => {
                // Nothing is linked, and the loop need not remember the session. The terminal may try again.
                self.is_closed().await;
                return Linked::Refused(frames_out::encode(&notice, &facts));
            }
            Some(ToSession::Notice(notice)) => written.note(&notice, &facts),
            Some(ToSession::Close(code)) => {
                self.is_closed().await;
                return Linked::Over(code);
            }
            None => return Linked::Over(CloseCode::Unavailable),
        };
        info!("a terminal was linked");
        debug!(phone = %identity.phone, terminal = terminal.as_str(), "linked");
        let code = match within(self.writer.feed(first)).await {
            Ok(()) => self.exchange(&identity, &facts, written, &mut notices).await,
            Err(ended) => ended,
        };
        self.is_closed().await;
        info!(code = code.map(CloseCode::number), "the session ended");
        code.map_or(Linked::Gone, Linked::Over)
    }

    /// The loop need not remember the session any more.
    async fn is_closed(&self) {
        let closed = || FromGateway::Input(Input::Closed(self.id));
        self.gateway.tell_loop(closed).await;
    }

    /// Reads and writes until one of both ends.
    async fn exchange(
        &mut self,
        identity: &Identity,
        facts: &SessionFacts,
        written: Written,
        notices: &mut mpsc::Receiver<ToSession>,
    ) -> Option<CloseCode> {
        let (mut replies, mut own_words) = mpsc::channel(REPLIES);
        let gateway = Arc::clone(&self.gateway);
        let mut stopping = gateway.stopping.clone();
        let reading = read_frames(&gateway, self.id, &mut self.reader, &mut replies);
        let writing = write_frames(
            &gateway,
            self.id,
            &mut self.writer,
            facts,
            written,
            notices,
            &mut own_words,
        );
        tokio::select! {
            ended = reading => match ended {
                Ended::Gone => None,
                Ended::Close(code) => Some(code),
            },
            code = writing => code,
            () = gateway.authenticator.ended(identity) => Some(CloseCode::Denied),
            _ = stopping.wait_for(|stopping| *stopping) => Some(CloseCode::GoingAway),
        }
    }
}

/// What came of a `link`.
enum Linked {
    /// It was refused; the session waits for another.
    Refused(String),
    /// It stood, and is over.
    Over(CloseCode),
    /// It stood, and the connection is gone.
    Gone,
}

/// A name for a terminal that gives itself none. Not to be guessed from another's.
fn made_name(session: SessionId) -> String {
    let random: u64 = rand::random();
    format!("{random:016x}-{}", session.0)
}

/// Hands frames to the loop until the connection ends or breaks the protocol.
async fn read_frames(
    gateway: &Gateway,
    id: SessionId,
    reader: &mut Reader,
    replies: &mut mpsc::Sender<String>,
) -> Ended {
    loop {
        let mut gathered = Gathered::default();
        let mut next = Some(next_text(reader).await);
        while let Some(text) = next.take() {
            match text {
                Ok(text) => gathered.take(id, &text),
                Err(ended) => gathered.ended = Some(ended),
            }
            if gathered.has_room() {
                // What has arrived with it is handed over with it.
                next = text_at_hand(reader);
            }
        }
        let Gathered {
            inputs,
            mistakes,
            ended,
            ..
        } = gathered;
        if !inputs.is_empty() && !gateway.tell_loop(|| FromGateway::Inputs(inputs)).await {
            return Ended::Close(CloseCode::GoingAway);
        }
        for mistake in mistakes {
            if replies.send(mistake).await.is_err() {
                return Ended::Gone;
            }
        }
        if let Some(ended) = ended {
            return ended;
        }
    }
}

/// Frames that came together.
#[derive(Default)]
struct Gathered {
    inputs: Vec<Input>,
    /// The answers to those that cannot be followed.
    mistakes: Vec<String>,
    bytes: usize,
    /// Nothing more is to be read.
    ended: Option<Ended>,
}

impl Gathered {
    fn has_room(&self) -> bool {
        self.ended.is_none()
            && self.inputs.len() + self.mistakes.len() < READ_FRAMES
            && self.bytes < READ_BYTES
    }

    fn take(&mut self, session: SessionId, text: &Utf8Bytes) {
        self.bytes += text.len();
        match frames_in::parse(text.as_str()) {
            Ok(ClientFrame::Send(request)) => self.inputs.push(Input::Send { session, request }),
            Ok(ClientFrame::Ack { call, epoch, seq }) => self.inputs.push(Input::Ack {
                session,
                call,
                epoch,
                seq,
            }),
            Ok(ClientFrame::Unlink) => self.inputs.push(Input::Unlink(session)),
            Ok(ClientFrame::Link(_)) => {
                let answer = frames_out::error("already_linked", "this session is linked");
                self.mistakes.push(answer);
            }
            Err(FrameError::NotAnObject) => self.ended = Some(Ended::Close(CloseCode::NotTheProtocol)),
            Err(error) => self.mistakes.push(mistake(error)),
        }
    }
}

fn mistake(error: FrameError) -> String {
    match error {
        FrameError::BadSend { reference } => frames_out::send_failed(&reference, SendRefusal::BadRequest),
        FrameError::BadField { frame, detail } => {
            frames_out::error("bad_request", &format!("{frame}: {detail}"))
        }
        FrameError::UnknownType(kind) => {
            frames_out::error("unknown_type", &format!("\"{kind}\" is no type of frame"))
        }
        FrameError::NotAnObject => frames_out::error("bad_request", "a frame is to be a JSON object"),
    }
}

/// The next text frame. Pings and pongs are answered by the library and only prove life.
async fn next_text(reader: &mut Reader) -> Result<Utf8Bytes, Ended> {
    loop {
        let Ok(heard) = timeout(SILENCE_MAX, reader.next()).await else {
            return Err(Ended::Gone);
        };
        if let Some(text) = text_of(heard) {
            return text;
        }
    }
}

/// The next text frame, if it has arrived already.
fn text_at_hand(reader: &mut Reader) -> Option<Result<Utf8Bytes, Ended>> {
    loop {
        let heard = reader.next().now_or_never()?;
        let text = text_of(heard);
        if text.is_some() {
            return text;
        }
    }
}

/// The text of a frame, or how the connection ended. `None` of frames that say nothing.
fn text_of(heard: Option<Result<Message, Error>>) -> Option<Result<Utf8Bytes, Ended>> {
    match heard {
        Some(Ok(Message::Text(text))) => Some(Ok(text)),
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => None,
        Some(Ok(Message::Binary(_) | Message::Frame(_)) | Err(Error::Utf8(_))) => {
            Some(Err(Ended::Close(CloseCode::NotTheProtocol)))
        }
        Some(Err(Error::Capacity(CapacityError::MessageTooLong { .. }))) => {
            Some(Err(Ended::Close(CloseCode::TooLarge)))
        }
        Some(Ok(Message::Close(_)) | Err(_)) | None => Some(Err(Ended::Gone)),
    }
}

/// Writes what the loop has until the session is to be closed. `None`: the connection is gone.
async fn write_frames(
    gateway: &Gateway,
    id: SessionId,
    writer: &mut Writer,
    facts: &SessionFacts,
    mut written: Written,
    notices: &mut mpsc::Receiver<ToSession>,
    own_words: &mut mpsc::Receiver<String>,
) -> Option<CloseCode> {
    let mut pings = interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut next = notices.try_recv().ok();
    loop {
        let mut gathered = 0;
        while let Some(told) = next.take() {
            let frame = match told {
                ToSession::Close(code) => {
                    flush(writer).await.ok()?;
                    return Some(code);
                }
                ToSession::Notice(notice) => written.note(&notice, facts),
            };
            if let Err(ended) = within(writer.feed(frame)).await {
                return ended;
            }
            gathered += 1;
            if gathered < GATHER_FRAMES {
                next = notices.try_recv().ok();
            }
        }
        if let Err(ended) = within(writer.flush()).await {
            return ended;
        }
        if written.is_worth_a_report() {
            let Written { frames, bytes } = std::mem::take(&mut written);
            let report = || {
                FromGateway::Input(Input::Written {
                    session: id,
                    frames,
                    bytes,
                })
            };
            if !gateway.tell_loop(report).await {
                return None;
            }
        }
        tokio::select! {
            // Pings first: a terminal that is sent frames without end has to show that it lives, too.
            biased;
            _ = pings.tick() => {
                if let Err(ended) = within(writer.feed(Message::Ping(Bytes::new()))).await {
                    return ended;
                }
            }
            told = notices.next() => match told {
                // The loop gave the session up because its queue was full.
                None => return Some(CloseCode::TooSlow),
                told => next = told,
            },
            Some(text) = own_words.next() => {
                if let Err(ended) = within(writer.feed(Message::text(text))).await {
                    return ended;
                }
            }
        }
    }
}

/// What was written and not reported yet.
#[derive(Default)]
struct Written {
    frames: usize,
    bytes: usize,
}

impl Written {
    /// The frame of a notice that is about to be written.
    fn note(&mut self, notice: &Notice, facts: &SessionFacts) -> Message {
        self.frames += 1;
        self.bytes += notice_bytes(notice);
        Message::text(frames_out::encode(notice, facts))
    }

    fn is_worth_a_report(&self) -> bool {
        self.frames >= REPORT_FRAMES || self.bytes >= REPORT_BYTES
    }
}

/// A write that takes too long is a terminal that is too slow; one that fails is a terminal that is gone.
async fn within(write: impl Future<Output = Result<(), Error>>) -> Result<(), Option<CloseCode>> {
    match timeout(WRITE_TIMEOUT, write).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(None),
        Err(_) => Err(Some(CloseCode::TooSlow)),
    }
}

async fn flush(writer: &mut Writer) -> Result<(), Option<CloseCode>> {
    within(writer.flush()).await
}

/// Says why, and waits a little for the other side to say so too.
///
/// What a terminal still sends is read to the end: to close on unread bytes would reset the
/// connection, and the terminal might never see why.
async fn close(reader: Reader, writer: Writer, code: CloseCode) {
    let Ok(mut socket) = writer.reunite(reader) else {
        return;
    };
    let frame = CloseFrame {
        code: code.number().into(),
        reason: code.words().into(),
    };
    let closing = async {
        socket.close(Some(frame)).await?;
        while let Some(Ok(_)) = socket.next().await {}
        let connection = socket.get_mut();
        connection.shutdown().await?;
        tokio::io::copy(connection, &mut tokio::io::sink()).await?;
        Ok::<(), Error>(())
    };
    if timeout(CLOSE_TIMEOUT, closing).await.is_err() {
        debug!("the terminal did not answer the close");
    }
}
