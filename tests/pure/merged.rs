//! Every recorded scene, heard over both interfaces at once: whichever is ahead, and whichever is cut off for a while, it
//! comes to the same as over one.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use callrelay::asterisk::merge::{Disagreement, Merger, Side};
use callrelay::asterisk::{ami, ari, recording};
use callrelay::model::{BridgeId, Moment, Phone};
use callrelay::tracker::event::ChannelInfo;
use callrelay::tracker::{Conclusion, Patience, PbxEvent, Tracker, What};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::recorded::{recording_of, scenes};
use crate::traces;

/// Cases of each scene.
const CASES: u64 = 12;
/// How far one may be behind the other in these tests. Farther, and two things that people do in a scene, which plays
/// them without a pause, would come out of order.
const BEHIND_MICROS_MAX: u64 = 40_000;

/// Something that one of the two says.
type Said = (Moment, Side, PbxEvent);

/// What one of them says in a scene, each `behind` its own time.
fn said(scene: &str, side: Side, behind: Duration) -> Vec<Said> {
    let text = recording_of(scene, side.as_str());
    let mut translator = ami::translate::Translator::default();
    let records = recording::read(text.as_bytes()).map(Result::unwrap);
    let events = records.filter_map(|record| {
        let event = match side {
            Side::Ari => ari::translate::event(record.event.get()).unwrap(),
            Side::Ami => {
                let message = serde_json::from_str(record.event.get()).unwrap();
                translator.event(&message).unwrap()
            }
        };
        Some((record.at + behind, side, event?))
    });
    events.collect()
}

/// Both accounts, by the moments at which they come.
fn both(scene: &str, random: &mut StdRng) -> Vec<Said> {
    let mut behind = [Duration::ZERO; 2];
    behind[random.random_range(0..2)] = Duration::from_micros(random.random_range(0..BEHIND_MICROS_MAX));
    let mut all = said(scene, Side::Ari, behind[0]);
    all.extend(said(scene, Side::Ami, behind[1]));
    all.sort_by_key(|(at, ..)| *at);
    all
}

/// What the tracker makes of events, without the moments.
fn concluded(events: impl Iterator<Item = (Moment, PbxEvent)>) -> Vec<String> {
    let mut tracker = Tracker::new(traces::endpoints(), Patience::default());
    let mut conclusions = Vec::new();
    for (at, event) in events {
        while let Some(due) = tracker.next_deadline().filter(|due| *due <= at) {
            conclusions.extend(tracker.tick(due));
        }
        conclusions.extend(tracker.handle(at, &event));
    }
    while let Some(due) = tracker.next_deadline() {
        conclusions.extend(tracker.tick(due));
    }
    essence(&conclusions)
}

/// What was concluded, without moments. A scene ends with everybody hanging up within milliseconds of each other: whether
/// one leaves, or resumes, before all is over depends on these, and is not told.
fn essence(conclusions: &[Conclusion]) -> Vec<String> {
    let mut ending = BTreeSet::new();
    let mut told = Vec::new();
    for conclusion in conclusions.iter().rev() {
        let call = conclusion.call.0;
        if conclusion.what == What::Remember {
            continue;
        }
        let is_parting = matches!(conclusion.what, What::Leave { .. } | What::HoldOff { .. });
        if conclusion.what == What::Bye {
            ending.insert(call);
        } else if is_parting && ending.contains(&call) {
            continue;
        } else {
            ending.remove(&call);
        }
        let parties: Vec<&str> = conclusion.view.parties.keys().map(Phone::as_str).collect();
        told.push(format!("{call} {:?} {parties:?}", conclusion.what));
    }
    told.reverse();
    told
}

fn over_ari_alone(scene: &str) -> Vec<String> {
    concluded(
        said(scene, Side::Ari, Duration::ZERO)
            .into_iter()
            .map(|(at, _, event)| (at, event)),
    )
}

/// Plays every scene in several ways, and tells which came to something else.
fn wrong_scenes(
    mut merged: impl FnMut(Vec<Said>, &mut StdRng) -> (Vec<(Moment, PbxEvent)>, Vec<Disagreement>),
) -> String {
    let mut wrong = String::new();
    for scene in scenes() {
        let expected = over_ari_alone(&scene);
        for seed in 0..CASES {
            let mut random = StdRng::seed_from_u64(seed);
            let all = both(&scene, &mut random);
            let (events, disagreements) = merged(all, &mut random);
            let found = concluded(events.into_iter());
            if found != expected || !disagreements.is_empty() {
                writeln!(
                    wrong,
                    "{scene}, seed {seed}\nexpected: {expected:#?}\nfound: {found:#?}\n{disagreements:?}"
                )
                .unwrap();
            }
        }
    }
    wrong
}

/// What they disagree about when everything that either said until then was heard.
fn settled(merger: &mut Merger, until: Moment) -> Vec<Disagreement> {
    for side in Side::BOTH {
        merger.heard_until(side, until);
    }
    merger.settle(until)
}

#[test]
fn whichever_is_ahead_everything_is_told_once() {
    let wrong = wrong_scenes(|all, _| {
        let mut merger = Merger::default();
        for side in Side::BOTH {
            merger.connects(side, Moment::default(), Moment::default());
        }
        let last = all.last().map(|(at, ..)| *at).unwrap_or_default();
        let events = all
            .into_iter()
            .flat_map(|(at, side, event)| {
                let news = merger.hear(side, at, event);
                news.into_iter().map(move |event| (at, event))
            })
            .collect();
        (events, settled(&mut merger, last + Duration::from_secs(30)))
    });
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn one_of_them_may_be_cut_off_and_come_back_at_any_moment() {
    let wrong = wrong_scenes(|all, random| {
        let cut = Side::BOTH[random.random_range(0..2)];
        let from = random.random_range(0..all.len());
        let until = random.random_range(from..=all.len());
        // It hears everything from then on, and has taken its picture a little or much later.
        let known = random.random_range(until..=all.len());
        let (mut since, mut meanwhile) = (Moment::default(), Vec::new());
        let mut merger = Merger::default();
        for side in Side::BOTH {
            merger.connects(side, Moment::default(), Moment::default());
        }
        let last = all.last().map(|(at, ..)| *at).unwrap_or_default();
        let mut events = Vec::new();
        for (index, (at, side, event)) in all.into_iter().enumerate() {
            if let Some(due) = merger.next_deadline().filter(|due| *due <= at) {
                events.extend(merger.release(due).into_iter().map(|event| (due, event)));
            }
            if index == from {
                let news = merger.loses(cut);
                events.extend(news.into_iter().map(|event| (at, event)));
            }
            if index == until {
                since = at;
            }
            if index == known {
                merger.connects(cut, since, at);
                for (heard_at, event) in std::mem::take(&mut meanwhile) {
                    let news = merger.hear(cut, heard_at, event);
                    events.extend(news.into_iter().map(|event| (at, event)));
                }
            }
            if side == cut && (from..known).contains(&index) {
                if index >= until {
                    meanwhile.push((at, event));
                }
                continue;
            }
            let news = merger.hear(side, at, event);
            events.extend(news.into_iter().map(|event| (at, event)));
        }
        if let Some(due) = merger.next_deadline() {
            events.extend(merger.release(due).into_iter().map(|event| (due, event)));
        }
        (events, settled(&mut merger, last + Duration::from_secs(30)))
    });
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn what_only_one_of_them_says_is_told_and_counts_as_a_disagreement() {
    let scene = "plain/either_side_may_hang_up";
    let mut merger = Merger::default();
    for side in Side::BOTH {
        merger.connects(side, Moment::default(), Moment::default());
    }
    let mut random = StdRng::seed_from_u64(0);
    let all = both(scene, &mut random);
    let last = all.last().unwrap().0;
    let mut left_out = 0;
    let mut events = Vec::new();
    for (at, side, event) in all {
        if side == Side::Ami && matches!(event, PbxEvent::Entered { .. }) {
            left_out += 1;
            continue;
        }
        let news = merger.hear(side, at, event);
        events.extend(news.into_iter().map(|event| (at, event)));
    }
    assert!(left_out >= 2, "{left_out}");
    assert_eq!(concluded(events.into_iter()), over_ari_alone(scene));
    let found = settled(&mut merger, last + Duration::from_secs(30));
    assert_eq!(found.len(), left_out);
    for disagreement in found {
        assert_eq!(disagreement.said_by, Side::Ari);
        assert!(
            disagreement.what.starts_with("entered the bridge "),
            "{disagreement:?}"
        );
    }
    assert_eq!(settled(&mut merger, last + Duration::from_secs(31)), []);
}

#[test]
fn what_one_of_them_said_and_nobody_has_heard_yet_is_not_missing() {
    let mut merger = Merger::default();
    for side in Side::BOTH {
        merger.connects(side, Moment::default(), Moment::default());
    }
    let mut random = StdRng::seed_from_u64(0);
    let all = both("hold/who_holds_hangs_up", &mut random);
    let last = all.last().unwrap().0;
    // Whoever hears them stood still for a while: one account waits in its queue.
    let (heard, waits): (Vec<Said>, Vec<Said>) = all.into_iter().partition(|(_, side, _)| *side == Side::Ari);
    for (at, side, event) in heard {
        merger.hear(side, at, event);
    }
    let late = last + Duration::from_mins(1);
    merger.heard_until(Side::Ari, late);
    assert_eq!(merger.settle(last + Duration::from_secs(30)), []);
    for (at, side, event) in waits {
        assert_eq!(merger.hear(side, at, event), []);
    }
    assert_eq!(settled(&mut merger, last + Duration::from_secs(31)), []);
}

/// A moment of the small stories below, in milliseconds.
fn at(millis: u64) -> Moment {
    Moment::from_micros(millis * 1_000)
}

fn channel() -> ChannelInfo {
    ChannelInfo::named("1.1", "PJSIP/1001-00000001")
}

/// The channel holds.
fn held() -> PbxEvent {
    PbxEvent::Hold(channel())
}

/// And holds no more.
fn resumed() -> PbxEvent {
    PbxEvent::Unhold(channel())
}

/// ARI is connected from the beginning, and AMI is not.
fn over_ari() -> Merger {
    let mut merger = Merger::default();
    merger.connects(Side::Ari, at(0), at(0));
    merger
}

#[test]
fn what_one_heard_while_it_was_connecting_slowly_is_no_news_when_the_other_one_told_it() {
    let mut merger = over_ari();
    assert_eq!(merger.hear(Side::Ari, at(10_200), held()), [held()]);
    // It hears since 10 s, and has compared at 13 s.
    merger.connects(Side::Ami, at(10_000), at(13_000));
    assert_eq!(merger.hear(Side::Ami, at(10_210), held()), []);
    assert_eq!(merger.hear(Side::Ari, at(13_200), resumed()), [resumed()]);
    assert_eq!(merger.hear(Side::Ami, at(13_210), resumed()), []);
    assert_eq!(merger.release(at(13_500)), []);
    // From now on either may be the first.
    assert_eq!(merger.hear(Side::Ami, at(15_000), held()), [held()]);
    assert_eq!(merger.hear(Side::Ari, at(15_010), held()), []);
    assert_eq!(merger.hear(Side::Ari, at(16_000), resumed()), [resumed()]);
    assert_eq!(merger.hear(Side::Ami, at(16_010), resumed()), []);
}

#[test]
fn what_happens_again_and_again_is_told_each_time_also_when_one_comes_back() {
    let mut merger = over_ari();
    for second in 0..100 {
        assert_eq!(merger.hear(Side::Ari, at(second * 100), held()), [held()]);
    }
    merger.connects(Side::Ami, at(8_000), at(10_000));
    for second in 80..100 {
        assert_eq!(merger.hear(Side::Ami, at(second * 100 + 10), held()), []);
    }
    assert_eq!(merger.release(at(10_500)), []);
    assert_eq!(merger.hear(Side::Ami, at(12_000), held()), [held()]);
    assert_eq!(merger.hear(Side::Ari, at(12_010), held()), []);
}

#[test]
fn what_one_heard_before_the_other_one_did_is_in_the_picture_of_that() {
    let mut merger = Merger::default();
    merger.connects(Side::Ari, at(1_000), at(2_000));
    assert_eq!(merger.hear(Side::Ari, at(1_500), resumed()), [resumed()]);
    // It heard the hold, of which ARI's picture came afterwards.
    merger.connects(Side::Ami, at(0), at(2_200));
    assert_eq!(merger.hear(Side::Ami, at(200), held()), []);
    assert_eq!(merger.hear(Side::Ami, at(1_510), resumed()), []);
    assert_eq!(merger.release(at(2_700)), []);
}

#[test]
fn what_one_says_as_it_comes_back_is_told_if_the_other_one_is_dead() {
    for other_is_noticed in [false, true] {
        let mut merger = over_ari();
        assert_eq!(merger.hear(Side::Ari, at(9_000), held()), [held()]);
        merger.connects(Side::Ami, at(10_000), at(10_100));
        assert_eq!(merger.hear(Side::Ami, at(10_200), resumed()), []);
        let news = if other_is_noticed {
            merger.loses(Side::Ari)
        } else {
            merger.release(at(10_600))
        };
        assert_eq!(news, [resumed()]);
    }
}

#[test]
fn what_both_are_about_to_say_as_one_comes_back_is_told_once() {
    for first in Side::BOTH {
        let mut merger = over_ari();
        merger.connects(Side::Ami, at(10_000), at(10_100));
        merger.heard_until(Side::Ari, at(10_590));
        let mut told = merger.hear(first, at(10_590), held());
        told.extend(merger.release(at(10_600)));
        told.extend(merger.hear(first.other(), at(10_700), held()));
        assert_eq!(told, [held()], "{first:?} is the first");
        // And neither is behind.
        assert_eq!(merger.hear(first, at(12_000), held()), [held()]);
    }
}

#[test]
fn what_comes_after_it_was_given_up_is_no_news() {
    let mut merger = over_ari();
    merger.connects(Side::Ami, at(0), at(0));
    assert_eq!(merger.release(at(500)), []);
    assert_eq!(merger.hear(Side::Ami, at(10_000), held()), [held()]);
    assert_eq!(merger.hear(Side::Ami, at(11_000), resumed()), [resumed()]);
    merger.heard_until(Side::Ari, at(16_500));
    let missed = |what: &str| Disagreement {
        said_by: Side::Ami,
        of: "channel 1.1".to_owned(),
        what: what.to_owned(),
        instead: None,
    };
    assert_eq!(
        merger.settle(at(16_500)),
        [missed("holds"), missed("holds no more")]
    );
    // A connection that stalled says it all the same, and is not a step behind for ever.
    assert_eq!(merger.hear(Side::Ari, at(17_000), held()), []);
    assert_eq!(merger.hear(Side::Ari, at(17_000), resumed()), []);
    assert_eq!(merger.hear(Side::Ari, at(20_000), held()), [held()]);
    assert_eq!(merger.hear(Side::Ami, at(20_010), held()), []);
    assert_eq!(settled(&mut merger, at(60_000)), []);
}

#[test]
fn what_is_over_is_forgotten_and_what_is_too_much_is_not_remembered() {
    let mut merger = over_ari();
    let of_channel = |number: u32| PbxEvent::BlindTransfer {
        transferer: channel(),
        transferee: None,
        exten: number.to_string(),
        success: false,
    };
    for number in 0..10_000 {
        let event = of_channel(number);
        assert_eq!(merger.hear(Side::Ari, at(1_000), event.clone()), [event]);
    }
    for number in 0..200_000 {
        let gone = PbxEvent::BridgeGone(BridgeId::new(number.to_string()));
        assert_eq!(merger.hear(Side::Ari, at(1_000), gone.clone()), [gone]);
    }
    let (of_channel, of_bridges) = (1 + 1_024, 2 * 131_071);
    assert_eq!(merger.remembered(), of_channel + of_bridges);
    merger.settle(at(120_000));
    assert_eq!(merger.remembered(), 1, "the channel is not gone");
}
