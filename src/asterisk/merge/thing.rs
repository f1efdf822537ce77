//! What an event says, and of what.

use std::fmt;

use crate::model::{BridgeId, ChannelId};
use crate::tracker::event::{ChannelInfo, DialProgress, PbxEvent};

/// What something is said of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Of {
    Channel(ChannelId),
    Bridge(BridgeId),
}

/// What is said, but for how a channel looks. The same may be said of the same again and again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Thing {
    Made,
    Gone,
    Entered(BridgeId),
    Left(BridgeId),
    Merged(BridgeId),
    Held,
    Resumed,
    Dialled(u8),
    SentOn { exten: String, success: bool },
    HandedOver { second_leg: ChannelId, success: bool },
}

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channel(id) => write!(f, "channel {id}"),
            Self::Bridge(id) => write!(f, "bridge {id}"),
        }
    }
}

impl fmt::Display for Thing {
    /// Names no extension, which may be a telephone number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Made => write!(f, "was made"),
            Self::Gone => write!(f, "is gone"),
            Self::Entered(bridge) => write!(f, "entered the bridge {bridge}"),
            Self::Left(bridge) => write!(f, "left the bridge {bridge}"),
            Self::Merged(from) => write!(f, "took in the bridge {from}"),
            Self::Held => write!(f, "holds"),
            Self::Resumed => write!(f, "holds no more"),
            Self::Dialled(_) => write!(f, "is dialled"),
            Self::SentOn { success, .. } => write!(f, "transfers blind (success: {success})"),
            Self::HandedOver { success, .. } => {
                write!(f, "transfers after a consultation (success: {success})")
            }
        }
    }
}

/// What an event says, and of what; nothing for how a channel looks.
pub(super) fn thing_of(event: &PbxEvent) -> Option<(Of, Thing)> {
    let channel = |info: &ChannelInfo| Of::Channel(info.id.clone());
    Some(match event {
        PbxEvent::ChannelSeen(_) => return None,
        PbxEvent::ChannelGone(id) => (Of::Channel(id.clone()), Thing::Gone),
        PbxEvent::BridgeSeen(info) => (Of::Bridge(info.id.clone()), Thing::Made),
        PbxEvent::BridgeGone(id) => (Of::Bridge(id.clone()), Thing::Gone),
        PbxEvent::Entered {
            bridge,
            channel: info,
        } => (channel(info), Thing::Entered(bridge.id.clone())),
        PbxEvent::Left {
            bridge,
            channel: info,
        } => (channel(info), Thing::Left(bridge.id.clone())),
        PbxEvent::Merged { into, from } => (Of::Bridge(into.id.clone()), Thing::Merged(from.id.clone())),
        PbxEvent::Dial { peer, progress, .. } => (channel(peer), Thing::Dialled(stage_of(*progress))),
        PbxEvent::Hold(info) => (channel(info), Thing::Held),
        PbxEvent::Unhold(info) => (channel(info), Thing::Resumed),
        PbxEvent::BlindTransfer {
            transferer,
            exten,
            success,
            ..
        } => (
            channel(transferer),
            Thing::SentOn {
                exten: exten.clone(),
                success: *success,
            },
        ),
        PbxEvent::AttendedTransfer {
            first_leg,
            second_leg,
            success,
            ..
        } => (
            channel(first_leg),
            Thing::HandedOver {
                second_leg: second_leg.id.clone(),
                success: *success,
            },
        ),
    })
}

const fn stage_of(progress: DialProgress) -> u8 {
    match progress {
        DialProgress::Begun => 0,
        DialProgress::Ringing => 1,
        DialProgress::Answered => 2,
        DialProgress::Failed => 3,
    }
}
