//! Two accounts of the same events made one: pure.
//!
//! Both interfaces of an Asterisk say the same things of a channel, or of a bridge, in the same order, and neither waits
//! for the other. So each thing is counted, and the first one to say it for the second time, say, passes it on, whichever
//! that is. Whatever the other one says later is no news. Nothing is waited for: if one falls silent or is lost, the
//! other one is the first with everything.
//!
//! One that comes back while the other is there may be ahead of it, and has not heard what led to what it says. For a moment
//! it is only listened to; then what it said is laid beside what was passed on, by the times.

mod count;
mod looks;
mod thing;

use std::collections::BTreeMap;
use std::time::Duration;

use self::count::{Count, Walk};
use self::looks::{Look, Looks};
use self::thing::{Of, Thing, thing_of};
use crate::model::Moment;
use crate::tracker::event::{ChannelInfo, PbxEvent};

/// What happened so shortly before one of them was connected may be said by it.
const JUST_BEFORE: Duration = Duration::from_secs(2);
/// How long one that comes back is only listened to.
const PROBATION: Duration = TOGETHER;
/// What the two say within so long may be the same.
const TOGETHER: Duration = Duration::from_millis(500);
/// What is kept of it in that time at the most; with more it is over.
const KEPT_MAX: usize = 4_096;
/// How long one of them may be behind the other before that is a disagreement.
const BEHIND_MAX: Duration = Duration::from_secs(5);
/// What comes later than that is no news either, if it comes within so long.
const LATE_MAX: Duration = Duration::from_secs(30);
/// How long a channel or bridge that is gone is remembered, should one of them go on speaking of it.
const REMEMBERED: Duration = Duration::from_mins(1);
/// Channels and bridges that are remembered at the most, and things of each. What is beyond that is said by both: told
/// twice is better than not at all.
const ACCOUNTS_MAX: usize = 131_072;
const THINGS_MAX: usize = 1_024;
/// One that said nothing at all while the other one said so many things is deaf.
const DEAF_AFTER: u32 = 3;

/// Which of the two says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The Asterisk REST Interface.
    Ari,
    /// The Asterisk Manager Interface.
    Ami,
}

impl Side {
    /// Both, in order.
    pub const BOTH: [Self; 2] = [Self::Ari, Self::Ami];

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Ari => Self::Ami,
            Self::Ami => Self::Ari,
        }
    }

    /// Its name in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ari => "ari",
            Self::Ami => "ami",
        }
    }
}

/// Something that one of them said and the other one did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// Who said it.
    pub said_by: Side,
    /// Of which channel or bridge.
    pub of: String,
    /// What, such as `entered the bridge b1`.
    pub what: String,
    /// What the other one said last of the same channel or bridge, if anything.
    pub instead: Option<String>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Merger {
    accounts: BTreeMap<Of, Account>,
    /// Since when each hears everything.
    connected: [Option<Moment>; 2],
    /// Up to when what each said was heard. What waits to be heard was said, and is not missing.
    heard_until: [Moment; 2],
    /// What each left out since it last said anything.
    left_out: [u32; 2],
    probation: Option<Probation>,
}

/// One that came back a moment ago.
#[derive(Debug)]
struct Probation {
    side: Side,
    until: Moment,
    kept: Vec<(Moment, PbxEvent)>,
}

/// What was said of one channel or bridge.
#[derive(Debug, Default)]
struct Account {
    things: BTreeMap<Thing, Count>,
    /// The last thing that each said.
    last: [Option<Thing>; 2],
    looks: Looks,
    /// What it runs, and its SIP Call-ID: not each of them says so every time.
    app: (String, String),
    protocol_id: String,
    gone_at: Option<Moment>,
}

impl Merger {
    /// This one is connected, and hears everything `since` then. Until then it said nothing.
    pub fn connects(&mut self, side: Side, since: Moment, at: Moment) {
        let own = side as usize;
        self.connected[own] = Some(since);
        self.heard_until[own] = at;
        self.left_out[own] = 0;
        for account in self.accounts.values_mut() {
            account.looks.connects(side, since);
        }
        if self.hears(side.other()) {
            self.probation = Some(Probation {
                side,
                until: at + PROBATION,
                kept: Vec::new(),
            });
        }
    }

    /// This one is not connected any more. Gives back what is news because of that.
    pub fn loses(&mut self, side: Side) -> Vec<PbxEvent> {
        let news = match self.probation.take() {
            Some(probation) if probation.side != side => self.catch_up(probation),
            Some(_) | None => Vec::new(),
        };
        self.connected[side as usize] = None;
        for account in self.accounts.values_mut() {
            account.looks.goes_alone(side.other());
        }
        news
    }

    /// Whether either of them is connected.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        self.connected[0].is_some() || self.connected[1].is_some()
    }

    /// Whether this one is connected.
    #[must_use]
    pub const fn hears(&self, side: Side) -> bool {
        self.connected[side as usize].is_some()
    }

    /// Since when this one hears everything, if it is connected.
    #[must_use]
    pub const fn hears_since(&self, side: Side) -> Option<Moment> {
        self.connected[side as usize]
    }

    /// Whether this one is connected and says nothing, though there is much to say.
    #[must_use]
    pub const fn is_deaf(&self, side: Side) -> bool {
        self.left_out[side as usize] >= DEAF_AFTER
    }

    /// When [`Merger::release`] has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        self.probation.as_ref().map(|probation| probation.until)
    }

    /// Ends what is due by now. Gives back what is news because of that.
    pub fn release(&mut self, at: Moment) -> Vec<PbxEvent> {
        let due = self.probation.take_if(|probation| probation.until <= at);
        due.map(|probation| self.catch_up(probation)).unwrap_or_default()
    }

    /// Everything that this one said until then was heard.
    pub fn heard_until(&mut self, side: Side, at: Moment) {
        let until = &mut self.heard_until[side as usize];
        *until = at.max(*until);
    }

    /// What one of them says. Gives back what of it is news.
    pub fn hear(&mut self, side: Side, at: Moment, event: PbxEvent) -> Vec<PbxEvent> {
        let mut news = self.release(at);
        self.heard_until(side, at);
        self.left_out[side as usize] = 0;
        match &mut self.probation {
            Some(probation) if probation.side == side => {
                probation.kept.push((at, event));
                if probation.kept.len() >= KEPT_MAX {
                    probation.until = at;
                    news.extend(self.release(at));
                }
            }
            Some(_) | None => news.extend(self.pass(side, at, event)),
        }
        news
    }

    fn pass(&mut self, side: Side, at: Moment, mut event: PbxEvent) -> Option<PbxEvent> {
        self.complete(&mut event);
        if let PbxEvent::ChannelSeen(info) = &event {
            let is_alone = !self.hears(side.other());
            let Some(account) = self.account(Of::Channel(info.id.clone())) else {
                return Some(event);
            };
            let is_new = account.looks.say(side, at, Look::of(info));
            let is_news = (is_new || is_alone) && account.gone_at.is_none();
            return is_news.then_some(event);
        }
        let (of, thing) = thing_of(&event)?;
        let Some(account) = self.account(of) else {
            return Some(event);
        };
        account.is_said(side, at, &thing);
        let is_news = account.count(thing).is_none_or(|count| count.say(side, at));
        is_news.then_some(event)
    }

    /// One that came back was listened to for long enough. What it said and was not passed on is news, unless the other
    /// one was heard long enough afterwards, and has not said it.
    fn catch_up(&mut self, Probation { side, until, kept }: Probation) -> Vec<PbxEvent> {
        let other = side.other() as usize;
        let told_until = until.min(self.heard_until[other]).before(TOGETHER);
        let told_from = self.connected[other].unwrap_or_default();
        let settled = told_until.max(told_from);
        let mut walks = BTreeMap::new();
        let mut news = Vec::new();
        for (at, mut event) in kept {
            self.complete(&mut event);
            if self.say_again(side, at, settled, &event, &mut walks) {
                news.push(event);
            }
        }
        for (of, account) in &mut self.accounts {
            for (thing, count) in &mut account.things {
                let walk = walks.remove(&(of.clone(), thing.clone()));
                count.catches_up(side, walk.unwrap_or_else(|| count.walk()), until);
            }
        }
        news
    }

    /// Whether it is news what one of them said while it was only listened to.
    fn say_again(
        &mut self,
        side: Side,
        at: Moment,
        settled: Moment,
        event: &PbxEvent,
        walks: &mut BTreeMap<(Of, Thing), Walk>,
    ) -> bool {
        if let PbxEvent::ChannelSeen(info) = event {
            let Some(account) = self.account(Of::Channel(info.id.clone())) else {
                return true;
            };
            let look = Look::of(info);
            return if at > settled {
                account.looks.say(side, at, look) && account.gone_at.is_none()
            } else {
                // How it looks now, the other one has said.
                account.looks.walk(side, &look);
                false
            };
        }
        let Some((of, thing)) = thing_of(event) else {
            return false;
        };
        let Some(account) = self.account(of.clone()) else {
            return true;
        };
        account.is_said(side, at, &thing);
        let Some(count) = account.count(thing.clone()) else {
            return true;
        };
        let walk = walks.entry((of, thing)).or_insert_with(|| count.walk());
        count.say_again(walk, at, settled)
    }

    /// What they disagree about, each told once. Forgets what is over.
    pub fn settle(&mut self, at: Moment) -> Vec<Disagreement> {
        let mut found = Vec::new();
        let connected = Side::BOTH.map(|side| self.hears(side));
        let listened_to = self.probation.as_ref().map(|probation| probation.side);
        for (of, account) in &mut self.accounts {
            for (thing, count) in &mut account.things {
                for side in Side::BOTH {
                    let own = side as usize;
                    if !connected[own] || listened_to == Some(side) {
                        continue;
                    }
                    let Some((lacking, first)) = count.give_up(side, self.heard_until[own], at) else {
                        continue;
                    };
                    if could_be_said(self.connected, first) {
                        self.left_out[own] = self.left_out[own].saturating_add(lacking);
                        let disagreement = Disagreement {
                            said_by: side.other(),
                            of: of.to_string(),
                            what: thing.to_string(),
                            instead: account.last[own].as_ref().map(Thing::to_string),
                        };
                        found.extend(std::iter::repeat_n(disagreement, lacking as usize));
                    }
                }
            }
            account.things.retain(|_, count| !count.is_over(connected, at));
        }
        self.accounts
            .retain(|_, account| account.gone_at.is_none_or(|gone| gone + REMEMBERED > at));
        found
    }

    /// How much is remembered: channels, bridges and what was said of them.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.accounts
            .values()
            .map(|account| 1 + account.things.len())
            .sum()
    }

    /// What was said of it; `None` if there is no room to remember it.
    fn account(&mut self, of: Of) -> Option<&mut Account> {
        if self.accounts.len() >= ACCOUNTS_MAX && !self.accounts.contains_key(&of) {
            return None;
        }
        Some(self.accounts.entry(of).or_default())
    }

    /// Puts in what the other one knows of the same channels.
    fn complete(&mut self, event: &mut PbxEvent) {
        for info in event.channels_mut() {
            if let Some(account) = self.account(Of::Channel(info.id.clone())) {
                account.complete(info);
            }
        }
    }
}

/// Whether both were connected when something was passed on. It may have happened a little before that.
fn could_be_said(connected: [Option<Moment>; 2], at: Moment) -> bool {
    let was_there = |since: Option<Moment>| since.is_some_and(|since| since + JUST_BEFORE < at);
    connected.into_iter().all(was_there)
}

impl Account {
    /// The count of a thing; `None` if there is no room for it.
    fn count(&mut self, thing: Thing) -> Option<&mut Count> {
        if self.things.len() >= THINGS_MAX && !self.things.contains_key(&thing) {
            return None;
        }
        Some(self.things.entry(thing).or_default())
    }

    fn is_said(&mut self, side: Side, at: Moment, thing: &Thing) {
        if *thing == Thing::Gone {
            self.gone_at.get_or_insert(at);
        }
        self.last[side as usize] = Some(thing.clone());
    }

    fn complete(&mut self, info: &mut ChannelInfo) {
        if info.app_name.is_empty() {
            (info.app_name, info.app_data) = self.app.clone();
        } else {
            self.app = (info.app_name.clone(), info.app_data.clone());
        }
        if info.protocol_id.is_empty() {
            info.protocol_id.clone_from(&self.protocol_id);
        } else {
            self.protocol_id.clone_from(&info.protocol_id);
        }
    }
}
