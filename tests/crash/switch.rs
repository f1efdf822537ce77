//! The switch: what it says of calls, and what it meant when it was interrupted.
//!
//! A line that was posted and not answered, because the relay was killed, is said again after the restart if the
//! relay does not know of it. One that was answered ought to be known; if it is not, that is counted as forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use crate::dice::Dice;
use crate::http::ask;
use crate::ledger::Ledger;
use crate::place::TOKEN;
use crate::relay::Addresses;
use crate::terminal::Shared;

/// How long to wait before a line is said again.
const AGAIN: Duration = Duration::from_millis(20);

/// Two phones that talk, as the switch has it.
#[derive(Debug)]
struct Talk {
    /// The relay's id of it, once that is known.
    call: Option<String>,
    parties: [String; 2],
    /// Everybody who was ever party to it.
    past: BTreeSet<String>,
    /// Who holds.
    holder: Option<String>,
    is_over: bool,
    /// The last transfer: who left, and who came.
    transfer: Option<(String, String)>,
    /// Whether all that was said of it was answered.
    is_answered: bool,
}

/// What stands, as the relay has it: parties and state, by id.
pub(crate) type Standing = BTreeMap<String, (BTreeSet<String>, String)>;

/// See the module.
#[derive(Debug)]
pub(crate) struct Switch {
    phones: Vec<String>,
    talks: Vec<Talk>,
    talks_max: usize,
    dice: Dice,
}

impl Switch {
    /// With these phones, of which a few do not talk at any time.
    pub(crate) fn new(phones: Vec<String>, dice: Dice) -> Self {
        let talks_max = phones.len() * 2 / 5;
        Self {
            phones,
            talks: Vec::new(),
            talks_max,
            dice,
        }
    }

    /// Makes as many calls as there may be.
    pub(crate) async fn fill_up(&mut self, relay: Addresses, shared: &Shared) -> Option<()> {
        while self.talks.len() < self.talks_max {
            self.begin_call(relay, shared).await?;
        }
        Some(())
    }

    /// Does something. `None`: the relay is gone.
    pub(crate) async fn act(&mut self, relay: Addresses, shared: &Shared) -> Option<()> {
        if self.talks.len() < self.talks_max {
            return self.begin_call(relay, shared).await;
        }
        let index = usize::try_from(self.dice.next() % self.talks.len() as u64).unwrap_or(0);
        match self.dice.between(0, 9) {
            0..=4 if self.talks[index].holder.is_none() => self.hold(index, relay, shared).await,
            0..=4 => self.resume(index, relay, shared).await,
            5..=6 => self.transfer(index, relay, shared).await,
            _ => self.end(index, relay, shared).await,
        }
    }

    /// Ends a few of the calls that the relay knows of.
    pub(crate) async fn end_some(&mut self, relay: Addresses, shared: &Shared) -> Option<()> {
        let standing = standing(relay).await?;
        for index in (0..self.talks.len()).rev() {
            let call = self.talks[index].call.as_ref();
            let is_known = call.is_some_and(|call| standing.contains_key(call));
            if is_known && self.talks[index].is_answered && self.dice.chance(20) {
                self.end(index, relay, shared).await?;
            }
        }
        Some(())
    }

    /// Ends all calls.
    pub(crate) async fn end_all(&mut self, relay: Addresses, shared: &Shared) -> Option<()> {
        while !self.talks.is_empty() {
            self.end(0, relay, shared).await?;
        }
        Some(())
    }

    /// Lets everybody resume, or about so many of a hundred.
    pub(crate) async fn resume_some(
        &mut self,
        percent: u64,
        relay: Addresses,
        shared: &Shared,
    ) -> Option<()> {
        for index in 0..self.talks.len() {
            if self.talks[index].holder.is_some() && self.dice.chance(percent) {
                self.resume(index, relay, shared).await?;
            }
        }
        Some(())
    }

    fn idle(&mut self, except: &BTreeSet<String>) -> Option<String> {
        let talks = |phone: &&String| self.talks.iter().any(|talk| talk.parties.contains(phone));
        let idle = self
            .phones
            .iter()
            .filter(|phone| !talks(phone) && !except.contains(*phone));
        let idle: Vec<String> = idle.cloned().collect();
        self.dice.pick(&idle)
    }

    async fn begin_call(&mut self, relay: Addresses, shared: &Shared) -> Option<()> {
        let from = self.idle(&BTreeSet::new())?;
        let to = self.idle(&BTreeSet::from([from.clone()]))?;
        self.talks.push(Talk {
            call: None,
            parties: [from.clone(), to.clone()],
            past: BTreeSet::from([from, to]),
            holder: None,
            is_over: false,
            transfer: None,
            is_answered: false,
        });
        self.say_call(self.talks.len() - 1, relay, shared).await
    }

    async fn say_call(&mut self, index: usize, relay: Addresses, shared: &Shared) -> Option<()> {
        let talk = &mut self.talks[index];
        let [from, to] = &talk.parties;
        post(relay, &format!("CALL FROM={from} TO={to}")).await?;
        let standing = standing(relay).await?;
        talk.is_answered = true;
        let known: Vec<String> = self.talks.iter().filter_map(|talk| talk.call.clone()).collect();
        let talk = &mut self.talks[index];
        talk.adopt(&standing, &known, &mut shared.ledger.lock().unwrap());
        assert!(talk.call.is_some(), "{talk:?} is not among {standing:?}");
        Some(())
    }

    async fn hold(&mut self, index: usize, relay: Addresses, shared: &Shared) -> Option<()> {
        let talk = &mut self.talks[index];
        let holder = self.dice.pick(&talk.parties)?;
        talk.holder = Some(holder.clone());
        talk.is_answered = false;
        shared.ledger.lock().unwrap().hold(talk.call.as_ref()?, true);
        post(relay, &format!("HOLD_ON FROM={holder}")).await?;
        talk.is_answered = true;
        Some(())
    }

    async fn resume(&mut self, index: usize, relay: Addresses, shared: &Shared) -> Option<()> {
        let talk = &mut self.talks[index];
        let holder = talk.holder.take()?;
        talk.is_answered = false;
        shared.ledger.lock().unwrap().hold(talk.call.as_ref()?, false);
        post(relay, &format!("HOLD_OFF FROM={holder}")).await?;
        talk.is_answered = true;
        Some(())
    }

    async fn transfer(&mut self, index: usize, relay: Addresses, shared: &Shared) -> Option<()> {
        let past = self.talks[index].past.clone();
        let Some(target) = self.idle(&past) else {
            return Some(());
        };
        let talk = &mut self.talks[index];
        let leaving = usize::from(self.dice.chance(50));
        let from = std::mem::replace(&mut talk.parties[leaving], target.clone());
        talk.past.insert(target.clone());
        talk.transfer = Some((from.clone(), target));
        talk.is_answered = false;
        {
            let mut ledger = shared.ledger.lock().unwrap();
            if talk.holder.as_ref() == Some(&from) {
                // A hold ends with its channel.
                talk.holder = None;
                ledger.hold(talk.call.as_ref()?, false);
            }
            ledger.transfer_begins(talk.call.as_ref()?, &talk.parties);
        }
        self.say_transfer(index, relay, shared).await
    }

    async fn say_transfer(&mut self, index: usize, relay: Addresses, shared: &Shared) -> Option<()> {
        let talk = &mut self.talks[index];
        let (from, to) = talk.transfer.as_ref()?;
        post(relay, &format!("TRANSFER FROM={from} TO={to}")).await?;
        talk.is_answered = true;
        shared
            .ledger
            .lock()
            .unwrap()
            .transfer_is_known(talk.call.as_ref()?);
        Some(())
    }

    async fn end(&mut self, index: usize, relay: Addresses, shared: &Shared) -> Option<()> {
        let talk = &mut self.talks[index];
        talk.is_over = true;
        talk.is_answered = false;
        let moment = shared.moment();
        shared.ledger.lock().unwrap().ends(talk.call.as_ref()?, moment);
        post(relay, &format!("BYE FROM={}", self.dice.pick(&talk.parties)?)).await?;
        // Whether the relay keeps it in mind is seen after the next restart; these phones may call others meanwhile,
        // so that is not repeated blindly.
        self.talks.remove(index);
        Some(())
    }

    /// The relay was started again: says once more what it does not know.
    pub(crate) async fn reconcile(&mut self, relay: Addresses, shared: &Shared) -> Option<()> {
        let mut standing = standing(relay).await?;
        let mut known: Vec<String> = self.talks.iter().filter_map(|talk| talk.call.clone()).collect();
        for talk in self.talks.iter_mut().filter(|talk| talk.call.is_none()) {
            talk.adopt(&standing, &known, &mut shared.ledger.lock().unwrap());
            known.extend(talk.call.clone());
        }
        // Whoever is said to have hung up must not come back.
        let phantoms: Vec<(String, BTreeSet<String>)> = standing
            .iter()
            .filter(|(id, _)| !known.contains(id))
            .map(|(id, (parties, _))| (id.clone(), parties.clone()))
            .collect();
        for (id, parties) in phantoms {
            {
                let mut ledger = shared.ledger.lock().unwrap();
                ledger.forgotten(&format!("the end of {id}, of {parties:?}"));
            }
            post(relay, &format!("BYE FROM={}", parties.first()?)).await?;
            standing.remove(&id);
        }
        let ids: BTreeSet<String> = standing.keys().cloned().collect();
        shared.ledger.lock().unwrap().vanished(&ids);
        for index in (0..self.talks.len()).rev() {
            self.repeat(index, &standing, relay, shared).await?;
        }
        Some(())
    }

    /// Brings the relay to where the switch is with this call.
    async fn repeat(
        &mut self,
        index: usize,
        standing: &Standing,
        relay: Addresses,
        shared: &Shared,
    ) -> Option<()> {
        let talk = &mut self.talks[index];
        let found = talk.call.as_ref().and_then(|call| standing.get(call));
        let forgotten = |talk: &Talk, what: &str| {
            if talk.is_answered {
                shared
                    .ledger
                    .lock()
                    .unwrap()
                    .forgotten(&format!("{what} of {talk:?}: there is {found:?}"));
            }
        };
        let Some((parties, state)) = found else {
            if talk.is_over {
                self.talks.remove(index);
                return Some(());
            }
            forgotten(talk, "the beginning");
            // Another call of the same phones, with nothing in it.
            talk.call = None;
            talk.holder = None;
            talk.transfer = None;
            talk.past = talk.parties.iter().cloned().collect();
            return self.say_call(index, relay, shared).await;
        };
        if *parties != talk.parties.iter().cloned().collect() {
            forgotten(talk, "the transfer");
            let call = talk.call.clone()?;
            shared.ledger.lock().unwrap().transfer_is_forgotten(&call);
            self.say_transfer(index, relay, shared).await?;
        } else if talk.transfer.is_some() {
            let call = talk.call.clone()?;
            shared.ledger.lock().unwrap().transfer_is_known(&call);
        }
        let talk = &mut self.talks[index];
        // That of a resume may be seen: it counts only after a moment.
        if talk.holder.is_some() && state != "held" {
            forgotten(talk, "the hold");
        }
        if let Some(holder) = &talk.holder {
            post(relay, &format!("HOLD_ON FROM={holder}")).await?;
        } else {
            for party in &talk.parties {
                post(relay, &format!("HOLD_OFF FROM={party}")).await?;
            }
        }
        talk.is_answered = true;
        if talk.is_over {
            return self.end(index, relay, shared).await;
        }
        Some(())
    }
}

impl Talk {
    /// Finds it by its phones, among calls that are not known yet.
    fn adopt(&mut self, standing: &Standing, known: &[String], ledger: &mut Ledger) {
        let parties: BTreeSet<String> = self.parties.iter().cloned().collect();
        let found = standing
            .iter()
            .find(|(id, (phones, _))| *phones == parties && !known.contains(id));
        if let Some((id, _)) = found {
            ledger.call_is_known(id, &self.parties);
            self.call = Some(id.clone());
        }
    }
}

/// Says a line until it is known for good. `None`: the relay is gone.
pub(crate) async fn post(relay: Addresses, line: &str) -> Option<()> {
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    let mut is_repeated = false;
    loop {
        let (status, answer) = ask(relay.terminals, "POST", "/v1/pbx/floor/events", &token, line).await?;
        match status {
            200 => return Some(()),
            // It has been taken in the first time.
            400 if is_repeated && line.starts_with("TRANSFER") => return Some(()),
            503 => is_repeated = true,
            _ => panic!("{line}: {answer}"),
        }
        sleep(AGAIN).await;
    }
}

/// The calls that the relay knows of.
pub(crate) async fn standing(relay: Addresses) -> Option<Standing> {
    let (_, answer) = ask(relay.operator, "GET", "/v1/calls", "", "").await?;
    let answer: Value = serde_json::from_str(&answer).ok()?;
    let calls = answer["calls"].as_array()?.iter();
    let standing = calls.filter(|call| call["state"] != "ended").map(|call| {
        let parties = call["parties"].as_array().into_iter().flatten();
        let phones = parties.filter_map(|party| Some(party["phone"].as_str()?.to_owned()));
        let text = |name: &str| call[name].as_str().unwrap_or_default().to_owned();
        (text("call"), (phones.collect(), text("state")))
    });
    Some(standing.collect())
}
