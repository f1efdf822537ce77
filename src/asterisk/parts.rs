//! Channels and bridges, as far as either interface says the same of them, and no larger than they can be.

use crate::model::{BridgeId, ChannelId};
use crate::tracker::event::{BridgeInfo, BridgeKind, ChannelInfo};

/// Bytes of an id, a name or a number at the most. Asterisk's own have up to 150.
pub(super) const NAME_BYTES_MAX: usize = 256;
/// Bytes of what a channel runs at the most: whom it dials stands at the beginning.
const APP_DATA_BYTES_MAX: usize = 4 * 1024;

/// A channel is known by its id, and whose it is by its name; without either it is no use.
pub(super) fn channel(mut channel: ChannelInfo) -> Option<ChannelInfo> {
    if !is_usable(channel.id.as_str()) || !is_usable(&channel.name) {
        return None;
    }
    for text in [
        &mut channel.caller.number,
        &mut channel.caller.name,
        &mut channel.connected.number,
        &mut channel.connected.name,
        &mut channel.app_name,
        &mut channel.protocol_id,
    ] {
        cut(text, NAME_BYTES_MAX);
    }
    cut(&mut channel.app_data, APP_DATA_BYTES_MAX);
    Some(channel)
}

/// The id of a channel that has to be usable.
pub(super) fn channel_id(id: &str) -> Option<ChannelId> {
    is_usable(id).then(|| ChannelId::new(id))
}

/// The id of a bridge that has to be usable.
pub(super) fn bridge_id(id: &str) -> Option<BridgeId> {
    is_usable(id).then(|| BridgeId::new(id))
}

/// A bridge, and what it is for. In one that `is_holding` channels only wait.
pub(super) fn bridge(
    id: &str,
    is_holding: bool,
    class: &str,
    technology: &str,
    creator: &str,
) -> Option<BridgeInfo> {
    let kind = match (is_holding || technology == "holding_bridge", class) {
        (_, "parking") => BridgeKind::Parking,
        (true, _) => BridgeKind::Holding,
        (false, _) => BridgeKind::Mixing,
    };
    // `basic` is the class of ordinary calls, also when a third channel turns them into `softmix`;
    // `base` that of bridges which an application made and owns.
    let room = matches!(creator, "ConfBridge" | "MeetMe") || (technology == "softmix" && class == "base");
    Some(BridgeInfo {
        id: bridge_id(id)?,
        kind,
        conference: kind == BridgeKind::Mixing && room,
    })
}

/// An extension, or anything else that is no longer than a name.
pub(super) fn named(mut text: String) -> String {
    cut(&mut text, NAME_BYTES_MAX);
    text
}

fn is_usable(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME_BYTES_MAX
}

/// Cuts off what is too much of a text.
pub(super) fn cut(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
        text.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(id: &str, caller: &str) -> Option<ChannelInfo> {
        let mut info = ChannelInfo::named(id, "PJSIP/1001-00000001");
        caller.clone_into(&mut info.caller.name);
        channel(info)
    }

    #[test]
    fn a_channel_is_no_use_without_an_id_or_with_one_that_never_ends() {
        assert!(of("1.1", "Anna").is_some());
        assert!(of("", "Anna").is_none());
        assert!(of(&"1".repeat(NAME_BYTES_MAX), "Anna").is_some());
        assert!(of(&"1".repeat(NAME_BYTES_MAX + 1), "Anna").is_none());
    }

    #[test]
    fn a_name_that_never_ends_is_cut_between_letters() {
        let name = of("1.1", &"é".repeat(1_000)).unwrap().caller.name;
        assert_eq!(name, "é".repeat(NAME_BYTES_MAX / 2));
        let name = of("1.1", &format!("a{}", "é".repeat(1_000))).unwrap().caller.name;
        assert_eq!(name, format!("a{}", "é".repeat(NAME_BYTES_MAX / 2 - 1)));
    }
}
