//! The recorded streams as other channel technologies would have made them, and with things in them that
//! no Asterisk of today says: the conclusions are the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use callrelay::cli::replay;
use callrelay::tracker::EndpointMap;

use crate::traces;

/// Replays a stream; complaints fail the test.
fn replayed(stream: &str, pairs: &[(&str, &str)], trunks: &[&str]) -> Vec<String> {
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(pattern, phone)| ((*pattern).to_owned(), (*phone).to_owned()))
        .collect();
    let trunks: Vec<_> = trunks.iter().map(|trunk| (*trunk).to_owned()).collect();
    let endpoints = EndpointMap::new(&pairs, &trunks).unwrap();
    let (mut out, mut complaints) = (Vec::new(), Vec::new());
    replay::replay(stream.as_bytes(), endpoints, false, &mut out, &mut complaints).unwrap();
    assert_eq!(String::from_utf8(complaints).unwrap(), "");
    let out = String::from_utf8(out).unwrap();
    out.lines().map(str::to_owned).collect()
}

/// Gives every PJSIP channel of a stream another name: `name(endpoint, nth)` for the nth channel of an
/// endpoint, from 1.
fn renamed(stream: &str, name: impl Fn(&str, usize) -> String) -> String {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut channels_of: BTreeMap<String, usize> = BTreeMap::new();
    let mut text = String::with_capacity(stream.len());
    let mut rest = stream;
    while let Some(start) = rest.find("\"PJSIP/") {
        let value = &rest[start + 1..];
        let end = value.find('"').unwrap();
        let old = &value[..end];
        text.push_str(&rest[..=start]);
        match old["PJSIP/".len()..].rsplit_once('-') {
            // A channel, not what somebody dials.
            Some((endpoint, unique)) if unique.len() == 8 => {
                let new = names.entry(old.to_owned()).or_insert_with(|| {
                    let nth = channels_of.entry(endpoint.to_owned()).or_default();
                    *nth += 1;
                    name(endpoint, *nth)
                });
                text.push_str(new);
            }
            _ => text.push_str(old),
        }
        rest = &value[end..];
    }
    text.push_str(rest);
    text
}

/// What the trunk is asked to dial, in the words of another technology: in the arguments of `Dial`, and as AMI's
/// `DialString`.
fn dialled_by(stream: &str, technology: &str, resource: &str) -> String {
    stream
        .replace("\"PJSIP/815551234@trunk,", &format!("\"{technology}/{resource},"))
        .replace(
            "\"DialString\":\"815551234@trunk\"",
            &format!("\"DialString\":\"{resource}\""),
        )
}

#[test]
fn the_channel_technology_changes_nothing() {
    for stream in traces::NAMES {
        for text in [traces::text(stream), traces::ami_text(stream)] {
            let expected = replayed(&text, &[], &["trunk*"]);
            assert!(!expected.is_empty());

            let chan_sip = renamed(&text, |endpoint, nth| format!("SIP/{endpoint}-{nth:08x}"));
            let chan_sip = dialled_by(&chan_sip, "SIP", "trunk/815551234");
            assert_eq!(
                replayed(&chan_sip, &[], &["trunk*"]),
                expected,
                "chan_sip {stream}"
            );

            let iax = renamed(&text, |endpoint, nth| format!("IAX2/{endpoint}-{}", 1000 + nth));
            let iax = dialled_by(&iax, "IAX2", "me:secret@trunk/815551234@out");
            assert_eq!(replayed(&iax, &[], &["IAX2/trunk"]), expected, "IAX2 {stream}");

            let sccp = renamed(&text, |endpoint, nth| {
                format!("SCCP/SEP{endpoint}-line-{nth:08x}")
            });
            let sccp = dialled_by(&sccp, "SCCP", "trunk/815551234");
            let map = [("SEP*-line", "{1}")];
            assert_eq!(replayed(&sccp, &map, &["SEPtrunk-*"]), expected, "SCCP {stream}");
        }
    }
}

#[test]
fn analogue_lines_and_isdn_spans_are_phones_and_trunks_like_any_other() {
    for stream in traces::NAMES {
        for text in [traces::text(stream), traces::ami_text(stream)] {
            let expected = replayed(&text, &[], &["trunk*"]);
            // An analogue phone is a port, and a call is one of the few it can have at a time. An ISDN line is
            // named after the number too.
            let number = if stream == "trunk-outbound" {
                "815551234"
            } else {
                "815559876"
            };
            let dahdi = renamed(&text, |endpoint, nth| match endpoint.strip_prefix("100") {
                Some(port) => format!("DAHDI/{port}-{nth}"),
                None => format!("DAHDI/i1/{number}-{nth}"),
            });
            let dahdi = dialled_by(&dahdi, "DAHDI", "g1/815551234");
            let ports = [
                ("DAHDI/1", "1001"),
                ("DAHDI/2", "1002"),
                ("DAHDI/3", "1003"),
                ("4", "1004"),
                ("5", "1005"),
            ];
            assert_eq!(replayed(&dahdi, &ports, &["i1"]), expected, "{stream}");
        }
    }
}

/// Endpoints that are named by account, and not by number: `--endpoints` says which is which.
#[test]
fn endpoints_may_be_named_by_account() {
    for stream in traces::NAMES {
        for text in [traces::text(stream), traces::ami_text(stream)] {
            let expected = replayed(&text, &[], &["trunk*"]);
            let accounts = renamed(&text, |endpoint, nth| match endpoint.strip_prefix("100") {
                Some(last) => format!("PJSIP/15001000{last}-desk-{nth:08x}"),
                None => format!("PJSIP/{endpoint}-{nth:08x}"),
            });
            let map = [("15001000*-desk", "100{1}")];
            assert_eq!(replayed(&accounts, &map, &["trunk*"]), expected, "{stream}");
        }
    }
}

#[test]
fn what_nobody_has_heard_of_is_passed_over() {
    for stream in traces::NAMES {
        let text = traces::text(stream);
        let expected = replayed(&text, &[], &["trunk*"]);
        let mut strange = String::new();
        for (number, line) in text.lines().enumerate() {
            let at = line.split(',').next().unwrap();
            let event = match number % 5 {
                0 => r#"{"type":"ChannelTeleported","channel":{"id":"x.1","name":"Quantum/1001-1"}}"#,
                1 => r#"{"type":"BridgeVideoSourceChanged","bridge":null,"old_video_source_id":7}"#,
                2 => {
                    r#"{"type":"ChannelCreated","channel":{"id":"q.2","name":"Quantum/9/9;3","state":{"a":1},"caller":[]}}"#
                }
                3 => {
                    r#"{"type":"ChannelDestroyed","channel":{"id":"q.2","name":"Quantum/9/9;3"},"cause":"tired"}"#
                }
                _ => {
                    r#"{"type":"BridgeAttendedTransfer","result":"Perhaps","destination_type":"wormhole","transferer_first_leg":{"id":"q.3","name":"Quantum/7"},"transferer_second_leg":{"id":"q.4","name":"Quantum/8"}}"#
                }
            };
            writeln!(strange, "{at},\"event\":{event}}}\n{line}").unwrap();
        }
        assert_eq!(replayed(&strange, &[], &["trunk*"]), expected, "{stream}");
    }
}
