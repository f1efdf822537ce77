//! What the load generator in `benches/load/` counts and how it reads what it hears: the parts that need no relay.

#![expect(dead_code, reason = "the program uses the rest")]

#[path = "../../benches/load/figures.rs"]
mod figures;
#[path = "../../benches/load/frames.rs"]
mod frames;
#[path = "../../benches/load/line.rs"]
mod line;
#[path = "../../benches/load/mqtt/packet.rs"]
mod packet;
#[path = "../../benches/load/slow_sync.rs"]
mod slow_sync;
#[path = "../../benches/load/sockets.rs"]
mod sockets;
#[path = "../../benches/load/syncs.rs"]
mod syncs;
#[path = "../../benches/load/table.rs"]
mod table;
#[path = "../../benches/load/tally.rs"]
mod tally;

use std::process::Command;
use std::time::Duration;

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use figures::{Figures, Rounds, Syncs};
use frames::Ears;
use line::{Body, Event, Hear as _, stamp};
use packet::{Decoder, Packet, connect, pubacks, publish, subscribe};
use slow_sync::SlowSync;
use syncs::calls;
use tally::{Counts, Latencies};

#[test]
fn a_message_that_could_not_leave_in_time_counts_as_late() {
    let latencies = Latencies::new(Instant::now(), Duration::from_secs(1)).unwrap();
    let ms = |ms: u64| ms * 1_000_000;
    // Meant for every millisecond of a tenth of a second; the sender was held up for all of it.
    for meant in 1_000..1_100 {
        latencies.took(ms(meant), ms(1_100));
    }
    // Meant for the time before it counts.
    latencies.took(ms(999), ms(9_000));
    let told = latencies.percentiles().unwrap();
    assert_eq!(told.count, 100);
    assert!((50_000..51_500).contains(&told.p50_us), "{told:?}");
    assert!((99_000..100_500).contains(&told.p99_us), "{told:?}");
    assert!((100_000..100_500).contains(&told.max_us), "{told:?}");
}

#[test]
fn a_message_counts_when_all_of_it_happened() {
    let counts = Counts {
        accepted: 7,
        delivered: 5,
        acknowledged: 6,
    };
    assert_eq!((counts.complete(), counts.lost()), (5, 2));
}

#[test]
fn a_body_has_its_size_and_its_stamp() {
    let json = Body::of_bytes(256).json(42);
    assert_eq!(json.len(), 256);
    assert_eq!(stamp(json.trim_matches('"')).unwrap(), 42);
    assert!(stamp("short").is_err());
}

#[test]
fn what_matters_of_frames_is_heard() {
    let mut events = Vec::new();
    for text in [
        r#"{"type":"sent","ref":"1","call":"c","id":"m","seq":1,"state":"stored"}"#,
        r#"{"type":"message","call":"c","epoch":"e","seq":3,"id":"m","direction":"received","from":"1","to":["2"],"kind":"chat","body":"00000000000000000042xx","sent_at":"…"}"#,
        r#"{"type":"status","status":"parties","call":{"call":"c"}}"#,
        r#"{"type":"delivered","call":"c","id":"m","phone":"2"}"#,
    ] {
        Ears.hear(Message::text(text), &mut events).unwrap();
    }
    let arrived = Event::Arrived { place: 3, stamp: 42 };
    assert_eq!(events, [Event::Accepted, arrived, Event::Acknowledged]);
    assert!(
        Ears.hear(Message::text(r#"{"type":"error"}"#), &mut events)
            .is_err()
    );
}

#[test]
fn packets_are_as_the_standard_has_them() {
    assert_eq!(
        connect("ab", None),
        [
            0x10, 14, 0, 4, b'M', b'Q', b'T', b'T', 4, 0, 0, 0, 0, 2, b'a', b'b'
        ]
    );
    assert_eq!(
        connect("a", Some("xy"))[1..],
        [
            20, 0, 4, b'M', b'Q', b'T', b'T', 4, 0xc0, 0, 0, 0, 1, b'a', 0, 1, b'a', 0, 2, b'x', b'y'
        ]
    );
    assert_eq!(subscribe(10, "a/b"), [0x82, 8, 0, 10, 0, 3, b'a', b'/', b'b', 1]);
    assert_eq!(publish(258, "t", b"x"), [0x32, 6, 0, 1, b't', 1, 2, b'x']);
    assert_eq!(pubacks([1, 2].into_iter()), [0x40, 2, 0, 1, 0x40, 2, 0, 2]);
}

#[test]
fn packets_are_read_however_the_stream_is_cut() {
    let payload = vec![b'x'; 20_000];
    let mut stream = vec![0x20, 2, 0, 0, 0x90, 3, 0, 1, 1];
    stream.extend(publish(7, "topic", &payload));
    stream.extend(pubacks([9].into_iter()));
    stream.extend([0x30, 4, 0, 1, b't', b'0', 0xd0, 0]);
    for size in [1, 2, 3, 7, 1_000, stream.len()] {
        let mut decoder = Decoder::default();
        let mut packets = Vec::new();
        for part in stream.chunks(size) {
            decoder.push(part);
            while let Some(packet) = decoder.next().unwrap() {
                packets.push(packet);
            }
        }
        let with_id = |id, payload: &[u8]| Packet::Publish {
            id,
            payload: payload.to_vec(),
        };
        let expected = [
            Packet::Connack { code: 0 },
            Packet::Suback { granted: 1 },
            with_id(7, &payload),
            Packet::Puback,
            with_id(0, b"0"),
            Packet::Other(13),
        ];
        assert_eq!(packets, expected, "{size}");
    }
}

#[test]
fn what_is_no_packet_is_an_error() {
    for bytes in [
        &[0x30, 0xff, 0xff, 0xff, 0xff][..],
        &[0x30, 1, 0],
        &[0x34, 4, 0, 0, 0, 1],
        &[0x20, 0],
    ] {
        let mut decoder = Decoder::default();
        decoder.push(bytes);
        assert!(decoder.next().is_err(), "{bytes:?}");
    }
}

#[test]
fn the_calls_of_a_summary_are_added_up() {
    let summary = "% time     seconds  usecs/call     calls    errors syscall\n\
                   ------ ----------- ----------- --------- --------- ----------------\n \
                   98.00    1.200000         100        12         1 fdatasync\n  \
                   2.00    0.010000         100         3           fsync\n\
                   ------ ----------- ----------- --------- --------- ----------------\n\
                   100.00    1.210000         100        15         1 total\n";
    assert_eq!(calls(summary), 15);
    assert_eq!(calls(""), 0);
}

#[test]
fn a_slowed_sync_takes_so_much_longer() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let slow = SlowSync { ms: 200 };
    let library = slow.compile(folder.path()).unwrap();
    for calls in ["--", "--data"] {
        let mut command = Command::new("sync");
        command.arg(calls).arg(&file);
        library.load_into(&mut command);
        let began = Instant::now();
        assert!(command.output().unwrap().status.success());
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(200), "{calls}: {took:?}");
    }
    assert!(library.ensure_loaded(std::process::id()).is_err());
    assert_eq!(SlowSync::described(Some(slow)), ", every sync 200 ms slower");
    assert_eq!(SlowSync::described(None), "");
}

#[test]
fn the_median_of_all_rounds_stands_beside_the_last() {
    let mut rounds = Rounds::default();
    let mut results = Vec::new();
    for value in [3.0, 1.0, 9.0] {
        let mut figures = Figures::default();
        rounds.result(&mut figures, "ratio", value);
        results.extend(figures.results);
    }
    let expected = [
        ("ratio", 3.0),
        ("ratio", 1.0),
        ("ratio, median of 2 rounds", 2.0),
        ("ratio", 9.0),
        ("ratio, median of 3 rounds", 3.0),
    ];
    assert_eq!(results, expected.map(|(name, value)| (name.to_owned(), value)));
}

#[test]
fn sockets_with_something_to_send_are_told() {
    let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
                 0: 0100007F:1F90 00000000:0000 0A 00000000:00000005 00:00000000 00000000     0        0 1 1\n   \
                 1: 0100007F:1F90 0100007F:C001 01 0000B5A4:00000000 01:00000014 00000000     0        0 2 2\n   \
                 2: 0100007F:1F90 0100007F:C002 01 00000000:00000007 00:00000000 00000000     0        0 3 1\n   \
                 3: 0100007F:C001 0100007F:1F90 01 00000001:0000B5A4 00:00000000 00000000     0        0 4 1\n   \
                 4: 0100007F:1F90 0100007F:C003 04 0000B5A4:00000000 01:00000014 00000000     0        0 5 2\n";
    // Neither the listener, nor who took everything, nor the other end, nor who is gone.
    let full = [("0100007F:C001".to_owned(), "0000B5A4".to_owned())];
    assert_eq!(sockets::full(table, 8080), full.into());
    assert!(sockets::full("", 8080).is_empty());
}

#[test]
fn ours_stands_beside_others_of_the_same_setting() {
    let run = |subject: &str, per_sec: f64, counted_by: &str| Figures {
        scenario: "pairs".into(),
        setting: "window 1".to_owned(),
        subject: subject.to_owned(),
        durability: "synced".to_owned(),
        per_sec: Some(per_sec),
        syncs: Some(Syncs {
            count: 1,
            accepted: 10,
            counted_by: counted_by.to_owned(),
        }),
        ..Figures::default()
    };
    let text = table::of(&[
        run(table::OURS, 300.0, "its own counter"),
        run("other", 100.0, ""),
        run("other", 5.0, "strace"),
    ]);
    assert!(text.contains("| callrelay, synced | 300 | 1.00 × |"), "{text}");
    assert!(
        text.contains("| other, synced | 100 | 3.00 × |  | 0.1000 (strace)"),
        "{text}"
    );
    assert!(!text.contains("| 5 |"), "{text}");
}
