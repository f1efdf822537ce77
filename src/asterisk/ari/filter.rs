//! What Asterisk need not send.

/// Kinds of events that say nothing about who talks to whom. Two thirds of an ordinary call's events
/// are `ChannelVarset` alone. Every one of them is `None` in [`super::translate`], so that a relay
/// that hears them nevertheless (an older Asterisk, a refused filter) concludes the same.
pub const DISALLOWED: [&str; 23] = [
    "ApplicationMoveFailed",
    "BridgeVideoSourceChanged",
    "ChannelDialplan",
    "ChannelDtmfReceived",
    "ChannelTalkingFinished",
    "ChannelTalkingStarted",
    "ChannelToneDetected",
    "ChannelTransfer",
    "ChannelUserevent",
    "ChannelVarset",
    "ContactStatusChange",
    "DeviceStateChanged",
    "EndpointStateChange",
    "PeerStatusChange",
    "PlaybackContinuing",
    "PlaybackFinished",
    "PlaybackStarted",
    "RecordingFailed",
    "RecordingFinished",
    "RecordingStarted",
    "StasisEnd",
    "StasisStart",
    "TextMessageReceived",
];
