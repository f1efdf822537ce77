//! ARI's messages in our vocabulary. Pure: text in, [`PbxEvent`]s and [`Snapshot`]s out.
//!
//! Whatever Asterisk sends, nothing here panics. A kind that says nothing about who talks to whom
//! is `None`; a kind that does but names no usable channel or bridge is a [`TranslationError`], for
//! the caller to count and to log.
//!
//! This module does *not* remember anything: an event that only makes sense beside an earlier one
//! is passed on as it is, and the tracker puts them together.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::wire;
use crate::asterisk::parts;
use crate::model::{BridgeId, ChannelId};
use crate::tracker::event::{
    BridgeInfo, ChannelInfo, ChannelState, DialProgress, NumberAndName, PbxEvent, Snapshot,
};

/// Why a message could not be translated. Holds nothing of the message but names of kinds and
/// fields, so that it may be logged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TranslationError {
    /// The text is no JSON object.
    #[error("an event is not a JSON object")]
    NotAnObject,
    /// A REST answer is no JSON array.
    #[error("the answer to GET /{resource} is not a JSON array")]
    NotAnArray {
        /// `channels`, `bridges` or `endpoints`.
        resource: &'static str,
    },
    /// An object without a `type`: no ARI event.
    #[error("an event has no type")]
    NoType,
    /// A part without which the event means nothing is missing, or has no id.
    #[error("{kind} names no usable {part}")]
    Unusable {
        /// The event's `type`.
        kind: &'static str,
        /// The field that was needed.
        part: &'static str,
    },
}

/// Translates the text of one ARI event. `None`: a kind that does not matter here.
///
/// See <https://docs.asterisk.org/Latest_API/API_Documentation/Asterisk_REST_Interface/Asterisk_REST_Data_Models/>.
pub fn event(text: &str) -> Result<Option<PbxEvent>, TranslationError> {
    if !text.trim_ascii_start().starts_with('{') {
        return Err(TranslationError::NotAnObject);
    }
    // Most events are of kinds that do not matter: the type is read first, and only then the rest.
    let wire::EventType { kind } = serde_json::from_str(text).map_err(|_| TranslationError::NotAnObject)?;
    if kind.is_empty() {
        return Err(TranslationError::NoType);
    }
    let Some(translate) = translator(&kind) else {
        return Ok(None);
    };
    let event = serde_json::from_str(text).map_err(|_| TranslationError::NotAnObject)?;
    translate(event).map(Some)
}

/// What makes our event of one of ARI's.
type Translator = fn(wire::Event) -> Result<PbxEvent, TranslationError>;

/// The translator of a kind, if it says something about who talks to whom.
fn translator(kind: &str) -> Option<Translator> {
    Some(match kind {
        "ChannelCreated" => |event| channel_seen("ChannelCreated", event),
        "ChannelStateChange" => |event| channel_seen("ChannelStateChange", event),
        "ChannelCallerId" => |event| channel_seen("ChannelCallerId", event),
        "ChannelConnectedLine" => |event| channel_seen("ChannelConnectedLine", event),
        "ChannelHangupRequest" => |event| channel_seen("ChannelHangupRequest", event),
        "ChannelDestroyed" => channel_gone,
        "ChannelHold" => |event| Ok(PbxEvent::Hold(channel("ChannelHold", "channel", event.channel)?)),
        "ChannelUnhold" => |event| {
            Ok(PbxEvent::Unhold(channel(
                "ChannelUnhold",
                "channel",
                event.channel,
            )?))
        },
        "BridgeCreated" => |event| {
            Ok(PbxEvent::BridgeSeen(bridge(
                "BridgeCreated",
                "bridge",
                event.bridge,
            )?))
        },
        "BridgeDestroyed" => |event| {
            Ok(PbxEvent::BridgeGone(
                bridge("BridgeDestroyed", "bridge", event.bridge)?.id,
            ))
        },
        "BridgeMerged" => bridge_merged,
        "ChannelEnteredBridge" => entered,
        "ChannelLeftBridge" => left,
        "Dial" => dial,
        "BridgeBlindTransfer" => blind_transfer,
        "BridgeAttendedTransfer" => attended_transfer,
        _ => return None,
    })
}

/// Translates the answers to `GET /channels`, `GET /bridges` and `GET /endpoints`. Also tells how
/// many of their entries had no usable id and were left out.
///
/// See <https://docs.asterisk.org/Latest_API/API_Documentation/Asterisk_REST_Interface/Channels_REST_API/>
/// and its neighbours.
pub fn snapshot(
    channels: &str,
    bridges: &str,
    endpoints: &str,
) -> Result<(Snapshot, usize), TranslationError> {
    let channels: Vec<wire::Channel> = array("channels", channels)?;
    let bridges: Vec<wire::Bridge> = array("bridges", bridges)?;
    let endpoints: Vec<wire::Endpoint> = array("endpoints", endpoints)?;
    let entries = channels.len() + bridges.len() + endpoints.len();
    let snapshot = Snapshot {
        channels: channels.into_iter().filter_map(usable_channel).collect(),
        bridges: bridges
            .into_iter()
            .filter_map(|mut bridge| {
                let inside = std::mem::take(&mut bridge.channels);
                Some((
                    usable_bridge(&bridge)?,
                    inside.into_iter().map(ChannelId::new).collect(),
                ))
            })
            .collect(),
        endpoints: endpoints
            .into_iter()
            .map(|endpoint| endpoint.resource)
            .filter(|resource| !resource.is_empty())
            .collect(),
    };
    let used = snapshot.channels.len() + snapshot.bridges.len() + snapshot.endpoints.len();
    Ok((snapshot, entries - used))
}

/// Whether an ARI message says that another WebSocket took the application over, after which this one
/// hears nothing more.
pub(super) fn says_replaced(text: &str) -> bool {
    // Nearly every message is another, and telling so need not cost a second parse.
    text.contains(REPLACED)
        && serde_json::from_str(text).is_ok_and(|event: wire::EventType| event.kind == REPLACED)
}

const REPLACED: &str = "ApplicationReplaced";

fn channel_seen(kind: &'static str, event: wire::Event) -> Result<PbxEvent, TranslationError> {
    Ok(PbxEvent::ChannelSeen(channel(kind, "channel", event.channel)?))
}

fn channel_gone(event: wire::Event) -> Result<PbxEvent, TranslationError> {
    let gone = event.channel.and_then(|channel| parts::channel_id(&channel.id));
    gone.map(PbxEvent::ChannelGone).ok_or(TranslationError::Unusable {
        kind: "ChannelDestroyed",
        part: "channel",
    })
}

fn bridge_merged(event: wire::Event) -> Result<PbxEvent, TranslationError> {
    let kind = "BridgeMerged";
    Ok(PbxEvent::Merged {
        into: bridge(kind, "bridge", event.bridge)?,
        from: bridge(kind, "bridge_from", event.bridge_from)?,
    })
}

fn entered(event: wire::Event) -> Result<PbxEvent, TranslationError> {
    let kind = "ChannelEnteredBridge";
    Ok(PbxEvent::Entered {
        bridge: bridge(kind, "bridge", event.bridge)?,
        channel: channel(kind, "channel", event.channel)?,
    })
}

fn left(event: wire::Event) -> Result<PbxEvent, TranslationError> {
    let kind = "ChannelLeftBridge";
    Ok(PbxEvent::Left {
        bridge: bridge(kind, "bridge", event.bridge)?,
        channel: channel(kind, "channel", event.channel)?,
    })
}

fn dial(event: wire::Event) -> Result<PbxEvent, TranslationError> {
    Ok(PbxEvent::Dial {
        caller: optional_channel("Dial", "caller", event.caller)?,
        peer: channel("Dial", "peer", event.peer)?,
        progress: match event.dialstatus.as_str() {
            "" => DialProgress::Begun,
            "RINGING" | "PROGRESS" | "PROCEEDING" => DialProgress::Ringing,
            "ANSWER" => DialProgress::Answered,
            _ => DialProgress::Failed,
        },
        forwarded: optional_channel("Dial", "forwarded", event.forwarded)?,
    })
}

fn blind_transfer(event: wire::Event) -> Result<PbxEvent, TranslationError> {
    let kind = "BridgeBlindTransfer";
    Ok(PbxEvent::BlindTransfer {
        transferer: channel(kind, "channel", event.channel)?,
        transferee: optional_channel(kind, "transferee", event.transferee)?,
        exten: parts::named(event.exten),
        success: event.result == SUCCESS,
    })
}

/// `destination_type` tells how it was done: the two bridges became one (`bridge`), were tied
/// together (`link`), or the transferee was sent into what the second leg ran (`application`). Not a
/// transfer for us are `fail`, and `threeway`: there the transferer stays and nobody is handed over,
/// so that what happens is told by the bridges alone.
fn attended_transfer(event: wire::Event) -> Result<PbxEvent, TranslationError> {
    let kind = "BridgeAttendedTransfer";
    let handed_over = !matches!(event.destination_type.as_str(), "threeway" | "fail");
    Ok(PbxEvent::AttendedTransfer {
        first_leg: channel(kind, "transferer_first_leg", event.transferer_first_leg)?,
        second_leg: channel(kind, "transferer_second_leg", event.transferer_second_leg)?,
        first_bridge: optional_bridge(
            kind,
            "transferer_first_leg_bridge",
            event.transferer_first_leg_bridge,
        )?,
        second_bridge: optional_bridge(
            kind,
            "transferer_second_leg_bridge",
            event.transferer_second_leg_bridge,
        )?,
        transferee: optional_channel(kind, "transferee", event.transferee)?,
        target: optional_channel(kind, "transfer_target", event.transfer_target)?,
        success: event.result == SUCCESS && handed_over,
    })
}

/// The one `result` of a transfer that was carried out.
const SUCCESS: &str = "Success";

/// A channel that has to be there.
fn channel(
    kind: &'static str,
    part: &'static str,
    channel: Option<wire::Channel>,
) -> Result<ChannelInfo, TranslationError> {
    channel
        .and_then(usable_channel)
        .ok_or(TranslationError::Unusable { kind, part })
}

/// A channel that may be absent, but has to be usable if it is there.
fn optional_channel(
    kind: &'static str,
    part: &'static str,
    found: Option<wire::Channel>,
) -> Result<Option<ChannelInfo>, TranslationError> {
    found.map(|found| channel(kind, part, Some(found))).transpose()
}

/// A bridge that has to be there.
fn bridge(
    kind: &'static str,
    part: &'static str,
    bridge: Option<wire::Bridge>,
) -> Result<BridgeInfo, TranslationError> {
    bridge
        .and_then(|bridge| usable_bridge(&bridge))
        .ok_or(TranslationError::Unusable { kind, part })
}

/// The id of a bridge that may be absent, but has to be usable if it is there.
fn optional_bridge(
    kind: &'static str,
    part: &'static str,
    found: Option<wire::Bridge>,
) -> Result<Option<BridgeId>, TranslationError> {
    found
        .map(|found| bridge(kind, part, Some(found)).map(|info| info.id))
        .transpose()
}

fn usable_channel(channel: wire::Channel) -> Option<ChannelInfo> {
    parts::channel(ChannelInfo {
        id: ChannelId::new(channel.id),
        name: channel.name,
        state: match channel.state.as_str() {
            "Ringing" => ChannelState::Ringing,
            "Up" => ChannelState::Up,
            _ => ChannelState::Other,
        },
        caller: number_and_name(channel.caller),
        connected: number_and_name(channel.connected),
        app_name: channel.dialplan.app_name,
        app_data: channel.dialplan.app_data,
        protocol_id: channel.protocol_id,
    })
}

fn number_and_name(caller_id: wire::CallerId) -> NumberAndName {
    NumberAndName {
        number: caller_id.number,
        name: caller_id.name,
    }
}

fn usable_bridge(bridge: &wire::Bridge) -> Option<BridgeInfo> {
    parts::bridge(
        &bridge.id,
        bridge.mode == "holding",
        &bridge.class,
        &bridge.technology,
        &bridge.creator,
    )
}

fn array<T: DeserializeOwned + Default>(
    resource: &'static str,
    text: &str,
) -> Result<Vec<T>, TranslationError> {
    match serde_json::from_str(text) {
        Ok(Value::Array(entries)) => Ok(entries
            .into_iter()
            .map(|entry| T::deserialize(entry).unwrap_or_default())
            .collect()),
        Ok(_) | Err(_) => Err(TranslationError::NotAnArray { resource }),
    }
}

#[cfg(test)]
mod tests;
