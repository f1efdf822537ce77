//! AMI's messages in our vocabulary. Pure: messages in, [`PbxEvent`]s and [`Snapshot`]s out.
//!
//! AMI does not say with each channel what it dials, as ARI does; a [`Translator`] remembers it from the events that
//! say so, for as long as the attempt lasts. Beside that nothing is remembered: what only makes sense together, the
//! tracker puts together.

use std::collections::{BTreeMap, VecDeque};

use super::message::Message;
use crate::model::{BridgeId, ChannelId};
use crate::tracker::event::{
    BridgeInfo, BridgeKind, ChannelInfo, ChannelState, DialProgress, NumberAndName, PbxEvent, Snapshot,
};

/// Attempts to dial that are remembered at the most. Whoever has more of them at once is not an Asterisk.
const ATTEMPTS_MAX: usize = 65_536;

/// Attempts of one channel that are remembered, the last ones. A ring group has as many as it has members.
const ATTEMPTS_OF_ONE_MAX: usize = 64;

/// New channels that are remembered. One that a call is forwarded to is the last that was made for the call, or nearly.
const NEW_MAX: usize = 64;

/// A message that should have mattered, and names no channel or bridge that can be used. Holds nothing of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event} names no usable {part}")]
pub struct TranslationError {
    /// The event.
    pub event: &'static str,
    /// What was needed of it: the beginning of the fields' names, or `channel` or `bridge`.
    pub part: &'static str,
}

/// Translates the events of one connection, in order.
#[derive(Debug, Default)]
pub struct Translator {
    /// Who dials, and what: the attempts that go on, or were answered, the last one first.
    dialling: BTreeMap<ChannelId, Vec<Attempt>>,
    attempts: usize,
    /// The last channels that were made, the newest first, each with the chain that it belongs to (`Linkedid`).
    new: VecDeque<(String, ChannelInfo)>,
}

#[derive(Debug)]
struct Attempt {
    peer: ChannelId,
    /// As an argument of `Dial`: `PJSIP/1002`.
    target: String,
}

impl Translator {
    /// Translates one event. `None`: a kind that says nothing about who talks to whom.
    ///
    /// See <https://docs.asterisk.org/Latest_API/API_Documentation/AMI_Events/>.
    pub fn event(&mut self, message: &Message) -> Result<Option<PbxEvent>, TranslationError> {
        Ok(Some(match message.event() {
            "Newchannel" => self.made(message)?,
            "Newstate" => self.seen("Newstate", message)?,
            "NewCallerid" => self.seen("NewCallerid", message)?,
            "NewConnectedLine" => self.seen("NewConnectedLine", message)?,
            "HangupRequest" => self.seen("HangupRequest", message)?,
            "SoftHangupRequest" => self.seen("SoftHangupRequest", message)?,
            "Hangup" => self.gone(message)?,
            "Hold" => PbxEvent::Hold(self.channel("Hold", "", message)?),
            "Unhold" => PbxEvent::Unhold(self.channel("Unhold", "", message)?),
            "BridgeCreate" => PbxEvent::BridgeSeen(bridge("BridgeCreate", "", message)?),
            "BridgeDestroy" => PbxEvent::BridgeGone(bridge("BridgeDestroy", "", message)?.id),
            "BridgeMerge" => PbxEvent::Merged {
                into: bridge("BridgeMerge", "To", message)?,
                from: bridge("BridgeMerge", "From", message)?,
            },
            "BridgeEnter" => PbxEvent::Entered {
                bridge: bridge("BridgeEnter", "", message)?,
                channel: self.channel("BridgeEnter", "", message)?,
            },
            "BridgeLeave" => PbxEvent::Left {
                bridge: bridge("BridgeLeave", "", message)?,
                channel: self.channel("BridgeLeave", "", message)?,
            },
            "DialBegin" => self.dial("DialBegin", DialProgress::Begun, message)?,
            "DialState" => self.dial("DialState", DialProgress::Ringing, message)?,
            "DialEnd" => {
                let progress = if message.get("DialStatus") == "ANSWER" {
                    DialProgress::Answered
                } else {
                    DialProgress::Failed
                };
                self.dial("DialEnd", progress, message)?
            }
            "BlindTransfer" => self.blind_transfer(message)?,
            "AttendedTransfer" => self.attended_transfer(message)?,
            _ => return Ok(None),
        }))
    }

    fn seen(&self, event: &'static str, message: &Message) -> Result<PbxEvent, TranslationError> {
        Ok(PbxEvent::ChannelSeen(self.channel(event, "", message)?))
    }

    fn made(&mut self, message: &Message) -> Result<PbxEvent, TranslationError> {
        let channel = self.channel("Newchannel", "", message)?;
        self.new.truncate(NEW_MAX - 1);
        self.new
            .push_front((message.get("Linkedid").to_owned(), channel.clone()));
        Ok(PbxEvent::ChannelSeen(channel))
    }

    fn gone(&mut self, message: &Message) -> Result<PbxEvent, TranslationError> {
        let id = message.get("Uniqueid");
        if id.is_empty() {
            return Err(TranslationError {
                event: "Hangup",
                part: "channel",
            });
        }
        let id = ChannelId::new(id);
        if let Some(attempts) = self.dialling.remove(&id) {
            self.attempts -= attempts.len();
        }
        Ok(PbxEvent::ChannelGone(id))
    }

    fn dial(
        &mut self,
        event: &'static str,
        progress: DialProgress,
        message: &Message,
    ) -> Result<PbxEvent, TranslationError> {
        let peer = self.channel(event, "Dest", message)?;
        let by = message.get("Uniqueid");
        let forwarded = if message.get("Forward").is_empty() {
            None
        } else {
            self.forwarded_to(message.get("Linkedid"), &peer.id)
        };
        match progress {
            DialProgress::Begun if !by.is_empty() => self.begin(by, &peer, message.get("DialString")),
            DialProgress::Failed => self.fail(by, &peer.id),
            DialProgress::Begun | DialProgress::Ringing | DialProgress::Answered => {}
        }
        Ok(PbxEvent::Dial {
            caller: self.optional_channel(event, "", message)?,
            peer,
            progress,
            forwarded,
        })
    }

    /// AMI names the extension that a call is forwarded to. The channel to it was just made, and is dialled next.
    fn forwarded_to(&self, chain: &str, peer: &ChannelId) -> Option<ChannelInfo> {
        let of_chain = self.new.iter().filter(|(its, _)| its == chain);
        let mut channels = of_chain.map(|(_, channel)| channel);
        channels
            .find(|channel| channel.id != *peer && !channel.name.ends_with(";2"))
            .cloned()
    }

    fn begin(&mut self, by: &str, peer: &ChannelInfo, dial_string: &str) {
        let Some((technology, _)) = peer.name.split_once('/') else {
            return;
        };
        if self.attempts >= ATTEMPTS_MAX {
            self.dialling.clear();
            self.attempts = 0;
        }
        let attempt = Attempt {
            peer: peer.id.clone(),
            target: format!("{technology}/{dial_string}"),
        };
        let attempts = self.dialling.entry(ChannelId::new(by)).or_default();
        attempts.insert(0, attempt);
        if attempts.len() > ATTEMPTS_OF_ONE_MAX {
            attempts.truncate(ATTEMPTS_OF_ONE_MAX);
        } else {
            self.attempts += 1;
        }
    }

    fn fail(&mut self, by: &str, peer: &ChannelId) {
        let by = ChannelId::new(by);
        let Some(attempts) = self.dialling.get_mut(&by) else {
            return;
        };
        let before = attempts.len();
        attempts.retain(|attempt| attempt.peer != *peer);
        self.attempts -= before - attempts.len();
        if attempts.is_empty() {
            self.dialling.remove(&by);
        }
    }

    fn blind_transfer(&self, message: &Message) -> Result<PbxEvent, TranslationError> {
        let event = "BlindTransfer";
        Ok(PbxEvent::BlindTransfer {
            transferer: self.channel(event, "Transferer", message)?,
            transferee: self.optional_channel(event, "Transferee", message)?,
            exten: message.get("Extension").to_owned(),
            success: message.get("Result") == SUCCESS,
        })
    }

    /// `DestType` tells how it was done; see `ari::translate` for what that means.
    fn attended_transfer(&self, message: &Message) -> Result<PbxEvent, TranslationError> {
        let event = "AttendedTransfer";
        let kind = message.get("DestType");
        let handed_over = !["Threeway", "Fail"]
            .iter()
            .any(|other| kind.eq_ignore_ascii_case(other));
        Ok(PbxEvent::AttendedTransfer {
            first_leg: self.channel(event, "OrigTransferer", message)?,
            second_leg: self.channel(event, "SecondTransferer", message)?,
            first_bridge: optional_bridge("Orig", message),
            second_bridge: optional_bridge("Second", message),
            transferee: self.optional_channel(event, "Transferee", message)?,
            target: self.optional_channel(event, "TransferTarget", message)?,
            success: message.get("Result") == SUCCESS && handed_over,
        })
    }

    /// A channel that has to be there.
    fn channel(
        &self,
        event: &'static str,
        prefix: &'static str,
        message: &Message,
    ) -> Result<ChannelInfo, TranslationError> {
        let part = if prefix.is_empty() { "channel" } else { prefix };
        let mut channel = read_channel(prefix, message).ok_or(TranslationError { event, part })?;
        if let Some(attempts) = self.dialling.get(&channel.id) {
            let targets: Vec<&str> = attempts.iter().map(|attempt| attempt.target.as_str()).collect();
            "Dial".clone_into(&mut channel.app_name);
            channel.app_data = targets.join("&");
        }
        Ok(channel)
    }

    /// A channel that may be absent, but has to be usable if it is there.
    fn optional_channel(
        &self,
        event: &'static str,
        prefix: &'static str,
        message: &Message,
    ) -> Result<Option<ChannelInfo>, TranslationError> {
        let is_there = ["Channel", "Uniqueid"]
            .iter()
            .any(|name| !message.get_with(prefix, name).is_empty());
        is_there.then(|| self.channel(event, prefix, message)).transpose()
    }
}

/// The one `Result` of a transfer that was carried out.
const SUCCESS: &str = "Success";

/// What the lists of `CoreShowChannels` and `BridgeList` say, and how many of their entries could not be used and were
/// left out.
#[must_use]
pub fn snapshot(channels: &[Message], bridges: &[Message]) -> (Snapshot, usize) {
    let mut snapshot = Snapshot::default();
    let mut inside: BTreeMap<&str, Vec<ChannelId>> = BTreeMap::new();
    for entry in channels {
        let Some(mut channel) = read_channel("", entry) else {
            continue;
        };
        entry.get("Application").clone_into(&mut channel.app_name);
        entry.get("ApplicationData").clone_into(&mut channel.app_data);
        let bridge = entry.get("BridgeId");
        if !bridge.is_empty() {
            inside.entry(bridge).or_default().push(channel.id.clone());
        }
        snapshot.channels.push(channel);
    }
    for entry in bridges {
        if let Some(info) = read_bridge("", entry) {
            let members = inside.remove(info.id.as_str()).unwrap_or_default();
            snapshot.bridges.push((info, members));
        }
    }
    let used = snapshot.channels.len() + snapshot.bridges.len();
    (snapshot, channels.len() + bridges.len() - used)
}

/// The endpoint that an entry of a list names. `DeviceStateList` has queues, conferences and the like as well, of which
/// none is a technology and a name.
#[must_use]
pub fn endpoint(entry: &Message) -> Option<String> {
    let device = entry.get("Device");
    let of_device = device.split_once('/').filter(|(technology, _)| {
        *technology != "Local" && technology.chars().all(|letter| letter.is_ascii_alphanumeric())
    });
    // `PJSIPShowEndpoints` and `SIPpeers`, and `IAXpeerlist`.
    let names = [
        entry.get("ObjectName"),
        entry.get("ObjectUserName"),
        of_device.map_or("", |(_, name)| name),
    ];
    names.into_iter().find(|name| !name.is_empty()).map(str::to_owned)
}

/// A channel is known by its id, and whose it is by its name; without either it is no use.
fn read_channel(prefix: &str, message: &Message) -> Option<ChannelInfo> {
    let field = |name| message.get_with(prefix, name);
    let (id, name) = (field("Uniqueid"), field("Channel"));
    if id.is_empty() || name.is_empty() {
        return None;
    }
    let known = |name| match field(name) {
        "<unknown>" => String::new(),
        value => value.to_owned(),
    };
    Some(ChannelInfo {
        id: ChannelId::new(id),
        name: name.to_owned(),
        state: match field("ChannelStateDesc") {
            "Ringing" => ChannelState::Ringing,
            "Up" => ChannelState::Up,
            _ => ChannelState::Other,
        },
        caller: NumberAndName {
            number: known("CallerIDNum"),
            name: known("CallerIDName"),
        },
        connected: NumberAndName {
            number: known("ConnectedLineNum"),
            name: known("ConnectedLineName"),
        },
        app_name: String::new(),
        app_data: String::new(),
        protocol_id: String::new(),
    })
}

/// A bridge that has to be there.
fn bridge(
    event: &'static str,
    prefix: &'static str,
    message: &Message,
) -> Result<BridgeInfo, TranslationError> {
    let part = if prefix.is_empty() { "bridge" } else { prefix };
    read_bridge(prefix, message).ok_or(TranslationError { event, part })
}

/// What AMI calls the type of a bridge is its class; its technology says whether channels only wait in it.
fn read_bridge(prefix: &str, message: &Message) -> Option<BridgeInfo> {
    let field = |name| message.get_with(prefix, name);
    let id = field("BridgeUniqueid");
    if id.is_empty() {
        return None;
    }
    let (class, technology) = (field("BridgeType"), field("BridgeTechnology"));
    let kind = match (technology == "holding_bridge", class) {
        (_, "parking") => BridgeKind::Parking,
        (true, _) => BridgeKind::Holding,
        (false, _) => BridgeKind::Mixing,
    };
    let room = matches!(field("BridgeCreator"), "ConfBridge" | "MeetMe")
        || (technology == "softmix" && class == "base");
    Some(BridgeInfo {
        id: BridgeId::new(id),
        kind,
        conference: kind == BridgeKind::Mixing && room,
    })
}

fn optional_bridge(prefix: &str, message: &Message) -> Option<BridgeId> {
    let id = message.get_with(prefix, "BridgeUniqueid");
    (!id.is_empty()).then(|| BridgeId::new(id))
}

#[cfg(test)]
mod tests;
