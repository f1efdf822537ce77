//! A full disk, and a damaged one.

use std::time::Duration;

use serde_json::json;

use crate::place::Setup;
use crate::small_disk::SmallDisk;
use crate::stage::Stage;
use crate::terminal::Terminal;
use crate::until;

/// Room on the small disk.
pub(crate) const DISK_BYTES: u64 = 8 * 1024 * 1024;

fn body(number: usize) -> String {
    format!("{number} {}", "x".repeat(20_000))
}

#[tokio::test]
async fn a_full_disk_refuses_messages_loses_none_and_is_got_over() {
    let Some(disk) = SmallDisk::mount(DISK_BYTES) else {
        println!("skipped: mounting a tmpfs is not permitted here");
        return;
    };
    let setup = Setup {
        store: Some(disk.path().to_owned()),
        sections: "[mailbox]\nbytes_max = 100000000\n[limits]\nsends_per_sec = 100000\nsends_burst = 100000"
            .to_owned(),
        ..Setup::default()
    };
    let mut stage = Stage::in_call_with(setup).await;
    let (mut alice, mut bob) = stage.pair().await;
    disk.fill_but(1_000_000);
    let mut stored = send_until_refused(&mut alice).await;
    for number in 0..stored {
        bob.expect_body(&body(number)).await;
    }
    // What happens to calls and positions meanwhile waits for the store, and does not keep it busy.
    bob.ack(stored as u64).await;
    let busy_before = stage.relay.processor_ticks();
    let unready = stage.relay.ask("/readyz").await;
    assert_eq!(unready.status, 503);
    let why = unready.json()["store"].as_str().unwrap().to_owned();
    assert!(why.contains("no room"), "{why}");
    // Several attempts to write later it is still so, for small messages too.
    for number in 0..20 {
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert_eq!(stage.relay.ask("/readyz").await.status, 503, "{number}");
    }
    let busy = stage.relay.processor_ticks() - busy_before;
    assert!(busy < 150, "{busy} ticks of processor time in three seconds");
    until_refused(&mut alice, "small").await;
    bob.expect_nothing_more().await;

    disk.free();
    stage.relay.until_ready().await;
    alice.say("small", &body(stored)).await;
    while alice.hear().await["type"] != "sent" {}
    bob.expect_body(&body(stored)).await;
    stored += 1;
    // And nothing of it was only in memory.
    stage.relay.kill();
    stage.restart().await;
    let mut late = stage
        .linking("bob", json!({"terminal": "late", "replay": "all"}))
        .await;
    late.expect_linked().await;
    for number in 0..stored {
        late.expect_body(&body(number)).await;
    }
    assert_eq!(late.hear().await["type"], "replayed");
}

#[tokio::test]
async fn a_damaged_store_ends_the_relay_instead_of_being_served_from() {
    let limits = "[limits]\nsends_per_sec = 100000\nsends_burst = 100000";
    let mut stage = Stage::in_call_with(Setup::sections(limits)).await;
    let (mut alice, mut bob) = stage.pair().await;
    // More than the store keeps in memory and in its log.
    for number in 0..500 {
        alice.say(&format!("r{number}"), &body(number)).await;
        bob.expect_body(&body(number)).await;
    }
    let file = stage.place.data().join("relay.db");
    let bytes = std::fs::metadata(&file).unwrap().len();
    assert!(bytes > 4_000_000, "{bytes}");
    let damage = vec![0x5a; usize::try_from(bytes).unwrap() - 8192];
    let database = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&database, &damage, 8192).unwrap();
    let mut late = stage
        .linking("bob", json!({"terminal": "late", "replay": "all"}))
        .await;
    late.expect_linked().await;
    assert_eq!(bob.close_code().await, 4503);
    assert_eq!(stage.relay.exit_code().await, 1);
}

/// Sends until there is no room; tells how many were stored.
async fn send_until_refused(alice: &mut Terminal) -> usize {
    for number in 0.. {
        alice.say(&format!("r{number}"), &body(number)).await;
        let answer = alice.hear().await;
        if answer["type"] == "sent" {
            continue;
        }
        let refused = json!({"type": "send_failed", "ref": format!("r{number}"), "reason": "unavailable"});
        assert_eq!(answer, refused);
        assert!(number > 10, "{number}");
        return number;
    }
    unreachable!()
}

async fn until_refused(alice: &mut Terminal, reference: &str) {
    alice.say(reference, "small").await;
    let refused = until(async || {
        let frame = alice.hear().await;
        (frame["type"] != "delivered").then_some(frame)
    });
    assert_eq!(
        refused.await,
        json!({"type": "send_failed", "ref": reference, "reason": "unavailable"})
    );
}
