//! Who dials whom, for as long as the attempt lasts.

use std::collections::BTreeMap;

use crate::asterisk::parts;
use crate::model::ChannelId;
use crate::tracker::event::ChannelInfo;

/// Attempts that are remembered at the most. Whoever has more of them at once is not an Asterisk.
const ATTEMPTS_MAX: usize = 65_536;
/// Attempts of one channel that are remembered, the last ones. A ring group has as many as it has members.
const ATTEMPTS_OF_ONE_MAX: usize = 64;
/// Bytes of a target at the most.
const TARGET_BYTES_MAX: usize = 1_024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Dials {
    /// The attempts of each that go on, or were answered, the last one first.
    attempts: BTreeMap<ChannelId, Vec<Attempt>>,
    /// Who dialled each.
    dialled_by: BTreeMap<ChannelId, ChannelId>,
}

#[derive(Debug)]
struct Attempt {
    peer: ChannelId,
    /// As an argument of `Dial`: `PJSIP/1002`.
    target: String,
}

impl Dials {
    /// What this one dials, as the arguments of `Dial`.
    pub(super) fn targets_of(&self, by: &ChannelId) -> Option<String> {
        let attempts = self.attempts.get(by)?;
        let targets: Vec<&str> = attempts.iter().map(|attempt| attempt.target.as_str()).collect();
        Some(targets.join("&"))
    }

    /// An attempt begins.
    pub(super) fn begin(&mut self, by: ChannelId, peer: &ChannelInfo, dial_string: &str) {
        let Some((technology, _)) = peer.name.split_once('/') else {
            return;
        };
        self.end(&peer.id);
        if self.dialled_by.len() >= ATTEMPTS_MAX {
            *self = Self::default();
        }
        let mut target = format!("{technology}/{dial_string}");
        parts::cut(&mut target, TARGET_BYTES_MAX);
        self.dialled_by.insert(peer.id.clone(), by.clone());
        let attempts = self.attempts.entry(by).or_default();
        let peer = peer.id.clone();
        attempts.insert(0, Attempt { peer, target });
        if attempts.len() > ATTEMPTS_OF_ONE_MAX
            && let Some(oldest) = attempts.pop()
        {
            self.dialled_by.remove(&oldest.peer);
        }
    }

    /// The attempt to reach this one is over.
    pub(super) fn end(&mut self, peer: &ChannelId) {
        let Some(by) = self.dialled_by.remove(peer) else {
            return;
        };
        if let Some(attempts) = self.attempts.get_mut(&by) {
            attempts.retain(|attempt| attempt.peer != *peer);
            if attempts.is_empty() {
                self.attempts.remove(&by);
            }
        }
    }

    /// How many attempts are remembered.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        let attempts = self.attempts.values().map(Vec::len).sum();
        assert_eq!(self.dialled_by.len(), attempts);
        attempts
    }

    /// This channel is gone: it dials nobody, and nobody dials it.
    pub(super) fn forget(&mut self, channel: &ChannelId) {
        self.end(channel);
        for attempt in self.attempts.remove(channel).unwrap_or_default() {
            self.dialled_by.remove(&attempt.peer);
        }
    }
}
