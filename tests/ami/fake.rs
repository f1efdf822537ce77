//! A manager that says what a test has it say.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use callrelay::asterisk::{Tuning, ami};
use callrelay::clock::Clock;
use callrelay::config;
use callrelay::model::PbxName;
use md5::{Digest as _, Md5};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use crate::connector::{Running, run, within};

const USERNAME: &str = "callrelay";
const PASSWORD: &str = "sesame";
const CHALLENGE: &str = "840415273";

/// What is sent at a time.
enum Order {
    Say(Vec<u8>),
    /// Reads nothing and says nothing any more.
    PlayDead,
    Cut,
}

/// What it knows and does.
#[derive(Default)]
struct Script {
    greeting: Option<&'static str>,
    /// The entries of lists, by the action that asks for them.
    lists: BTreeMap<&'static str, Vec<String>>,
    /// Actions that are not answered.
    ignored: Vec<&'static str>,
    /// Actions that the account may not ask.
    refused: Vec<&'static str>,
    /// What is said before the answer to this action.
    before: BTreeMap<&'static str, String>,
}

/// See the module.
pub(crate) struct FakeAmi {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    /// All actions that were read.
    actions: watch::Receiver<Vec<String>>,
    connections: mpsc::Receiver<Connection>,
}

/// One that was made to it.
pub(crate) struct Connection {
    orders: mpsc::Sender<Order>,
}

impl FakeAmi {
    pub(crate) async fn start() -> Self {
        Self::start_with(|socket| async { Some(socket) }).await
    }

    /// `accept` makes of each TCP connection what is spoken over.
    pub(crate) async fn start_with<S, F>(accept: impl Fn(tokio::net::TcpStream) -> F + Send + 'static) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
        F: Future<Output = Option<S>> + Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Mutex::new(Script::default()));
        let (noted, actions) = watch::channel(Vec::new());
        let noted = Arc::new(noted);
        let (queue, connections) = mpsc::channel(100);
        let scripts = Arc::clone(&script);
        tokio::spawn(async move {
            loop {
                let Ok((socket, _)) = listener.accept().await else {
                    return;
                };
                let Some(socket) = accept(socket).await else {
                    continue;
                };
                let (orders, ordered) = mpsc::channel(100);
                let _ = queue
                    .send(Connection {
                        orders: orders.clone(),
                    })
                    .await;
                tokio::spawn(speak(
                    socket,
                    ordered,
                    orders,
                    Arc::clone(&scripts),
                    Arc::clone(&noted),
                ));
            }
        });
        Self {
            address,
            script,
            actions,
            connections,
        }
    }

    /// How to reach it.
    pub(crate) fn settings(&self) -> config::Ami {
        config::Ami {
            url: format!("tcp://{}", self.address),
            host: self.address.ip().to_string(),
            port: self.address.port(),
            tls: false,
            ca: None,
            username: USERNAME.to_owned(),
            password: PASSWORD.into(),
        }
    }

    /// Runs a connector to it.
    pub(crate) fn heard(&self, tuning: Tuning) -> Running {
        hear(self.settings(), tuning)
    }

    pub(crate) fn greets(&self, greeting: &'static str) {
        self.script.lock().unwrap().greeting = Some(greeting);
    }

    /// The list that this action asks for, each entry as its lines.
    pub(crate) fn lists(&self, action: &'static str, entries: &[&str]) {
        let entries = entries.iter().map(|entry| (*entry).to_owned()).collect();
        self.script.lock().unwrap().lists.insert(action, entries);
    }

    /// Says that the account may not ask this.
    pub(crate) fn refuses(&self, action: &'static str) {
        self.script.lock().unwrap().refused.push(action);
    }

    /// Leaves this action unanswered.
    pub(crate) fn ignores(&self, action: &'static str) {
        self.script.lock().unwrap().ignored.push(action);
    }

    /// Says this before the answer to this action.
    pub(crate) fn says_before(&self, action: &'static str, text: &str) {
        self.script.lock().unwrap().before.insert(action, text.to_owned());
    }

    /// The next connection that is made to it.
    pub(crate) async fn connection(&mut self) -> Connection {
        within(self.connections.recv()).await.unwrap()
    }

    /// Whether nobody has connected to it since.
    pub(crate) fn no_connection(&mut self) -> bool {
        self.connections.try_recv().is_err()
    }

    /// All actions so far, without their ids; waits until this one is among them.
    pub(crate) async fn actions_until(&mut self, action: &str) -> Vec<String> {
        let there = self
            .actions
            .wait_for(|actions| actions.iter().any(|it| it.starts_with(action)));
        within(there).await.unwrap().clone()
    }
}

/// Runs a connector with these settings.
pub(crate) fn hear(settings: config::Ami, tuning: Tuning) -> Running {
    run(
        ami::connector(PbxName::new("main"), settings, Clock::start()),
        tuning,
        16,
    )
}

impl Connection {
    /// Sends an event, given as its lines.
    pub(crate) async fn says(&self, lines: &str) {
        self.sends(format!("{}\r\n\r\n", lines.replace('\n', "\r\n")).as_bytes())
            .await;
    }

    pub(crate) async fn sends(&self, bytes: &[u8]) {
        let _ = self.orders.send(Order::Say(bytes.to_vec())).await;
    }

    pub(crate) async fn plays_dead(&self) {
        let _ = self.orders.send(Order::PlayDead).await;
    }

    pub(crate) async fn cuts(&self) {
        let _ = self.orders.send(Order::Cut).await;
    }
}

async fn speak(
    socket: impl AsyncRead + AsyncWrite + Send + 'static,
    mut ordered: mpsc::Receiver<Order>,
    orders: mpsc::Sender<Order>,
    script: Arc<Mutex<Script>>,
    noted: Arc<watch::Sender<Vec<String>>>,
) {
    let (reading, mut writing) = tokio::io::split(socket);
    let greeting = script
        .lock()
        .unwrap()
        .greeting
        .unwrap_or("Asterisk Call Manager/9.0.0\r\n");
    if writing.write_all(greeting.as_bytes()).await.is_err() {
        return;
    }
    let reader = tokio::spawn(async move {
        let mut lines = BufReader::new(reading).lines();
        let mut action = Vec::new();
        while let Ok(Some(line)) = lines.next_line().await {
            if !line.is_empty() {
                action.push(line);
                continue;
            }
            let answer = answer(&std::mem::take(&mut action), &script.lock().unwrap(), &noted);
            if orders.send(Order::Say(answer.into_bytes())).await.is_err() {
                return;
            }
        }
    });
    while let Some(order) = ordered.recv().await {
        match order {
            Order::Say(bytes) => {
                if writing.write_all(&bytes).await.is_err() {
                    break;
                }
            }
            Order::PlayDead => {
                reader.abort();
                std::future::pending::<()>().await;
            }
            Order::Cut => break,
        }
    }
    reader.abort();
}

fn answer(lines: &[String], script: &Script, noted: &watch::Sender<Vec<String>>) -> String {
    let field = |name: &str| {
        let values = lines.iter().filter_map(|line| line.split_once(": "));
        values
            .filter(|(its, _)| *its == name)
            .map(|(_, value)| value)
            .next()
            .unwrap_or_default()
    };
    let (action, id) = (field("Action"), field("ActionID"));
    let words = lines
        .iter()
        .filter(|line| !line.starts_with("ActionID") && !line.starts_with("Key"));
    let words: Vec<&str> = words
        .map(|line| line.strip_prefix("Action: ").unwrap_or(line))
        .collect();
    noted.send_modify(|actions| actions.push(words.join(", ")));
    if script.ignored.contains(&action) {
        return String::new();
    }
    let response = |rest: &str| format!("Response: {rest}\r\nActionID: {id}\r\n");
    let before = script.before.get(action).map(String::as_str).unwrap_or_default();
    if script.refused.contains(&action) {
        return format!("{}Message: Permission denied\r\n\r\n", response("Error"));
    }
    let said = match action {
        "Challenge" => format!("{}Challenge: {CHALLENGE}\r\n\r\n", response("Success")),
        "Login" => {
            let key = Md5::digest(format!("{CHALLENGE}{PASSWORD}"));
            let key = callrelay::files::hex(&key);
            if field("Username") == USERNAME && field("Key") == key {
                format!("{}Message: Authentication accepted\r\n\r\n", response("Success"))
            } else {
                format!("{}Message: Authentication failed\r\n\r\n", response("Error"))
            }
        }
        "Ping" => format!("{}Ping: Pong\r\n\r\n", response("Success")),
        "Filter" => format!("{}Success: Filter added\r\n\r\n", response("Success")),
        "CoreShowChannels" | "BridgeList" => {
            list(id, script.lists.get(action).map_or(&[][..], Vec::as_slice))
        }
        _ => match script.lists.get(action) {
            Some(entries) => list(id, entries),
            None => format!("{}Message: Invalid/unknown command\r\n\r\n", response("Error")),
        },
    };
    format!("{before}{said}")
}

fn list(id: &str, entries: &[String]) -> String {
    let entry_of = |entry: &String| {
        let lines = entry.replace('\n', "\r\n");
        format!("Event: Entry\r\nActionID: {id}\r\n{lines}\r\n\r\n")
    };
    let listed: Vec<String> = entries.iter().map(entry_of).collect();
    format!(
        "Response: Success\r\nActionID: {id}\r\nEventList: start\r\n\r\n{}\
         Event: Complete\r\nActionID: {id}\r\nEventList: Complete\r\nListItems: {}\r\n\r\n",
        listed.concat(),
        entries.len()
    )
}
