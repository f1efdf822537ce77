//! Many calls, one after the other and side by side: nothing of them stays behind.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::relay::Settings;
use crate::stage::{Flavour, Stage};

/// Phones that call each other, two and two.
const PAIRS: [[&str; 2]; 5] = [
    ["1010", "1011"],
    ["1012", "1013"],
    ["1014", "1015"],
    ["1016", "1017"],
    ["1018", "1019"],
];
/// Calls of each pair; a thousand in all.
const CALLS: u32 = 200;
/// How often a pair begins one: fifty a second in all, or as fast as phones and PBX are.
const EVERY: Duration = Duration::from_millis(100);

/// How long what is over may linger, and whoever disagrees may take to be found out.
const EXPECTED_WITHIN: Duration = Duration::from_secs(20);
const ASK_EVERY: Duration = Duration::from_millis(50);

/// What has to be nothing in the end.
const KEPT: [&str; 3] = [
    "callrelay_calls",
    "callrelay_mailboxes",
    "callrelay_pbx_channels{pbx=\"main\"}",
];
/// The PBX keeps an empty one of each parking lot that was ever used.
const BRIDGES: &str = "callrelay_pbx_bridges{pbx=\"main\"}";
const COMPARISONS: &str = "callrelay_pbx_comparisons_total{pbx=\"main\",interface=\"ari\"}";
const DISAGREEMENTS: [&str; 2] = [
    "callrelay_pbx_disagreements_total{pbx=\"main\",interface=\"ari\"}",
    "callrelay_pbx_disagreements_total{pbx=\"main\",interface=\"ami\"}",
];

/// One pair's calls, of each of which its terminal hears everything.
async fn calls(stage: &Stage, numbers: [&str; 2], begin: Instant) -> Result<()> {
    let (first, second) = (stage.phone(numbers[0]).await?, stage.phone(numbers[1]).await?);
    let mut terminal = stage.waiting(numbers[0]).await?;
    let (rings, talks) = (
        format!("ringing out with {}", numbers[1]),
        format!("call: talking with {}", numbers[1]),
    );
    for number in 0..CALLS {
        sleep_until(begin + EVERY * number).await;
        let call = first.dial(numbers[1]).await?;
        let ringing = second.rings().await?;
        terminal.hears(&rings).await?;
        let answered = ringing.answer_heard_by(&call).await?;
        terminal.hears_all(&[&talks, "replayed #0"]).await?;
        call.hang_up().await?;
        answered.ended().await?;
        terminal.hears("bye: talking with nobody").await?;
    }
    Ok(())
}

/// The number of this name among all that are told.
fn number(numbers: &str, name: &str) -> Option<u64> {
    let value = numbers
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_calls_at_fifty_a_second_leave_nothing_behind() -> Result<()> {
    let phones = PAIRS.concat();
    let settings = Settings {
        phones: &phones,
        ..Settings::default()
    };
    let stage = Stage::set_with(crate::narrator(), settings).await?;
    let standing = number(&numbers(&stage).await?, BRIDGES);
    let begin = Instant::now();
    let each = PAIRS.into_iter().zip(0..).map(|(pair, number)| {
        let offset = EVERY * number / u32::try_from(PAIRS.len()).unwrap_or(1);
        calls(&stage, pair, begin + offset)
    });
    try_join_all(each).await?;

    let left = until(&stage, |numbers| {
        number(numbers, BRIDGES) <= standing && KEPT.iter().all(|name| number(numbers, name) == Some(0))
    });
    let numbers = left.await.context("something is left behind")?;
    if stage.pbx.flavour == Flavour::Both {
        // They are asked every three seconds, and what one of them has not said after five it will not say.
        let asked = number(&numbers, COMPARISONS).context("comparisons")?;
        let settled = until(&stage, |numbers| number(numbers, COMPARISONS) >= Some(asked + 3));
        let numbers = settled.await?;
        let found = DISAGREEMENTS.map(|name| number(&numbers, name));
        ensure!(found == [Some(0), Some(0)], "the interfaces disagree: {found:?}");
    }
    Ok(())
}

/// What `/metrics` tells.
async fn numbers(stage: &Stage) -> Result<String> {
    let answer = reqwest::get(format!("http://127.0.0.1:{}/metrics", stage.relay.operator)).await?;
    Ok(answer.text().await?)
}

/// Waits until the relay's numbers are as they are expected to be, and gives them back.
async fn until(stage: &Stage, are_as_expected: impl Fn(&str) -> bool) -> Result<String> {
    let mut last = String::new();
    let expected = async {
        loop {
            last = numbers(stage).await?;
            if are_as_expected(&last) {
                return anyhow::Ok(());
            }
            sleep(ASK_EVERY).await;
        }
    };
    let waited = timeout(EXPECTED_WITHIN, expected).await;
    waited.with_context(|| format!("the relay's numbers are:\n{last}"))??;
    Ok(last)
}
