//! What an adapter tells the relay about a PBX.

use crate::model::{Moment, PbxName};
use crate::tracker::event::{PbxEvent, Snapshot};

/// News of one PBX. Those of one PBX arrive in order, and their moments never go backwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PbxReport {
    /// Which PBX.
    pub pbx: PbxName,
    /// When it was heard.
    pub at: Moment,
    /// What was heard.
    pub news: PbxNews,
}

/// What was heard of a PBX.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all news are events; a box would be one allocation each"
)]
pub enum PbxNews {
    /// The connection is up, filtered and compared: everything the PBX knows, and, in order, what it
    /// reported while that was asked for. The latter may or may not be in the snapshot already;
    /// applied to it in order, it leads to the present in either case.
    Known {
        /// Since when everything it reports is heard.
        since: Moment,
        /// What the PBX knows.
        snapshot: Snapshot,
        /// What it reported while it was asked, and when that was heard.
        meanwhile: Vec<(Moment, PbxEvent)>,
    },
    /// Something happened. Follows a [`PbxNews::Known`] only.
    Event(PbxEvent),
    /// All of this happened in one moment. Follows a [`PbxNews::Known`] only.
    AtOnce(Vec<PbxEvent>),
    /// What the PBX answered to a question of the running comparison. Everything that was read before the
    /// answer was reported before this. Follows a [`PbxNews::Known`] only.
    Compared {
        /// Its channels and bridges, which are not of one moment. No endpoints.
        snapshot: Snapshot,
        /// When it was asked, or a little earlier. Nothing in the snapshot is older.
        asked_at: Moment,
    },
    /// The names of all its endpoints, which change with the configuration. Follows a [`PbxNews::Known`] only.
    Endpoints(Vec<String>),
    /// The connection is gone, or cannot be made, and nothing is known until the next
    /// [`PbxNews::Known`]. Said again when the reason changes.
    Lost {
        /// Why, for the operator.
        reason: String,
        /// When it was last heard at all; the zero of the clock if it was not.
        heard_until: Moment,
    },
}
