//! A small ARI server: answers the requests that the adapter makes, and hands each WebSocket to the
//! test, to be fed, starved and cut.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// The user that [`FakeAri`] knows.
pub(crate) const USERNAME: &str = "watcher";
/// Its password, in no other word of these tests.
pub(crate) const PASSWORD: &str = "s3cr3t-Zebra";

/// The server. It answers until it is dropped.
pub(crate) struct FakeAri {
    pub(crate) addr: SocketAddr,
    shared: Arc<Shared>,
    sockets: mpsc::Receiver<FakeSocket>,
    accepting: tokio::task::JoinHandle<()>,
}

/// What the server answers, and what it was asked.
struct Shared {
    state: Mutex<State>,
    asked: watch::Sender<u64>,
    sockets: mpsc::Sender<FakeSocket>,
}

struct State {
    password: String,
    answers: HashMap<&'static str, (u16, String)>,
    gates: HashMap<&'static str, Arc<Semaphore>>,
    disallowed: Value,
    asked: Vec<String>,
}

impl FakeAri {
    /// An empty Asterisk.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (sender, sockets) = mpsc::channel(16);
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                password: PASSWORD.to_owned(),
                answers: HashMap::new(),
                gates: HashMap::new(),
                disallowed: json!([]),
                asked: Vec::new(),
            }),
            asked: watch::Sender::new(0),
            sockets: sender,
        });
        let serving = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&serving)));
            }
        });
        Self {
            addr,
            shared,
            sockets,
            accepting,
        }
    }

    /// The base address that belongs into the configuration.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/ari", self.addr)
    }

    /// Answers a request (`"GET /channels"`) with this, from now on.
    pub(crate) fn answer(&self, request: &'static str, status: u16, body: &Value) {
        self.state().answers.insert(request, (status, body.to_string()));
    }

    /// Answers a request in the ordinary way again.
    pub(crate) fn answer_as_usual(&self, request: &'static str) {
        self.state().answers.remove(request);
    }

    /// Lets a request wait for its answer until [`FakeAri::release`].
    pub(crate) fn hold(&self, request: &'static str) {
        self.state().gates.insert(request, Arc::new(Semaphore::new(0)));
    }

    pub(crate) fn release(&self, request: &'static str) {
        if let Some(gate) = self.state().gates.remove(request) {
            gate.close();
        }
    }

    /// Only this password is right from now on.
    pub(crate) fn change_password(&self, password: &str) {
        password.clone_into(&mut self.state().password);
    }

    /// Everything that was asked so far: method, address without `/ari`, body.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.state().asked.clone()
    }

    /// How often something that begins like this was asked.
    pub(crate) fn times_asked(&self, request: &str) -> usize {
        self.state()
            .asked
            .iter()
            .filter(|asked| asked.starts_with(request))
            .count()
    }

    /// Waits until something that begins like this has been asked so many times.
    pub(crate) async fn until_asked(&self, request: &str, times: usize) {
        let mut asked = self.shared.asked.subscribe();
        while self.times_asked(request) < times {
            asked.changed().await.unwrap();
        }
    }

    /// The next WebSocket that somebody opens.
    pub(crate) async fn socket(&mut self) -> FakeSocket {
        self.sockets.recv().await.unwrap()
    }

    /// Whether nobody has opened a WebSocket since the last one that was taken.
    pub(crate) fn no_socket(&mut self) -> bool {
        self.sockets.try_recv().is_err()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }
}

impl Drop for FakeAri {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// One request, and its answer; then the connection is closed, unless it became a WebSocket.
async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let mut stream = BufReader::new(stream);
    let mut first = String::new();
    if stream.read_line(&mut first).await.unwrap_or(0) == 0 {
        return;
    }
    let mut words = first.split_whitespace();
    let method = words.next().unwrap().to_owned();
    let target = words
        .next()
        .unwrap()
        .strip_prefix("/ari")
        .unwrap_or("/elsewhere")
        .to_owned();
    let headers = headers(&mut stream).await;
    let length = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    let body = String::from_utf8(body).unwrap();

    let path = target.split('?').next().unwrap();
    let name = match path.split('/').collect::<Vec<_>>().as_slice() {
        ["", "applications", _, rest @ ..] => format!("{method} /applications/{}", rest.join("/")),
        _ => format!("{method} {path}"),
    };
    let name = name.trim_end_matches('/').to_owned();
    let gate = {
        let mut state = shared.state.lock().unwrap();
        state
            .asked
            .push(format!("{method} {target} {body}").trim_end().to_owned());
        state
            .gates
            .iter()
            .find(|(gated, _)| **gated == name)
            .map(|(_, gate)| Arc::clone(gate))
    };
    shared.asked.send_modify(|asked| *asked += 1);
    if let Some(gate) = gate {
        let _ = gate.acquire().await;
    }
    let (status, answer) = answer(&shared, &name, headers.get("authorization"), &body);
    if status == 200 && name == "GET /events" {
        upgrade(stream.into_inner(), &headers["sec-websocket-key"], &shared).await;
        return;
    }
    let answer = format!(
        "HTTP/1.1 {status} Whatever\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: \
         close\r\n\r\n{answer}",
        answer.len()
    );
    let _ = stream.write_all(answer.as_bytes()).await;
}

async fn headers(stream: &mut BufReader<TcpStream>) -> HashMap<String, String> {
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        let Some((name, value)) = line.split_once(':') else {
            return headers;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
}

fn answer(shared: &Shared, name: &str, authorization: Option<&String>, body: &str) -> (u16, String) {
    let mut state = shared.state.lock().unwrap();
    let expected = format!(
        "Basic {}",
        BASE64_STANDARD.encode(format!("{USERNAME}:{}", state.password))
    );
    if authorization != Some(&expected) {
        return (401, json!({"message": "Authentication required"}).to_string());
    }
    if let Some(answer) = state.answers.iter().find(|(request, _)| **request == name) {
        return answer.1.clone();
    }
    let application = |disallowed: &Value| {
        json!({
            "name": "callrelay", "events_disallowed": disallowed,
            "channel_ids": ["ALL_CHANNELS"], "bridge_ids": ["ALL_BRIDGES"],
        })
    };
    let answer = match name {
        "GET /channels" | "GET /bridges" | "GET /endpoints" | "GET /events" => json!([]),
        "PUT /applications/eventFilter" => {
            let filter: Value = serde_json::from_str(body).unwrap();
            state.disallowed = filter["disallowed"].clone();
            application(&state.disallowed)
        }
        "GET /applications" | "POST /applications/subscription" | "DELETE /applications/subscription" => {
            application(&state.disallowed)
        }
        _ => return (404, json!({"message": "Resource not found"}).to_string()),
    };
    (200, answer.to_string())
}

async fn upgrade(mut stream: TcpStream, key: &str, shared: &Shared) {
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: \
         Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        derive_accept_key(key.as_bytes())
    );
    // Asterisk forgets the filter with the WebSocket, and knows the application by then.
    shared.state.lock().unwrap().disallowed = json!([]);
    stream.write_all(answer.as_bytes()).await.unwrap();
    let ws = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    let (orders, orders_of_socket) = mpsc::channel(16);
    let seen = Arc::new(Seen::default());
    tokio::spawn(run(ws, orders_of_socket, Arc::clone(&seen)));
    shared.sockets.send(FakeSocket { orders, seen }).await.unwrap();
}

/// The server's end of one WebSocket.
pub(crate) struct FakeSocket {
    orders: mpsc::Sender<Order>,
    seen: Arc<Seen>,
}

enum Order {
    Send(Message),
    /// Answered when the pong comes, so that all that was sent before has been read.
    Settle(oneshot::Sender<()>),
    /// Neither reads nor writes any more, but keeps the connection open.
    PlayDead,
    Close,
}

/// What the client did with the socket.
#[derive(Default)]
struct Seen {
    pings: watch::Sender<usize>,
    ended: watch::Sender<Option<bool>>,
    never: Notify,
}

impl FakeSocket {
    /// Sends an event.
    pub(crate) async fn event(&self, event: &Value) {
        self.text(&event.to_string()).await;
    }

    /// Sends anything; to nobody, if the client has gone.
    pub(crate) async fn text(&self, text: &str) {
        let _ = self.orders.send(Order::Send(Message::text(text))).await;
    }

    /// Waits until the client has read everything sent so far.
    pub(crate) async fn settle(&self) {
        let (settled, wait) = oneshot::channel();
        self.orders.send(Order::Settle(settled)).await.unwrap();
        wait.await.unwrap();
    }

    /// Cuts the connection without a close frame.
    pub(crate) fn cut(self) {
        drop(self.orders);
    }

    /// Closes in the orderly way.
    pub(crate) async fn close(&self) {
        self.orders.send(Order::Close).await.unwrap();
    }

    /// Looks open from now on, and is not there.
    pub(crate) async fn play_dead(&self) {
        self.orders.send(Order::PlayDead).await.unwrap();
    }

    /// Waits until the client has pinged so many times.
    pub(crate) async fn until_pinged(&self, times: usize) {
        self.seen
            .pings
            .subscribe()
            .wait_for(|pings| *pings >= times)
            .await
            .unwrap();
    }

    /// Waits until the client has gone; tells whether it said farewell.
    pub(crate) async fn until_ended(&self) -> bool {
        let mut ended = self.seen.ended.subscribe();
        let ended = ended.wait_for(Option::is_some).await.unwrap();
        ended.unwrap()
    }
}

async fn run(mut ws: WebSocketStream<TcpStream>, mut orders: mpsc::Receiver<Order>, seen: Arc<Seen>) {
    let mut settling: Vec<oneshot::Sender<()>> = Vec::new();
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Send(message)) => {
                    let _ = ws.send(message).await;
                }
                Some(Order::Settle(settled)) => {
                    settling.push(settled);
                    let _ = ws.send(Message::Ping(Bytes::from_static(b"settled?"))).await;
                }
                Some(Order::PlayDead) => seen.never.notified().await,
                Some(Order::Close) => {
                    let _ = ws.close(None).await;
                }
                None => return,
            },
            message = ws.next() => match message {
                Some(Ok(Message::Ping(_))) => seen.pings.send_modify(|pings| *pings += 1),
                Some(Ok(Message::Pong(_))) => {
                    if !settling.is_empty() {
                        let _ = settling.remove(0).send(());
                    }
                }
                Some(Ok(Message::Close(_))) => drop(seen.ended.send_replace(Some(true))),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => {
                    if seen.ended.borrow().is_none() {
                        seen.ended.send_replace(Some(false));
                    }
                    return;
                }
            },
        }
    }
}
