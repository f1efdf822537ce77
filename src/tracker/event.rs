//! What a PBX reports, in our words: the tracker's input.
//!
//! An adapter (`crate::asterisk`) translates ARI or AMI into these. Everything here is something
//! that *happened* or *is*; nothing is a conclusion.

use crate::model::{BridgeId, ChannelId};

/// A number and the name shown beside it, either of which may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberAndName {
    /// The telephone number, as the PBX has it.
    pub number: String,
    /// The display name.
    pub name: String,
}

/// As much of a channel's state as matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChannelState {
    /// Neither ringing nor answered: `Down`, `Rsrvd`, `OffHook`, `Dialing`, `Ring`, `Busy`, …
    #[default]
    Other,
    /// The device at the far end rings.
    Ringing,
    /// Answered.
    Up,
}

/// A channel as the PBX last described it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelInfo {
    /// Asterisk's `Uniqueid`.
    pub id: ChannelId,
    /// The channel name, such as `PJSIP/1001-0000002a` or `Local/1003@internal-00000003;1`.
    pub name: String,
    /// Whether it rings or is answered.
    pub state: ChannelState,
    /// Who is at this end, by caller ID. Can be forged by an outside caller.
    pub caller: NumberAndName,
    /// Who is at the other end, by connected line.
    pub connected: NumberAndName,
    /// The dialplan application it runs (`Dial`, `ConfBridge`, …), empty if none.
    pub app_name: String,
    /// The arguments of that application.
    pub app_data: String,
    /// The SIP Call-ID of a PJSIP channel (Asterisk 20 and later), empty if unknown.
    pub protocol_id: String,
}

impl ChannelInfo {
    /// A channel of which only id and name are known.
    #[must_use]
    pub fn named(id: &str, name: &str) -> Self {
        Self {
            id: ChannelId::new(id),
            name: name.to_owned(),
            state: ChannelState::Other,
            caller: NumberAndName::default(),
            connected: NumberAndName::default(),
            app_name: String::new(),
            app_data: String::new(),
            protocol_id: String::new(),
        }
    }
}

/// What a bridge is for, as far as it says who talks to whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BridgeKind {
    /// Whoever is in it hears the others (`bridge_type: "mixing"`).
    #[default]
    Mixing,
    /// Channels wait in it, each alone (`bridge_type: "holding"`).
    Holding,
    /// A holding bridge of the parking lot (`bridge_class: "parking"`).
    Parking,
}

/// A bridge as the PBX last described it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeInfo {
    /// Asterisk's id of the bridge.
    pub id: BridgeId,
    /// What it is for.
    pub kind: BridgeKind,
    /// Whether it is a conference room (`creator: "ConfBridge"` or `"MeetMe"`-like), which a call
    /// may enter and leave without being the same conversation.
    pub conference: bool,
}

/// How far a dial attempt has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialProgress {
    /// The attempt has begun (empty `dialstatus`).
    Begun,
    /// The far end rings or sends early media (`RINGING`, `PROGRESS`, `PROCEEDING` …).
    Ringing,
    /// The far end answered (`ANSWER`).
    Answered,
    /// The attempt is over without an answer (`BUSY`, `NOANSWER`, `CANCEL`, `CHANUNAVAIL`, `CONGESTION`, …).
    Failed,
}

/// Everything the PBX knows at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// All channels.
    pub channels: Vec<ChannelInfo>,
    /// All bridges with the channels that sit in them.
    pub bridges: Vec<(BridgeInfo, Vec<ChannelId>)>,
    /// The names of all configured endpoints (`1001`, `trunk`), so that an outside caller cannot
    /// pass for one of them. Empty if the PBX does not say.
    pub endpoints: Vec<String>,
}

/// One thing the PBX reported.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "an event lives for one turn; a box would be one allocation each"
)]
pub enum PbxEvent {
    /// A channel exists and looks like this (created, changed state, caller ID, connected line …).
    ChannelSeen(ChannelInfo),
    /// A channel was destroyed.
    ChannelGone(ChannelId),
    /// A bridge exists.
    BridgeSeen(BridgeInfo),
    /// A bridge was destroyed.
    BridgeGone(BridgeId),
    /// A channel entered a bridge.
    Entered {
        /// Where to.
        bridge: BridgeInfo,
        /// Who.
        channel: ChannelInfo,
    },
    /// A channel left a bridge. Alone it proves nothing (semantics §8.3).
    Left {
        /// Where from.
        bridge: BridgeInfo,
        /// Who.
        channel: ChannelInfo,
    },
    /// Two bridges became one. The moves themselves are reported as `Left` and `Entered` too.
    Merged {
        /// The bridge that stays.
        into: BridgeInfo,
        /// The bridge that was emptied.
        from: BridgeInfo,
    },
    /// One channel dials another.
    Dial {
        /// Who dials; absent when the PBX itself does (originate).
        caller: Option<ChannelInfo>,
        /// Who is dialled.
        peer: ChannelInfo,
        /// How far it has come.
        progress: DialProgress,
        /// Where the dialled party forwards to (`Local/…` channel of a 302), if it does.
        forwarded: Option<ChannelInfo>,
    },
    /// The device at this channel put the other side on hold.
    Hold(ChannelInfo),
    /// The device at this channel resumed; Asterisk also says so by itself just before a transfer.
    Unhold(ChannelInfo),
    /// A blind transfer was asked for.
    BlindTransfer {
        /// The transferer's channel.
        transferer: ChannelInfo,
        /// The channel that is sent elsewhere; absent with more than two in the bridge.
        transferee: Option<ChannelInfo>,
        /// The extension it is sent to.
        exten: String,
        /// Whether Asterisk carried it out (`result: "Success"`).
        success: bool,
    },
    /// An attended transfer was asked for.
    AttendedTransfer {
        /// The transferer's channel in the original call.
        first_leg: ChannelInfo,
        /// The transferer's channel in the consultation. The same one for a feature-code transfer.
        second_leg: ChannelInfo,
        /// The bridge of the original call, if it had one.
        first_bridge: Option<BridgeId>,
        /// The bridge of the consultation, if it had one.
        second_bridge: Option<BridgeId>,
        /// The channel that is handed over.
        transferee: Option<ChannelInfo>,
        /// The channel it is handed over to.
        target: Option<ChannelInfo>,
        /// Whether Asterisk carried it out.
        success: bool,
    },
}

impl PbxEvent {
    /// The channels that it describes. One that is gone is only named.
    #[must_use]
    pub fn channels(&self) -> Vec<&ChannelInfo> {
        match self {
            Self::ChannelGone(_) | Self::BridgeSeen(_) | Self::BridgeGone(_) | Self::Merged { .. } => {
                Vec::new()
            }
            Self::ChannelSeen(info) | Self::Hold(info) | Self::Unhold(info) => vec![info],
            Self::Entered { channel, .. } | Self::Left { channel, .. } => vec![channel],
            Self::Dial {
                caller,
                peer,
                forwarded,
                ..
            } => caller.iter().chain([peer]).chain(forwarded).collect(),
            Self::BlindTransfer {
                transferer,
                transferee,
                ..
            } => [transferer].into_iter().chain(transferee).collect(),
            Self::AttendedTransfer {
                first_leg,
                second_leg,
                transferee,
                target,
                ..
            } => {
                let legs = [first_leg, second_leg].into_iter();
                legs.chain(transferee).chain(target).collect()
            }
        }
    }

    /// The same ones, to be put right.
    pub fn channels_mut(&mut self) -> Vec<&mut ChannelInfo> {
        match self {
            Self::ChannelGone(_) | Self::BridgeSeen(_) | Self::BridgeGone(_) | Self::Merged { .. } => {
                Vec::new()
            }
            Self::ChannelSeen(info) | Self::Hold(info) | Self::Unhold(info) => vec![info],
            Self::Entered { channel, .. } | Self::Left { channel, .. } => vec![channel],
            Self::Dial {
                caller,
                peer,
                forwarded,
                ..
            } => caller.iter_mut().chain([peer]).chain(forwarded).collect(),
            Self::BlindTransfer {
                transferer,
                transferee,
                ..
            } => [transferer].into_iter().chain(transferee).collect(),
            Self::AttendedTransfer {
                first_leg,
                second_leg,
                transferee,
                target,
                ..
            } => {
                let legs = [first_leg, second_leg].into_iter();
                legs.chain(transferee).chain(target).collect()
            }
        }
    }
}
