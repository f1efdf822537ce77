//! AMI's messages in our vocabulary. Pure: messages in, [`PbxEvent`]s and [`Snapshot`]s out.
//!
//! AMI does not say with each channel what it dials, as ARI does; a [`Translator`] remembers it from the events that
//! say so, for as long as the attempt lasts. Beside that nothing is remembered: what only makes sense together, the
//! tracker puts together.

use std::collections::{BTreeMap, VecDeque};

use self::dials::Dials;
use super::message::Message;
use crate::asterisk::parts;
use crate::model::{BridgeId, ChannelId};
use crate::tracker::event::{
    BridgeInfo, ChannelInfo, ChannelState, DialProgress, NumberAndName, PbxEvent, Snapshot,
};

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
    dials: Dials,
    /// The last channels that were made, the newest first, each with the chain that it belongs to (`Linkedid`).
    new: VecDeque<(String, ChannelInfo)>,
}

impl Translator {
    /// Translates one event. `None`: a kind that says nothing about who talks to whom.
    ///
    /// See <https://docs.asterisk.org/Latest_API/API_Documentation/AMI_Events/>.
    pub fn event(&mut self, message: &Message) -> Result<Option<PbxEvent>, TranslationError> {
        if !names_once(message) {
            return Err(TranslationError {
                event: "an event",
                part: "channel, but two under one name",
            });
        }
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
        let id = parts::channel_id(message.get("Uniqueid")).ok_or(TranslationError {
            event: "Hangup",
            part: "channel",
        })?;
        self.dials.forget(&id);
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
            DialProgress::Begun => {
                if let Some(by) = parts::channel_id(by) {
                    self.dials.begin(by, &peer, message.get("DialString"));
                }
            }
            DialProgress::Failed => self.dials.end(&peer.id),
            DialProgress::Ringing | DialProgress::Answered => {}
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

    fn blind_transfer(&self, message: &Message) -> Result<PbxEvent, TranslationError> {
        let event = "BlindTransfer";
        Ok(PbxEvent::BlindTransfer {
            transferer: self.channel(event, "Transferer", message)?,
            transferee: self.optional_channel(event, "Transferee", message)?,
            exten: parts::named(message.get("Extension").to_owned()),
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
        if let Some(targets) = self.dials.targets_of(&channel.id) {
            "Dial".clone_into(&mut channel.app_name);
            channel.app_data = targets;
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

/// Whether no channel or bridge is named twice. Asterisk does not escape what it puts into a value: a line break in what
/// somebody outside says of himself would make another name of it, and that of another's channel stand first.
fn names_once(message: &Message) -> bool {
    let is_of_one = |name: &str| {
        let ends_with = |end: &str| {
            let begin = name.len().checked_sub(end.len());
            begin
                .and_then(|begin| name.get(begin..))
                .is_some_and(|it| it.eq_ignore_ascii_case(end))
        };
        ["Uniqueid", "Channel", "Event"].into_iter().any(ends_with)
    };
    let mut names: Vec<&str> = message.names().filter(|name| is_of_one(name)).collect();
    let count = names.len();
    names.sort_unstable_by_key(|name| name.to_ascii_lowercase());
    names.dedup_by(|one, other| one.eq_ignore_ascii_case(other));
    names.len() == count
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

fn read_channel(prefix: &str, message: &Message) -> Option<ChannelInfo> {
    let field = |name| message.get_with(prefix, name);
    let known = |name| match field(name) {
        "<unknown>" => String::new(),
        value => value.to_owned(),
    };
    parts::channel(ChannelInfo {
        id: ChannelId::new(field("Uniqueid")),
        name: field("Channel").to_owned(),
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
    parts::bridge(
        field("BridgeUniqueid"),
        false,
        field("BridgeType"),
        field("BridgeTechnology"),
        field("BridgeCreator"),
    )
}

fn optional_bridge(prefix: &str, message: &Message) -> Option<BridgeId> {
    parts::bridge_id(message.get_with(prefix, "BridgeUniqueid"))
}

mod dials;
#[cfg(test)]
mod tests;
