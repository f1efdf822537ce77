//! A PBX that never ends to name others fills no memory.

use callrelay::model::{BridgeId, ChannelId, Moment};
use callrelay::tracker::event::{BridgeInfo, BridgeKind, ChannelInfo};
use callrelay::tracker::{Patience, PbxEvent, Tracker};

use crate::traces;

/// More than are remembered.
const MANY: u32 = 100_000;

fn channel(number: u32) -> ChannelInfo {
    ChannelInfo::named(&format!("c{number}"), &format!("PJSIP/{number}-00000001"))
}

fn bridge(number: u32) -> BridgeInfo {
    BridgeInfo {
        id: BridgeId::new(format!("b{number}")),
        kind: BridgeKind::Mixing,
        conference: false,
    }
}

#[test]
fn channels_and_bridges_without_end_are_not_remembered_and_those_that_are_go() {
    let mut tracker = Tracker::new(traces::endpoints(), Patience::default());
    let at = Moment::from_micros(1);
    for number in 0..MANY {
        tracker.handle(at, &PbxEvent::ChannelSeen(channel(number)));
        let entered = PbxEvent::Entered {
            bridge: bridge(number),
            channel: channel(number),
        };
        tracker.handle(at, &entered);
    }
    assert_eq!(
        (tracker.channel_count(), tracker.bridge_count()),
        (32_768, 32_768)
    );
    for number in 0..MANY {
        tracker.handle(at, &PbxEvent::ChannelGone(ChannelId::new(format!("c{number}"))));
        tracker.handle(at, &PbxEvent::BridgeGone(BridgeId::new(format!("b{number}"))));
    }
    let left = (
        tracker.channel_count(),
        tracker.bridge_count(),
        tracker.call_count(),
    );
    assert_eq!(left, (0, 0, 0));
}
