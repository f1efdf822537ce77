//! The stage on which scenes of the relay are played: it owns a [`Relay`], a store in memory, and the
//! terminals, and carries out the relay's effects as the runtime does.
//!
//! What a terminal hears is kept until the scene asks for it with [`Terminal::gets`], as short lines in
//! which random ids are named in order of appearance. A scene that ends while something was heard and
//! not asked for fails: what is asserted is everything there was.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use callrelay::model::{CallId, FileId, Moment, PbxName, Phone, SessionId};
use callrelay::relay::record::{CallRecord, FileRecord};
use callrelay::relay::{
    CloseReason, Effect, Input, Notice, Relay, Rules, SendRefusal, UploadPlace, Write, notice_bytes,
};
use callrelay::tracker::{
    Because, CallMemory, CallNumber, CallView, Conclusion, NamedPhone, RememberedParty, What,
};

use crate::drawer::Store;
use crate::lines::Names;
use crate::terminal::Terminal;

/// What a terminal hears.
#[derive(Clone, Debug)]
pub(crate) enum Heard {
    Notice(Notice),
    Closed(CloseReason),
}

/// A PBX call as the scene has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scene {
    phones: BTreeSet<Phone>,
    holders: BTreeSet<Phone>,
    transfer: Option<Phone>,
}

/// A file as it is when its bytes are safe.
pub(crate) fn uploaded(phone: &Phone, place: &UploadPlace, size: u64) -> FileRecord {
    FileRecord {
        file: place.file.clone(),
        call: place.call.clone(),
        phone: phone.clone(),
        name: "report.pdf".to_owned(),
        size,
        media_type: "application/pdf".to_owned(),
        sha256: String::new(),
    }
}

/// What a stage is made of.
pub(crate) struct Inner {
    pub(crate) rules: Rules,
    pub(crate) relay: Relay,
    /// Another one for each process, or ids would come again.
    seed: u64,
    pub(crate) now: Moment,
    pub(crate) calls: BTreeMap<u64, Scene>,
    pub(crate) heard: BTreeMap<SessionId, Vec<Heard>>,
    pub(crate) unwritten_frames: BTreeMap<SessionId, (usize, usize)>,
    pub(crate) slow: BTreeSet<SessionId>,
    pub(crate) last_session: u64,
    pub(crate) names: Names,
    pub(crate) store: Store,
}

/// The stage. Cheap to clone: all clones are the same stage.
#[derive(Clone)]
pub(crate) struct Stage(Rc<RefCell<Inner>>);

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(Rules::default())
    }

    pub(crate) fn with(rules: Rules) -> Self {
        Self(Rc::new(RefCell::new(Inner {
            relay: Relay::new(rules.clone(), 1),
            seed: 1,
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
        Terminal::new(self, phone, "desk")
    }

    pub(crate) fn terminal_named(&self, phone: &str, name: &str) -> Terminal {
        Terminal::new(self, phone, name)
    }

    /// A call begins.
    pub(crate) fn call(&self, number: u64, phones: &[&str]) {
        let scene = Scene {
            phones: phones.iter().copied().map(Phone::new).collect(),
            ..Scene::default()
        };
        self.0.borrow_mut().calls.insert(number, scene);
        self.concludes(number, What::Call { from: None, to: None });
    }

    pub(crate) fn rings(&self, number: u64, from: &str, to: &str) {
        let named = |phone: &str| NamedPhone {
            phone: Phone::new(phone),
            name: format!("User {phone}"),
        };
        self.concludes(
            number,
            What::Ringing {
                from: Some(named(from)),
                to: named(to),
            },
        );
    }

    pub(crate) fn stops_ringing(&self, number: u64, phones: &[&str]) {
        self.concludes(
            number,
            What::RingingOver {
                phones: phones.iter().copied().map(Phone::new).collect(),
            },
        );
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
            scene.holders.remove(from);
            scene.transfer = Some(Phone::new(from));
        });
        self.concludes(
            number,
            What::Transferring {
                from: Phone::new(from),
            },
        );
    }

    pub(crate) fn transfers(&self, number: u64, from: &str, to: &str) {
        self.change(number, |scene| {
            scene.phones.remove(from);
            scene.phones.insert(Phone::new(to));
            scene.holders.remove(from);
            scene.transfer = None;
        });
        self.concludes(
            number,
            What::Transfer {
                from: Phone::new(from),
                to: Phone::new(to),
            },
        );
    }

    /// The call `absorbed` becomes part of the call `number`.
    pub(crate) fn merges(&self, number: u64, absorbed: u64) {
        let gone = self.0.borrow_mut().calls.remove(&absorbed).unwrap_or_default();
        let mut joined = Vec::new();
        self.change(number, |scene| {
            joined = gone.phones.difference(&scene.phones).cloned().collect();
            scene.phones.extend(gone.phones);
            scene.holders.clear();
        });
        let absorbed = CallNumber(absorbed);
        self.concludes(number, What::Merge { absorbed, joined });
    }

    /// The transferred call comes back.
    pub(crate) fn comes_back(&self, number: u64) {
        self.change(number, |scene| {
            let back = scene.transfer.take();
            scene.phones.extend(back);
        });
        self.concludes(number, What::Call { from: None, to: None });
    }

    pub(crate) fn joins(&self, number: u64, phone: &str) {
        let phone = Phone::new(phone);
        self.change(number, |scene| {
            scene.phones.insert(phone.clone());
        });
        self.concludes(number, What::Join { phone });
    }

    pub(crate) fn leaves(&self, number: u64, phone: &str) {
        self.change(number, |scene| {
            scene.phones.remove(phone);
            scene.holders.remove(phone);
        });
        let phone = Phone::new(phone);
        self.concludes(number, What::Leave { phone });
    }

    pub(crate) fn bye(&self, number: u64) {
        self.0.borrow_mut().calls.remove(&number);
        self.concludes(number, What::Bye);
    }

    pub(crate) fn inner(&self) -> std::cell::RefMut<'_, Inner> {
        self.0.borrow_mut()
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
        let conclusion = Conclusion {
            at: inner.now,
            call: CallNumber(number),
            what,
            because: Because::TheyMet,
            view,
        };
        inner.handle(Input::Concluded {
            pbx: PbxName::new("main"),
            conclusion,
        });
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

    /// It writes once more, and nothing of what follows from that.
    pub(crate) fn store_pauses_after_a_batch(&self) {
        self.0.borrow_mut().store.batches_left = Some(1);
    }

    pub(crate) fn reads_pause(&self) {
        self.0.borrow_mut().store.reads_paused = true;
    }

    pub(crate) fn store_goes_on(&self) {
        let mut inner = self.0.borrow_mut();
        inner.store.paused = inner.store.broken;
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

    /// A phone uploads a file into its call.
    pub(crate) fn uploads(&self, phone: &str) -> FileId {
        let phone = Phone::new(phone);
        let place = self.asks_to_upload(&phone).expect("its phone is in a call");
        let record = uploaded(&phone, &place, 1_000);
        assert!(self.takes(record));
        place.file
    }

    pub(crate) fn asks_to_upload(&self, phone: &Phone) -> Result<UploadPlace, SendRefusal> {
        self.0.borrow_mut().relay.place_for_upload(phone, None)
    }

    /// Whether the relay takes a file in that was uploaded.
    pub(crate) fn takes(&self, record: FileRecord) -> bool {
        let mut inner = self.0.borrow_mut();
        let taken = inner.relay.take_file(record);
        inner.settle();
        taken
    }

    /// The phones among these that may read the file.
    pub(crate) fn readers<'a>(&self, file: &FileId, phones: &[&'a str]) -> Vec<&'a str> {
        let inner = self.0.borrow();
        let may = |phone: &&str| inner.relay.find_file(&Phone::new(phone), file).is_some();
        phones.iter().copied().filter(|phone| may(phone)).collect()
    }

    /// How many files the store has.
    pub(crate) fn stored_files(&self) -> usize {
        self.0.borrow().store.files.len()
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
        inner.seed += 1;
        inner.relay = Relay::new(inner.rules.clone(), inner.seed);
        inner.store.writes.clear();
        inner.store.reads.clear();
        inner.store.paused = false;
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
        inner
            .store
            .messages
            .values()
            .filter(|message| !message.body.is_empty())
            .map(|message| message.body.as_json().to_owned())
            .collect()
    }

    /// How many messages are in the store of which nothing but the sender's reference is kept.
    pub(crate) fn blank(&self) -> usize {
        let inner = self.0.borrow();
        let messages = inner.store.messages.values();
        messages.filter(|message| message.body.is_empty()).count()
    }

    /// The id of a call, by the name it has in the lines.
    pub(crate) fn call_id(&self, name: &str) -> CallId {
        self.0
            .borrow()
            .names
            .call(name)
            .expect("the call was named in a line")
    }

    /// The numbers of the messages of each call that are in the store, and their bodies.
    pub(crate) fn stored_of(&self, call: &CallId) -> BTreeMap<u64, String> {
        let inner = self.0.borrow();
        let of_call = inner
            .store
            .messages
            .values()
            .filter(|message| message.call == *call && !message.body.is_empty());
        of_call
            .map(|message| (message.number, message.body.as_json().to_owned()))
            .collect()
    }

    /// The calls that are in the store.
    pub(crate) fn stored_calls(&self) -> usize {
        self.0.borrow().store.calls.len()
    }

    /// Everything that was heard and not asked for yet.
    pub(crate) fn unasked(&self) -> BTreeMap<SessionId, Vec<String>> {
        let mut inner = self.0.borrow_mut();
        let Inner { heard, names, .. } = &mut *inner;
        let heard = std::mem::take(heard)
            .into_iter()
            .filter(|(_, lines)| !lines.is_empty());
        heard
            .map(|(session, lines)| (session, lines.iter().map(|line| names.line(line)).collect()))
            .collect()
    }

    pub(crate) fn asks_relay<T>(&self, question: impl FnOnce(&Relay) -> T) -> T {
        question(&self.0.borrow().relay)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if Rc::strong_count(&self.0) == 1 && !std::thread::panicking() {
            assert_eq!(
                self.unasked(),
                BTreeMap::new(),
                "somebody heard more than the scene says"
            );
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
        let party = |phone: &Phone| RememberedParty {
            phone: phone.clone(),
            name: name(phone),
            channels: Vec::new(),
        };
        CallView {
            parties: self
                .phones
                .iter()
                .map(|phone| (phone.clone(), name(phone)))
                .collect(),
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

impl Inner {
    fn number_of(&self, record: &CallRecord) -> u64 {
        let phones: BTreeSet<&Phone> = record.memory.parties.iter().map(|party| &party.phone).collect();
        let same = |scene: &Scene| scene.phones.iter().collect::<BTreeSet<_>>() == phones;
        self.calls
            .iter()
            .find(|(_, scene)| same(scene))
            .map_or(99, |(number, _)| *number)
    }

    pub(crate) fn handle(&mut self, input: Input) {
        self.now = self.now + Duration::from_millis(1);
        self.handle_now(input);
    }

    fn handle_now(&mut self, input: Input) {
        self.relay.handle(self.now, input);
        self.settle();
        let due = self.relay.next_deadline();
        assert!(
            due.is_none_or(|due| due > self.now),
            "a deadline is left in the past"
        );
    }

    /// Carries out effects, as the runtime does, until nothing is left to be done.
    pub(crate) fn settle(&mut self) {
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
            return Some(Input::Written {
                session,
                frames,
                bytes,
            });
        }
        if !self.store.paused && !self.store.writes.is_empty() {
            self.store.batches_left = self.store.batches_left.map(|batches| batches - 1);
            self.store.paused = self.store.batches_left.take_if(|batches| *batches == 0).is_some();
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
        let messages = request
            .rows
            .iter()
            .filter_map(|row| self.store.messages.get(row).cloned())
            .collect();
        Some(Input::RowsRead { request, messages })
    }
}
