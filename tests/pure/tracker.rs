//! Scenes of the tracker that no recording has.

mod calls;
mod holds;
mod outage;
mod transfers;
