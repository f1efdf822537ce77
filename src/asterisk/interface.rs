//! What the interfaces of an Asterisk have in common, as far as following its calls goes.

use std::fmt::Display;
use std::sync::Arc;

use tracing::Span;

use super::loss::Loss;
use super::tuning::Tuning;
use crate::clock::Clock;
use crate::model::{Moment, PbxName};
use crate::tracker::event::{PbxEvent, Snapshot};

/// Something that was read from an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard<W> {
    /// When it was read.
    pub at: Moment,
    /// What it was, in the interface's own words.
    pub word: W,
}

/// What takes room while it waits.
pub trait Weigh: Send + 'static {
    /// How much memory it takes, about.
    fn bytes(&self) -> usize;
}

/// A way to hear an Asterisk: where it is, and as whom.
pub trait Interface: Send + Sync + 'static {
    /// One connection.
    type Stream: Stream;

    /// What is logged happens in this.
    fn span(&self, pbx: &PbxName) -> Span;

    /// Connects, so that everything about calls is heard from now on.
    fn open(&self, clock: Clock, tuning: &Tuning) -> impl Future<Output = Result<Self::Stream, Loss>> + Send;

    /// Waits, if whoever caused a loss should have its turn first.
    fn give_way(&self, loss: &Loss, tuning: &Tuning) -> impl Future<Output = ()> + Send;
}

/// One connection, from its beginning to its loss.
pub trait Stream: Send {
    /// What is read.
    type Word: Send + Sync;
    /// How it is asked.
    type Asker: Asker;
    /// Why a word could not be understood. Holds nothing of the word.
    type Error: Display;

    /// The next word, in order; what was read before a loss comes before the loss. May be dropped while it waits.
    fn next(&mut self) -> impl Future<Output = Result<Heard<Self::Word>, Loss>> + Send;

    /// What was read and not been taken yet, without waiting.
    fn waiting(&mut self) -> impl Future<Output = Result<Vec<Heard<Self::Word>>, Loss>> + Send;

    /// How much was read and not been taken yet.
    fn waiting_count(&self) -> usize;

    /// When anything was last read, answers to pings included.
    fn heard_until(&self) -> Moment;

    /// What a word means; `None` if it says nothing about who talks to whom. Words are translated in order.
    fn translate(&mut self, word: &Self::Word) -> Result<Option<PbxEvent>, Self::Error>;

    /// How to ask the same Asterisk.
    fn asker(&self) -> Arc<Self::Asker>;

    /// Says farewell and closes.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// Asks an Asterisk what it knows.
pub trait Asker: Send + Sync + 'static {
    /// Everything, and how many entries of the answers made no sense.
    fn everything(&self) -> impl Future<Output = Result<(Snapshot, usize), Loss>> + Send;

    /// What is to be compared again and again, without endpoints. What it answers is not of one moment, and everything
    /// that was read before the answer is in the stream already.
    fn channels_and_bridges(&self) -> impl Future<Output = Result<Snapshot, Loss>> + Send;

    /// The names of all endpoints; none, if they are not told.
    fn endpoints(&self) -> impl Future<Output = Result<Vec<String>, Loss>> + Send;
}
