//! The stage on which scenes of the relay are played: it owns a [`Relay`], a store in memory, and the
//! terminals, and carries out the relay's effects as the runtime does.
//!
//! What a terminal hears is kept until the scene asks for it with [`Terminal::gets`], as short lines in
//! which random ids are named in order of appearance. A scene that ends while something was heard and
//! not asked for fails: what is asserted is everything there was.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use callrelay::model::{Body, CallId, Epoch, Moment, PbxName, Phone, SessionId, TerminalName};
use callrelay::relay::record::{CallRecord, MessageHead, RestoredCall, StoredMessage};
use callrelay::relay::{
    CloseReason, Effect, Input, LinkRequest, Notice, ReadRequest, Relay, Replay, Resume, Rules, SendRequest,
    Write, notice_bytes,
};
use callrelay::tracker::{CallMemory, CallNumber, CallView, Conclusion, NamedPhone, RememberedParty, What};

use crate::lines::Names;

/// What a terminal hears.
#[derive(Clone, Debug)]
pub(crate) enum Heard {
    Notice(Notice),
    Closed(CloseReason),
}

/// A PBX call as the scene has it.
#[derive(Clone, Debug, Default)]
struct Scene {
    phones: BTreeSet<Phone>,
    holders: BTreeSet<Phone>,
    transfer: Option<Phone>,
}

struct Inner {
    rules: Rules,
    relay: Relay,
    now: Moment,
    calls: BTreeMap<u64, Scene>,
    heard: BTreeMap<SessionId, Vec<Heard>>,
    unwritten_frames: BTreeMap<SessionId, (usize, usize)>,
    slow: BTreeSet<SessionId>,
    last_session: u64,
    names: Names,
    store: Store,
}

/// The store: what was committed, and what is under way to it.
#[derive(Default)]
struct Store {
    messages: BTreeMap<u64, StoredMessage>,
    calls: BTreeMap<CallId, CallRecord>,
    writes: Vec<Write>,
    reads: Vec<ReadRequest>,
    paused: bool,
    reads_paused: bool,
    broken: bool,
}

/// The stage. Cheap to clone: all clones are the same stage.
#[derive(Clone)]
pub(crate) struct Stage(Rc<RefCell<Inner>>);

/// A terminal of one phone on a stage.
pub(crate) struct Terminal {
    stage: Stage,
    phone: Phone,
    name: TerminalName,
    session: Cell<Option<SessionId>>,
    references: Cell<u64>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(Rules::default())
    }

    pub(crate) fn with(rules: Rules) -> Self {
        Self(Rc::new(RefCell::new(Inner {
            relay: Relay::new(rules.clone(), 7),
            rules,
            now: Moment::from_secs_f64(1_000.0),
            calls: BTreeMap::new(),
            heard: BTreeMap::new(),
            unwritten_frames: BTreeMap::new(),
            slow: BTreeSet::new(),
            last_session: 0,
            names: Names::default(),
            store: Store::default(),
        })))
    }

    pub(crate) fn terminal(&self, phone: &str) -> Terminal {
        self.terminal_named(phone, "desk")
    }

    pub(crate) fn terminal_named(&self, phone: &str, name: &str) -> Terminal {
        Terminal {
            stage: self.clone(),
            phone: Phone::new(phone),
            name: TerminalName::new(name),
            session: Cell::new(None),
            references: Cell::new(0),
        }
    }

    /// A call begins.
    pub(crate) fn call(&self, number: u64, phones: &[&str]) {
        let scene = Scene { phones: phones.iter().copied().map(Phone::new).collect(), ..Scene::default() };
        self.0.borrow_mut().calls.insert(number, scene);
        self.concludes(number, What::Call { from: None, to: None });
    }

    pub(crate) fn rings(&self, number: u64, from: &str, to: &str) {
        let named = |phone: &str| NamedPhone { phone: Phone::new(phone), name: format!("User {phone}") };
        self.concludes(number, What::Ringing { from: Some(named(from)), to: named(to) });
    }

    pub(crate) fn stops_ringing(&self, number: u64, phones: &[&str]) {
        self.concludes(number, What::RingingOver { phones: phones.iter().copied().map(Phone::new).collect() });
    }

    pub(crate) fn holds(&self, number: u64, by: &str) {
        self.change(number, |scene| {
            scene.holders.insert(Phone::new(by));
        });
        self.concludes(number, What::HoldOn { by: Phone::new(by) });
    }

    pub(crate) fn resumes(&self, number: u64, by: &str) {
        self.change(number, |scene| {
            scene.holders.remove(by);
        });
        self.concludes(number, What::HoldOff { by: Phone::new(by) });
    }

    /// A blind transfer was carried out; its target has not answered.
    pub(crate) fn sets_out(&self, number: u64, from: &str) {
        self.change(number, |scene| {
            scene.phones.remove(from);
            scene.holders.clear();
            scene.transfer = Some(Phone::new(from));
        });
        self.concludes(number, What::Transferring { from: Phone::new(from) });
    }

    pub(crate) fn transfers(&self, number: u64, from: &str, to: &str) {
        self.change(number, |scene| {
            scene.phones.remove(from);
            scene.phones.insert(Phone::new(to));
            scene.holders.clear();
            scene.transfer = None;
        });
        self.concludes(number, What::Transfer { from: Phone::new(from), to: Phone::new(to) });
    }

    /// The transferred call comes back.
    pub(crate) fn comes_back(&self, number: u64) {
        self.change(number, |scene| {
            let back = scene.transfer.take();
            scene.phones.extend(back);
        });
        self.concludes(number, What::Call { from: None, to: None });
    }

    pub(crate) fn bye(&self, number: u64) {
        self.0.borrow_mut().calls.remove(&number);
        self.concludes(number, What::Bye);
    }

    pub(crate) fn hears(&self, input: Input) {
        self.0.borrow_mut().handle(input);
    }

    fn change(&self, number: u64, change: impl FnOnce(&mut Scene)) {
        change(self.0.borrow_mut().calls.entry(number).or_default());
    }

    fn concludes(&self, number: u64, what: What) {
        let mut inner = self.0.borrow_mut();
        let view = inner.calls.get(&number).map(Scene::view).unwrap_or_default();
        let conclusion = Conclusion { at: inner.now, call: CallNumber(number), what, view };
        inner.handle(Input::Concluded { pbx: PbxName::new("main"), conclusion });
    }

    /// Time passes, with every deadline kept.
    pub(crate) fn waits(&self, time: Duration) {
        let mut inner = self.0.borrow_mut();
        let until = inner.now + time;
        while let Some(due) = inner.relay.next_deadline().filter(|due| *due <= until) {
            inner.now = inner.now.max(due);
            inner.handle_now(Input::Tick);
        }
        inner.now = until;
        inner.handle_now(Input::Tick);
    }

    /// What is written from now on waits until [`Stage::store_goes_on`].
    pub(crate) fn store_pauses(&self) {
        self.0.borrow_mut().store.paused = true;
    }

    pub(crate) fn reads_pause(&self) {
        self.0.borrow_mut().store.reads_paused = true;
    }

    pub(crate) fn store_goes_on(&self) {
        let mut inner = self.0.borrow_mut();
        inner.store.paused = false;
        inner.store.reads_paused = false;
        inner.settle();
    }

    /// What is under way fails, and everything after it until [`Stage::store_recovers`].
    pub(crate) fn store_breaks(&self) {
        let mut inner = self.0.borrow_mut();
        inner.store.broken = true;
        inner.store.paused = true;
        let unwritten = std::mem::take(&mut inner.store.writes);
        inner.handle(Input::StoreFailed { unwritten });
    }

    pub(crate) fn store_recovers(&self) {
        let mut inner = self.0.borrow_mut();
        inner.store.broken = false;
        inner.store.paused = false;
        inner.handle(Input::Committed { row: 0 });
    }

    /// The process dies; what was committed is all there is. Terminals have to link again.
    pub(crate) fn dies_and_comes_back(&self) {
        let mut inner = self.0.borrow_mut();
        inner.relay = Relay::new(inner.rules.clone(), 8);
        inner.store.writes.clear();
        inner.store.reads.clear();
        inner.heard.clear();
        inner.slow.clear();
        inner.unwritten_frames.clear();
        for restored in inner.store.restored() {
            if restored.record.ended_at.is_some() {
                inner.relay.restore_ended(&restored);
                continue;
            }
            let number = inner.number_of(&restored.record);
            inner.relay.restore(&restored, CallNumber(number));
        }
        inner.settle();
    }

    /// The bodies that are in the store.
    pub(crate) fn stored(&self) -> Vec<String> {
        let inner = self.0.borrow();
        inner.store.messages.values().map(|message| message.body.as_json().to_owned()).collect()
    }

    /// The id of a call, by the name it has in the lines.
    pub(crate) fn call_id(&self, name: &str) -> CallId {
        self.0.borrow().names.call(name).expect("the call was named in a line")
    }

    /// The calls that are in the store.
    pub(crate) fn stored_calls(&self) -> usize {
        self.0.borrow().store.calls.len()
    }

    /// Everything that was heard and not asked for yet.
    pub(crate) fn unasked(&self) -> BTreeMap<SessionId, Vec<String>> {
        let mut inner = self.0.borrow_mut();
        let Inner { heard, names, .. } = &mut *inner;
        let heard = std::mem::take(heard).into_iter().filter(|(_, lines)| !lines.is_empty());
        heard.map(|(session, lines)| (session, lines.iter().map(|line| names.line(line)).collect())).collect()
    }

    pub(crate) fn asks_relay<T>(&self, question: impl FnOnce(&Relay) -> T) -> T {
        question(&self.0.borrow().relay)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if Rc::strong_count(&self.0) == 1 && !std::thread::panicking() {
            assert_eq!(self.unasked(), BTreeMap::new(), "somebody heard more than the scene says");
        }
    }
}

impl Scene {
    fn view(&self) -> CallView {
        let paused = match (self.holders.is_empty(), self.phones.len()) {
            (true, _) => BTreeSet::new(),
            (false, ..=2) => self.phones.clone(),
            (false, _) => self.holders.clone(),
        };
        let name = |phone: &Phone| format!("User {phone}");
        let party = |phone: &Phone| RememberedParty { phone: phone.clone(), name: name(phone), channels: Vec::new() };
        CallView {
            parties: self.phones.iter().map(|phone| (phone.clone(), name(phone))).collect(),
            transferring: self.transfer.is_some(),
            memory: CallMemory {
                parties: self.phones.iter().map(party).collect(),
                paused: paused.iter().cloned().collect(),
                transfer: self.transfer.clone().map(|from| (from, String::new())),
                ..CallMemory::default()
            },
            paused,
        }
    }
}

impl Store {
    fn write(&mut self, write: Write) {
        match write {
            Write::Append(message) => {
                let before = self.messages.insert(message.row, message);
                assert_eq!(before, None, "a row number was used twice");
            }
            Write::PutCall(record) => {
                self.calls.insert(record.call.clone(), *record);
            }
            Write::EraseMessages(rows) => self.messages.retain(|row, _| !rows.contains(row)),
            Write::EraseCall(call) => {
                self.calls.remove(&call);
                let left = self.messages.values().filter(|message| message.call == call).count();
                assert_eq!(left, 0, "a call was erased and left messages behind");
            }
        }
    }

    fn restored(&self) -> Vec<RestoredCall> {
        let head = |message: &StoredMessage| MessageHead {
            row: message.row,
            number: message.number,
            id: message.id.clone(),
            reference: message.reference.clone(),
            from: message.from.clone(),
            key: message.key.clone(),
            size: message.body.len() as u64,
            held: message.held,
        };
        let of = |call: &CallId| self.messages.values().filter(|message| message.call == *call).map(head).collect();
        let restored = |record: &CallRecord| RestoredCall { record: record.clone(), messages: of(&record.call) };
        self.calls.values().map(restored).collect()
    }
}

impl Inner {
    fn number_of(&self, record: &CallRecord) -> u64 {
        let phones: BTreeSet<&Phone> = record.memory.parties.iter().map(|party| &party.phone).collect();
        let same = |scene: &Scene| scene.phones.iter().collect::<BTreeSet<_>>() == phones;
        self.calls.iter().find(|(_, scene)| same(scene)).map_or(99, |(number, _)| *number)
    }

    fn handle(&mut self, input: Input) {
        self.now = self.now + Duration::from_millis(1);
        self.handle_now(input);
    }

    fn handle_now(&mut self, input: Input) {
        self.relay.handle(self.now, input);
        self.settle();
        let due = self.relay.next_deadline();
        assert!(due.is_none_or(|due| due > self.now), "a deadline is left in the past");
    }

    /// Carries out effects, as the runtime does, until nothing is left to be done.
    fn settle(&mut self) {
        for _ in 0..100_000 {
            let effects: Vec<Effect> = self.relay.effects().collect();
            for effect in effects {
                self.carry_out(effect);
            }
            if let Some(input) = self.next_input() {
                self.relay.handle(self.now, input);
            } else {
                return;
            }
        }
        panic!("the relay and its store keep each other busy for ever");
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Tell(session, notice) => {
                let waiting = self.unwritten_frames.entry(session).or_default();
                if !matches!(notice, Notice::LinkFailed(_)) {
                    waiting.0 += 1;
                    waiting.1 += notice_bytes(&notice);
                }
                self.heard.entry(session).or_default().push(Heard::Notice(notice));
            }
            Effect::Close(session, reason) => {
                self.heard.entry(session).or_default().push(Heard::Closed(reason));
            }
            Effect::Write(write) => self.store.writes.push(write),
            Effect::Read(request) => self.store.reads.push(request),
        }
    }

    /// What the store or a socket answers next.
    fn next_input(&mut self) -> Option<Input> {
        let ready = |session: &SessionId| !self.slow.contains(session);
        if let Some(session) = self.unwritten_frames.keys().copied().find(ready) {
            let (frames, bytes) = self.unwritten_frames.remove(&session)?;
            return Some(Input::Written { session, frames, bytes });
        }
        if !self.store.paused && !self.store.writes.is_empty() {
            let mut row = 0;
            for write in std::mem::take(&mut self.store.writes) {
                if let Write::Append(message) = &write {
                    self.names.learn(message);
                    row = row.max(message.row);
                }
                self.store.write(write);
            }
            return Some(Input::Committed { row });
        }
        if self.store.reads_paused || self.store.reads.is_empty() {
            return None;
        }
        let request = self.store.reads.remove(0);
        let messages = request.rows.iter().filter_map(|row| self.store.messages.get(row).cloned()).collect();
        Some(Input::RowsRead { request, messages })
    }
}

impl Terminal {
    pub(crate) fn session(&self) -> SessionId {
        self.session.get().expect("the terminal is linked")
    }

    /// Links, if its phone is in a call.
    pub(crate) fn links(&self) {
        self.links_with(false, None, Replay::Unread);
    }

    /// Links, in a call or not.
    pub(crate) fn links_and_waits(&self) {
        self.links_with(true, None, Replay::Unread);
    }

    pub(crate) fn links_for_everything(&self) {
        self.links_with(true, None, Replay::All);
    }

    /// Links with a position. Epochs have the names they have in the lines.
    pub(crate) fn links_at(&self, epoch: &str, seq: u64) {
        let known = self.stage.0.borrow().names.epoch(epoch);
        let resume = Resume { epoch: known.unwrap_or_else(|| Epoch::new(epoch)), seq };
        self.links_with(true, Some(resume), Replay::Unread);
    }

    fn links_with(&self, wait: bool, resume: Option<Resume>, replay: Replay) {
        let mut inner = self.stage.0.borrow_mut();
        inner.last_session += 1;
        let session = SessionId(inner.last_session);
        self.session.set(Some(session));
        let request =
            LinkRequest { phone: self.phone.clone(), terminal: self.name.clone(), wait, resume, replay };
        inner.handle(Input::Link { session, request });
    }

    /// The connection is gone.
    pub(crate) fn drops(&self) {
        let session = self.session();
        self.stage.hears(Input::Closed(session));
        self.stage.0.borrow_mut().unwritten_frames.remove(&session);
    }

    /// Sends a text with a reference of its own: `r1`, `r2`, …
    pub(crate) fn sends(&self, text: &str) {
        self.references.set(self.references.get() + 1);
        self.sends_as(&format!("r{}", self.references.get()), text);
    }

    pub(crate) fn sends_as(&self, reference: &str, text: &str) {
        self.sends_request(SendRequest { reference: reference.to_owned(), ..self.request(text) });
    }

    pub(crate) fn sends_keyed(&self, reference: &str, key: &str, text: &str) {
        let request = SendRequest { reference: reference.to_owned(), ..self.request(text) };
        self.sends_request(SendRequest { key: Some(key.to_owned()), ..request });
    }

    pub(crate) fn sends_transient(&self, reference: &str, text: &str) {
        let request = SendRequest { reference: reference.to_owned(), ..self.request(text) };
        self.sends_request(SendRequest { transient: true, ..request });
    }

    pub(crate) fn request(&self, text: &str) -> SendRequest {
        SendRequest {
            reference: "r0".to_owned(),
            body: Body::new(format!("{text:?}")),
            kind: "chat".to_owned(),
            key: None,
            transient: false,
            call: None,
        }
    }

    pub(crate) fn sends_request(&self, request: SendRequest) {
        self.stage.hears(Input::Send { session: self.session(), request });
    }

    /// Acknowledges a row of a call, which has the name it has in the lines.
    pub(crate) fn acks(&self, call: &str, seq: u64) {
        let known = self.stage.0.borrow().names.call(call);
        let call = known.unwrap_or_else(|| CallId::new(call));
        self.stage.hears(Input::Ack { session: self.session(), call, seq });
    }

    /// Its frames are not written until [`Terminal::reads_on`].
    pub(crate) fn stops_reading(&self) {
        self.stage.0.borrow_mut().slow.insert(self.session());
    }

    pub(crate) fn reads_on(&self) {
        let mut inner = self.stage.0.borrow_mut();
        inner.slow.remove(&self.session());
        inner.settle();
    }

    /// Everything that was heard since it was last asked for, as it was.
    pub(crate) fn takes(&self) -> Vec<Heard> {
        self.stage.0.borrow_mut().heard.remove(&self.session()).unwrap_or_default()
    }

    /// Everything that was heard since it was last asked for, as lines.
    pub(crate) fn heard(&self) -> Vec<String> {
        let heard = self.takes();
        let names = &mut self.stage.0.borrow_mut().names;
        heard.iter().map(|line| names.line(line)).collect()
    }

    /// Asserts everything that was heard since it was last asked for.
    #[track_caller]
    pub(crate) fn gets(&self, expected: &[&str]) {
        assert_eq!(self.heard(), expected, "{} {}", self.phone, self.name);
    }
}
