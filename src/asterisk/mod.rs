//! What stands between an Asterisk and the tracker: connect, compare, translate.
//!
//! [`ari`] and [`ami`] are the two interfaces that an Asterisk can be heard over. What they have in common is
//! [`interface`], and a [`Connector`] works with either: it makes one connection after the other, for as long as the
//! process lives, compares before it trusts, and tells [`PbxReport`](crate::pbx::PbxReport)s. While it follows, `comparisons` go
//! on asking what Asterisk knows, since subscriptions are known to be lost without a word.
//!
//! [`recording`] reads and writes event streams as files, and [`mask`] takes what is personal out of them. Nothing
//! here concludes anything: who talks to whom is the tracker's business.

pub mod ami;
pub mod ari;
mod backoff;
mod both;
mod comparisons;
mod connector;
mod counters;
mod inbox;
pub mod interface;
mod loss;
pub mod mask;
pub mod merge;
mod parts;
pub mod recording;
mod renewal;
mod tuning;
mod untimed;

pub use both::{Both, Disagreements};
pub use connector::Connector;
pub use counters::Counters;
pub use loss::Loss;
pub use renewal::Renewal;
pub use tuning::Tuning;
