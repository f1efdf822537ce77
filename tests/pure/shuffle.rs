//! The recorded streams with their topics moved against each other: Asterisk keeps the order of
//! events only within one channel's or one bridge's topic, so the conclusions must not hang on any
//! other order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use callrelay::model::Moment;
use callrelay::tracker::{Conclusion, Patience, PbxEvent, Tracker, What};
use proptest::prelude::*;

use crate::{seed, traces};

/// How far an event may move.
const SHIFT_MICROS_MAX: u64 = 10_000;
/// Shuffles of each stream.
const CASES: u32 = 96;

/// The channel or bridge whose order an event keeps.
fn topic(event: &PbxEvent) -> String {
    match event {
        PbxEvent::BridgeGone(bridge) => format!("bridge {bridge}"),
        PbxEvent::BridgeSeen(bridge) | PbxEvent::Entered { bridge, .. } | PbxEvent::Left { bridge, .. } => {
            format!("bridge {}", bridge.id)
        }
        PbxEvent::Merged { into, .. } => format!("bridge {}", into.id),
        PbxEvent::Dial { caller, peer, .. } => format!("channel {}", caller.as_ref().unwrap_or(peer).id),
        // The translated event no longer names the bridge of a blind transfer.
        PbxEvent::BlindTransfer { transferer, .. } => format!("blind transfer {}", transferer.id),
        PbxEvent::AttendedTransfer {
            first_bridge,
            first_leg,
            ..
        } => match first_bridge {
            Some(bridge) => format!("bridge {bridge}"),
            None => format!("channel {}", first_leg.id),
        },
        PbxEvent::ChannelSeen(channel) | PbxEvent::Hold(channel) | PbxEvent::Unhold(channel) => {
            format!("channel {}", channel.id)
        }
        PbxEvent::ChannelGone(channel) => format!("channel {channel}"),
    }
}

/// Puts a blind transfer into the topic of the bridge that its channels sat in just before or after.
fn topics(events: &[(Moment, PbxEvent)]) -> Vec<String> {
    let mut sits: BTreeMap<String, String> = BTreeMap::new();
    events
        .iter()
        .map(|(_, event)| {
            if let PbxEvent::Entered { bridge, channel } = event {
                sits.insert(channel.id.to_string(), format!("bridge {}", bridge.id));
            }
            if let PbxEvent::BlindTransfer { transferer, .. } = event {
                sits[transferer.id.as_str()].clone()
            } else {
                topic(event)
            }
        })
        .collect()
}

/// Moves each event by its shift, but never before an earlier one of its topic.
fn shuffled(events: &[(Moment, PbxEvent)], shifts: &[u64]) -> Vec<(Moment, PbxEvent)> {
    let mut last: BTreeMap<String, Moment> = BTreeMap::new();
    let mut moved: Vec<(Moment, usize)> = Vec::new();
    for (index, topic) in topics(events).into_iter().enumerate() {
        let shifted = events[index].0 + Duration::from_micros(shifts[index]);
        let earliest = last.get(&topic).copied().unwrap_or_default();
        let at = shifted.max(earliest);
        last.insert(topic, at);
        moved.push((at, index));
    }
    moved.sort_by_key(|(at, index)| (*at, *index));
    moved
        .into_iter()
        .map(|(at, index)| (at, events[index].1.clone()))
        .collect()
}

/// Everything a tracker concludes of a stream.
fn conclude(events: &[(Moment, PbxEvent)]) -> Vec<Conclusion> {
    let mut tracker = Tracker::new(traces::endpoints(), Patience::default());
    let mut conclusions = Vec::new();
    for (at, event) in events {
        conclusions.extend(tracker.handle(*at, event));
    }
    while let Some(deadline) = tracker.next_deadline() {
        conclusions.extend(tracker.tick(deadline));
    }
    assert_eq!(tracker.call_count(), 0, "a call was left standing");
    conclusions
}

/// What happened to each call, in order, without times. Ringing stands apart: it may come earlier
/// or later, and of a call that was answered at once not at all.
fn stories(conclusions: &[Conclusion]) -> BTreeMap<Vec<String>, Vec<String>> {
    let mut calls: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for conclusion in conclusions {
        let phones: Vec<_> = conclusion.view.parties.keys().collect();
        let what = &conclusion.what;
        if matches!(
            what,
            What::Remember | What::Ringing { .. } | What::RingingOver { .. }
        ) {
            continue;
        }
        let line = format!("{what:?} {phones:?} paused {:?}", conclusion.view.paused);
        calls.entry(conclusion.call.0).or_default().push(line);
    }
    // The numbers of calls may differ; what happened in them may not.
    calls.into_values().map(|story| (story.clone(), story)).collect()
}

/// Who was rung, whenever. By whom is not known if the dialling half of a Local pair is heard of first.
fn rings(conclusions: &[Conclusion]) -> BTreeSet<String> {
    let rung = |conclusion: &Conclusion| {
        let What::Ringing { to, .. } = &conclusion.what else {
            return None;
        };
        Some(format!("{to:?}"))
    };
    conclusions.iter().filter_map(rung).collect()
}

/// The rings that were answered later than a shuffle can hide.
fn long_rings(conclusions: &[Conclusion]) -> BTreeSet<String> {
    let is_long = |index: &usize| {
        let ring = &conclusions[*index];
        let mut next = conclusions[index + 1..]
            .iter()
            .filter(|later| later.call == ring.call);
        next.next()
            .is_some_and(|later| later.at.since(ring.at) > Duration::from_micros(SHIFT_MICROS_MAX))
    };
    let long: Vec<_> = (0..conclusions.len())
        .filter(is_long)
        .map(|index| conclusions[index].clone())
        .collect();
    rings(&long)
}

fn holds_in_any_order(name: &str) {
    let events = traces::events(name);
    let expected = conclude(&events);
    let shifts = proptest::collection::vec(0..=SHIFT_MICROS_MAX, events.len());
    let (mut runner, seed) = seed::runner(CASES);
    let outcome = runner.run(&shifts, |shifts| {
        let found = conclude(&shuffled(&events, &shifts));
        prop_assert_eq!(stories(&found), stories(&expected));
        let (rings, all) = (rings(&found), rings(&expected));
        prop_assert!(rings.is_subset(&all), "{rings:?} but {all:?}");
        prop_assert!(rings.is_superset(&long_rings(&expected)), "{rings:?} but {all:?}");
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{name}, seed {seed}: {error}");
    }
}

#[test]
fn plain_calls_are_concluded_in_any_order_of_topics() {
    for name in ["basic", "hold", "caller-cancels", "conference", "trunk-outbound"] {
        holds_in_any_order(name);
    }
}

#[test]
fn blind_transfers_are_concluded_in_any_order_of_topics() {
    for name in [
        "blind-transfer-by-caller",
        "blind-transfer-by-callee",
        "trunk-inbound-then-blind-transfer",
    ] {
        holds_in_any_order(name);
    }
}

#[test]
fn an_attended_transfer_is_concluded_in_any_order_of_topics() {
    holds_in_any_order("attended-transfer");
}

#[test]
fn a_feature_code_transfer_is_concluded_in_any_order_of_topics() {
    holds_in_any_order("attended-transfer-feature-code");
}

#[test]
fn a_parked_call_is_concluded_in_any_order_of_topics() {
    holds_in_any_order("park-and-retrieve");
}

#[test]
fn a_consultation_is_concluded_in_any_order_of_topics() {
    holds_in_any_order("consult-and-return");
}

#[test]
fn events_that_say_nothing_new_change_nothing() {
    for name in traces::NAMES {
        let events = traces::events(name);
        let doubled: Vec<_> = events
            .iter()
            .flat_map(|(at, event)| {
                let again = matches!(event, PbxEvent::ChannelSeen(_)).then(|| (*at, event.clone()));
                std::iter::once((*at, event.clone())).chain(again)
            })
            .collect();
        assert_eq!(conclude(&doubled), conclude(&events), "{name}");
    }
}
