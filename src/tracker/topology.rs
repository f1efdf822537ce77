//! Channels, bridges and Local pairs as they are: the tracker's picture of the PBX.
//!
//! Events of different channels and bridges reach us in an order of their own (facts: order holds
//! only within one topic), so every report is taken as the truth about the thing it names and about
//! nothing else. No conclusions are drawn here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::model::{BridgeId, ChannelId, Moment, Phone};

use super::conclusion::CallNumber;
use super::dialled::dialled_number;
use super::endpoints::{EndpointMap, LocalHalf, Who};
use super::event::{BridgeInfo, BridgeKind, ChannelInfo, Snapshot};

/// How many destroyed channels are remembered, so that a late report does not bring one back.
const GRAVES_MAX: usize = 4096;
/// Channels, and bridges, that are known at the most: many times what an Asterisk can have.
const CHANNELS_MAX: usize = 32_768;
/// Phones that are known to be inside at the most, so that a PBX that never ends to name others fills no memory.
const INSIDE_MAX: usize = 200_000;

#[derive(Debug, Default)]
pub(super) struct Topology {
    pub(super) channels: BTreeMap<ChannelId, Channel>,
    pub(super) bridges: BTreeMap<BridgeId, Bridge>,
    locals: BTreeMap<String, LocalPair>,
    graves: Graves,
    /// Phones that belong to the PBX itself; an outside number never passes for one of them.
    inside: BTreeSet<Phone>,
}

#[derive(Debug)]
pub(super) struct Channel {
    pub(super) info: ChannelInfo,
    pub(super) who: Who,
    /// The phone, once it was needed: it does not change while the channel lives.
    phone: Option<Phone>,
    pub(super) bridge: Option<BridgeId>,
    /// When it left the bridge it sat in last, if it has entered none since.
    pub(super) left_at: Option<Moment>,
    /// The call it is active in.
    pub(super) call: Option<CallNumber>,
    /// Its device holds.
    pub(super) holding: bool,
    /// What becomes of the hold while the channel is moved.
    pub(super) hold_on_the_way: HoldOnTheWay,
    /// An *unhold* was reported; it counts at this moment if the channel is then still in its bridge.
    pub(super) resumes_at: Option<Moment>,
    /// It transferred its call away and counts no more where it sits, until it enters a bridge anew.
    pub(super) departed: bool,
}

/// A hold ends when its channel leaves the bridge, unless a transfer moves it, which may be reported before it
/// leaves or after it has arrived elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HoldOnTheWay {
    /// Nothing is known of a transfer, and nothing was held.
    Ends,
    /// It left a bridge where it held; a transfer may turn out to have moved it.
    WasLeft,
    /// A transfer is about to move it.
    MovesAlong,
}

#[derive(Debug)]
pub(super) struct Bridge {
    pub(super) info: BridgeInfo,
    pub(super) members: BTreeSet<ChannelId>,
}

#[derive(Debug, Default)]
struct LocalPair {
    first: Option<ChannelId>,
    second: Option<ChannelId>,
}

/// The channels that can hear each other: one mixing bridge, or several chained by Local pairs.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) bridges: BTreeSet<BridgeId>,
    /// The phones' channels. Local halves and transferers on their way out are left out.
    pub(super) members: BTreeMap<ChannelId, Phone>,
    /// Local halves on the way.
    pub(super) locals: BTreeSet<ChannelId>,
    pub(super) conference: bool,
}

impl Group {
    pub(super) fn phones(&self) -> BTreeSet<Phone> {
        self.members.values().cloned().collect()
    }
}

#[derive(Debug, Default)]
struct Graves {
    order: VecDeque<ChannelId>,
    /// Whose channel it was, if it ever sat in a bridge: a transfer that it made may be reported after it.
    phones: BTreeMap<ChannelId, Option<Phone>>,
}

impl Graves {
    fn dig(&mut self, id: ChannelId, phone: Option<Phone>) {
        if self.phones.contains_key(&id) {
            return;
        }
        self.order.push_back(id.clone());
        self.phones.insert(id, phone);
        if self.order.len() > GRAVES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.phones.remove(&oldest);
        }
    }
}

impl Topology {
    /// Takes in what is said of a channel. `None` if it was destroyed before, or if there is no room for it.
    pub(super) fn see(&mut self, info: &ChannelInfo, endpoints: &EndpointMap) -> Option<&mut Channel> {
        if self.graves.phones.contains_key(&info.id) {
            return None;
        }
        if let Some(known) = self.channels.get_mut(&info.id) {
            if known.info.name != info.name {
                forget_local(&mut self.locals, &known.who, &info.id);
                known.who = endpoints.who(&info.name);
                known.phone = None;
                note_local(&mut self.locals, &known.who, &info.id);
                if let Who::Inside(phone) = &known.who {
                    note_inside(&mut self.inside, phone);
                }
            }
            // What it runs is not said every time.
            let app = if info.app_name.is_empty() {
                (
                    std::mem::take(&mut known.info.app_name),
                    std::mem::take(&mut known.info.app_data),
                )
            } else {
                (info.app_name.clone(), info.app_data.clone())
            };
            known.info.clone_from(info);
            (known.info.app_name, known.info.app_data) = app;
        } else if self.channels.len() >= CHANNELS_MAX {
            return None;
        } else {
            let who = endpoints.who(&info.name);
            note_local(&mut self.locals, &who, &info.id);
            if let Who::Inside(phone) = &who {
                note_inside(&mut self.inside, phone);
            }
            self.channels
                .insert(info.id.clone(), Channel::new(info.clone(), who));
        }
        self.channels.get_mut(&info.id)
    }

    /// Takes in what is said of a bridge. `None` if there is no room for it.
    pub(super) fn see_bridge(&mut self, info: &BridgeInfo) -> Option<&mut Bridge> {
        if self.bridges.len() >= CHANNELS_MAX && !self.bridges.contains_key(&info.id) {
            return None;
        }
        let bridge = self.bridges.entry(info.id.clone()).or_insert_with(|| Bridge {
            info: info.clone(),
            members: BTreeSet::new(),
        });
        bridge.info.clone_from(info);
        Some(bridge)
    }

    /// Moves a channel into a bridge, out of the one it sat in. Gives back the one it left.
    pub(super) fn enter(&mut self, channel: &ChannelId, bridge: &BridgeInfo) -> Option<BridgeId> {
        self.see_bridge(bridge)?;
        let known = self.channels.get_mut(channel)?;
        let before = known.bridge.replace(bridge.id.clone());
        known.left_at = None;
        if before.as_ref() != Some(&bridge.id) {
            known.departed = false;
            known.leave_hold_behind(before.is_some());
        }
        if let Some(left) = &before
            && *left != bridge.id
        {
            self.forget_member(left, channel);
        }
        self.see_bridge(bridge)?.members.insert(channel.clone());
        before.filter(|left| *left != bridge.id)
    }

    /// Takes a channel out of a bridge, unless it has moved on already.
    pub(super) fn leave(&mut self, at: Moment, channel: &ChannelId, bridge: &BridgeId) {
        if let Some(known) = self.channels.get_mut(channel)
            && known.bridge.as_ref() == Some(bridge)
        {
            known.bridge = None;
            known.left_at = Some(at);
            known.leave_hold_behind(true);
        }
        self.forget_member(bridge, channel);
    }

    /// Forgets a destroyed channel for good. Gives back what was known of it.
    pub(super) fn bury(&mut self, channel: &ChannelId) -> Option<Channel> {
        let known = self.channels.remove(channel);
        let phone = known.as_ref().and_then(|known| known.phone.clone());
        self.graves.dig(channel.clone(), phone);
        let known = known?;
        if let Some(bridge) = &known.bridge {
            self.forget_member(bridge, channel);
        }
        forget_local(&mut self.locals, &known.who, channel);
        Some(known)
    }

    /// Forgets a destroyed bridge. Gives back who was still in it.
    pub(super) fn raze(&mut self, bridge: &BridgeId) -> BTreeSet<ChannelId> {
        let members = self
            .bridges
            .remove(bridge)
            .map(|known| known.members)
            .unwrap_or_default();
        for member in &members {
            if let Some(channel) = self.channels.get_mut(member) {
                channel.bridge = None;
                channel.leave_hold_behind(true);
            }
        }
        members
    }

    /// Whether a channel of this id was destroyed, as far as that is remembered.
    pub(super) fn is_buried(&self, channel: &ChannelId) -> bool {
        self.graves.phones.contains_key(channel)
    }

    /// Replaces the picture by a snapshot, keeping what no snapshot tells: holds, calls, departures.
    pub(super) fn replace(&mut self, snapshot: &Snapshot, endpoints: &EndpointMap) {
        let mut before = std::mem::take(&mut self.channels);
        self.bridges.clear();
        self.locals.clear();
        self.graves = Graves::default();
        self.know_endpoints(&snapshot.endpoints, endpoints);
        for info in &snapshot.channels {
            self.see(info, endpoints);
        }
        for (info, members) in &snapshot.bridges {
            self.see_bridge(info);
            for member in members {
                self.enter(member, info);
            }
        }
        for (id, channel) in &mut self.channels {
            if let Some(old) = before.remove(id) {
                channel.call = old.call;
                channel.phone = old.phone;
                let unmoved = old.bridge == channel.bridge || old.info.name.is_empty();
                // An unhold that waited for its delay when the PBX went out of sight counts now.
                channel.holding = old.holding && unmoved && old.resumes_at.is_none();
                channel.departed = old.departed && (unmoved || channel.bridge.is_none());
            }
        }
    }

    /// Takes in the names of all endpoints.
    pub(super) fn know_endpoints(&mut self, names: &[String], endpoints: &EndpointMap) {
        for phone in names.iter().filter_map(|name| endpoints.phone_of_endpoint(name)) {
            note_inside(&mut self.inside, &phone);
        }
    }

    /// The phone behind a channel that was destroyed.
    pub(super) fn buried_phone(&self, channel: &ChannelId) -> Option<Phone> {
        self.graves.phones.get(channel)?.clone()
    }

    /// The phone behind a channel, or `None` for Local halves and helpers.
    pub(super) fn phone(&mut self, channel: &ChannelId) -> Option<Phone> {
        let known = self.channels.get(channel)?;
        if let Some(phone) = &known.phone {
            return Some(phone.clone());
        }
        let phone = match &known.who {
            Who::Inside(phone) => phone.clone(),
            Who::Trunk { .. } => self.outside_phone(known),
            Who::Local { .. } | Who::Nobody => return None,
        };
        if known.bridge.is_some() {
            self.channels.get_mut(channel)?.phone = Some(phone.clone());
        }
        Some(phone)
    }

    /// Settles the phone of an outgoing trunk leg as the number that its caller dialled.
    pub(super) fn dialled(&mut self, caller: &ChannelId, peer: &ChannelId) {
        let Some(Who::Trunk { technology, endpoint }) =
            self.channels.get(peer).map(|channel| channel.who.clone())
        else {
            return;
        };
        let number = self.channels.get(caller).and_then(|dialling| {
            (dialling.info.app_name == "Dial")
                .then(|| dialled_number(&dialling.info.app_data, &technology, &endpoint))
                .flatten()
        });
        if let Some(number) = number
            && !self.inside.contains(number.as_str())
            && let Some(channel) = self.channels.get_mut(peer)
        {
            channel.phone = Some(Phone::new(number));
        }
    }

    /// The outside number of a trunk leg, unless it has none or claims to be one of our own phones. Who
    /// withholds a number is often called `anonymous`, `unknown` or the like.
    fn outside_phone(&self, leg: &Channel) -> Phone {
        let number = leg.info.caller.number.as_str();
        let withheld = !number.contains(|character: char| character.is_ascii_digit());
        if withheld || self.inside.contains(number) {
            return Phone::new(format!("anonymous-{}", leg.info.id));
        }
        Phone::new(number)
    }

    /// The other half of a Local channel.
    pub(super) fn other_half(&self, channel: &ChannelId) -> Option<&ChannelId> {
        let Who::Local { pair, half } = &self.channels.get(channel)?.who else {
            return None;
        };
        let halves = self.locals.get(pair)?;
        match half {
            LocalHalf::First => halves.second.as_ref(),
            LocalHalf::Second => halves.first.as_ref(),
        }
    }

    /// The channels that a channel stands for: itself, or those that are heard through this half of a
    /// Local pair.
    pub(super) fn beyond(&mut self, channel: &ChannelId) -> Vec<ChannelId> {
        let Some(half) = self.other_half(channel) else {
            return vec![channel.clone()];
        };
        match self.channels.get(half).and_then(|known| known.bridge.clone()) {
            Some(bridge) => self.group(&bridge).members.into_keys().collect(),
            None => Vec::new(),
        }
    }

    /// Everybody who can hear a channel in this bridge.
    pub(super) fn group(&mut self, bridge: &BridgeId) -> Group {
        let mut group = Group::default();
        let mut open = vec![bridge.clone()];
        let mut heard = Vec::new();
        while let Some(id) = open.pop() {
            let Some(known) = self.bridges.get(&id) else {
                continue;
            };
            if known.info.kind != BridgeKind::Mixing || !group.bridges.insert(id) {
                continue;
            }
            group.conference |= known.info.conference;
            for member in &known.members {
                let Some(channel) = self.channels.get(member) else {
                    continue;
                };
                if !matches!(channel.who, Who::Local { .. }) {
                    if !channel.departed {
                        heard.push(member.clone());
                    }
                    continue;
                }
                group.locals.insert(member.clone());
                let beyond = self.other_half(member).and_then(|half| self.channels.get(half));
                open.extend(beyond.and_then(|half| half.bridge.clone()));
            }
        }
        for member in heard {
            if let Some(phone) = self.phone(&member) {
                group.members.insert(member, phone);
            }
        }
        group
    }

    fn forget_member(&mut self, bridge: &BridgeId, channel: &ChannelId) {
        if let Some(known) = self.bridges.get_mut(bridge) {
            known.members.remove(channel);
        }
    }
}

impl Channel {
    /// A channel of which nothing but its id and its phone is remembered. The number of an outgoing
    /// trunk leg was learnt from the dialling, which no snapshot tells.
    pub(super) fn remembered(id: &ChannelId, phone: &Phone) -> Self {
        Self {
            phone: Some(phone.clone()),
            ..Self::new(ChannelInfo::named(id.as_str(), ""), Who::Nobody)
        }
    }

    fn new(info: ChannelInfo, who: Who) -> Self {
        Self {
            info,
            who,
            phone: None,
            bridge: None,
            left_at: None,
            call: None,
            holding: false,
            hold_on_the_way: HoldOnTheWay::Ends,
            resumes_at: None,
            departed: false,
        }
    }

    /// It leaves its bridge, if it was in one, and a hold that no transfer moves (semantics §5.5).
    fn leave_hold_behind(&mut self, was_in_a_bridge: bool) {
        if !was_in_a_bridge {
            return;
        }
        let along = std::mem::replace(&mut self.hold_on_the_way, HoldOnTheWay::Ends);
        if self.resumes_at.take().is_some() {
            // Its device resumed before it was moved. (That of who transfers did not; but that one goes.)
            self.holding = false;
        } else if along != HoldOnTheWay::MovesAlong && std::mem::take(&mut self.holding) {
            self.hold_on_the_way = HoldOnTheWay::WasLeft;
        }
    }

    /// It was a transfer that moved or moves this channel: it goes on holding, if it held.
    pub(super) fn take_up_hold(&mut self, still_moves: bool) {
        self.holding |= self.hold_on_the_way == HoldOnTheWay::WasLeft;
        self.hold_on_the_way = if self.holding && still_moves && self.bridge.is_some() {
            HoldOnTheWay::MovesAlong
        } else {
            HoldOnTheWay::Ends
        };
    }
}

fn note_local(locals: &mut BTreeMap<String, LocalPair>, who: &Who, id: &ChannelId) {
    if let Who::Local { pair, half } = who {
        let halves = locals.entry(pair.clone()).or_default();
        match half {
            LocalHalf::First => halves.first = Some(id.clone()),
            LocalHalf::Second => halves.second = Some(id.clone()),
        }
    }
}

fn forget_local(locals: &mut BTreeMap<String, LocalPair>, who: &Who, id: &ChannelId) {
    let Who::Local { pair, .. } = who else {
        return;
    };
    let Some(halves) = locals.get_mut(pair) else {
        return;
    };
    for half in [&mut halves.first, &mut halves.second] {
        half.take_if(|half| half == id);
    }
    if halves.first.is_none() && halves.second.is_none() {
        locals.remove(pair);
    }
}

fn note_inside(inside: &mut BTreeSet<Phone>, phone: &Phone) {
    if inside.len() < INSIDE_MAX && !inside.contains(phone) {
        inside.insert(phone.clone());
    }
}
