//! A figure, and what stands beside it.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::tally::Counts;

/// Columns of a bar.
const BAR: u64 = 40;

/// What one run came to. What a scenario does not tell is left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// `pairs`, `latency` …
    pub(crate) scenario: Cow<'static, str>,
    /// Who was measured.
    pub(crate) subject: String,
    /// What exactly was done.
    pub(crate) setting: String,
    /// What a confirmation promises.
    pub(crate) durability: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) per_sec: Option<f64>,
    /// What the scenario is about, by name, with the unit in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) results: Vec<(String, f64)>,
    pub(crate) accepted: u64,
    pub(crate) delivered: u64,
    pub(crate) acknowledged: u64,
    pub(crate) lost: u64,
    /// How often the server synced while that many messages were accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) syncs: Option<Syncs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) processor_secs: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) elapsed_secs: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resident_kib: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) latency: Option<Percentiles>,
}

/// Syncs, and the messages that were accepted meanwhile.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Syncs {
    pub(crate) count: u64,
    pub(crate) accepted: u64,
    /// Who counted.
    pub(crate) counted_by: String,
}

impl Syncs {
    #[expect(clippy::cast_precision_loss, reason = "counts of one run")]
    pub(crate) fn per_message(&self) -> f64 {
        self.count as f64 / (self.accepted.max(1)) as f64
    }
}

/// A distribution, in microseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Percentiles {
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) p999_us: u64,
    pub(crate) max_us: u64,
    pub(crate) count: u64,
    /// How many took up to so long, doubling.
    pub(crate) histogram: Vec<(u64, u64)>,
}

impl Percentiles {
    pub(crate) fn of(histogram: &Histogram<u64>) -> Self {
        let steps = histogram
            .iter_log(1, 2.0)
            .map(|step| (step.value_iterated_to(), step.count_since_last_iteration()));
        Self {
            p50_us: histogram.value_at_quantile(0.5),
            p99_us: histogram.value_at_quantile(0.99),
            p999_us: histogram.value_at_quantile(0.999),
            max_us: histogram.max(),
            count: histogram.len(),
            histogram: steps.filter(|(_, count)| *count > 0).collect(),
        }
    }
}

impl Figures {
    pub(crate) const fn count(&mut self, counts: Counts) {
        self.accepted = counts.accepted;
        self.delivered = counts.delivered;
        self.acknowledged = counts.acknowledged;
        self.lost = counts.lost();
    }

    pub(crate) fn result(&mut self, name: &str, value: f64) {
        self.results.push((name.to_owned(), value));
    }

    /// For people, or as a line of JSON.
    pub(crate) fn text(&self, json: bool) -> String {
        match serde_json::to_string(self) {
            Ok(text) if json => text,
            Ok(_) | Err(_) => self.to_string(),
        }
    }
}

/// What a result came to, one round after the other.
#[derive(Debug, Default)]
pub(crate) struct Rounds(Vec<f64>);

impl Rounds {
    /// Puts it into the figures of this round, and from the second on the median of all so far.
    pub(crate) fn result(&mut self, figures: &mut Figures, name: &str, value: f64) {
        self.0.push(value);
        figures.result(name, value);
        if self.0.len() > 1 {
            let name = format!("{name}, median of {} rounds", self.0.len());
            figures.result(&name, self.median());
        }
    }

    fn median(&self) -> f64 {
        let mut values = self.0.clone();
        values.sort_by(f64::total_cmp);
        f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} · {} · {}", self.scenario, self.subject, self.setting)?;
        if let Some(per_sec) = self.per_sec {
            writeln!(f, "  {per_sec:.0} messages/s")?;
        }
        for (name, value) in &self.results {
            writeln!(f, "  {name}: {value:.2}")?;
        }
        writeln!(f, "  durability: {}", self.durability)?;
        writeln!(
            f,
            "  accepted {}, delivered {}, acknowledged {}, lost {}",
            self.accepted, self.delivered, self.acknowledged, self.lost
        )?;
        if let Some(syncs) = &self.syncs {
            writeln!(
                f,
                "  syncs: {} for {} accepted messages ({:.4} a message; {})",
                syncs.count,
                syncs.accepted,
                syncs.per_message(),
                syncs.counted_by
            )?;
        }
        let mut cost = String::new();
        if let (Some(used), Some(elapsed)) = (self.processor_secs, self.elapsed_secs) {
            write!(cost, "{used:.2} s of processor time in {elapsed:.2} s, ")?;
        }
        if let Some(resident) = self.resident_kib {
            write!(cost, "{} MiB resident", resident / 1024)?;
        }
        if !cost.is_empty() {
            writeln!(f, "  server: {}", cost.trim_end_matches(", "))?;
        }
        if let Some(latency) = &self.latency {
            writeln!(
                f,
                "  latency: p50 {}, p99 {}, p99.9 {}, max {}",
                ms(latency.p50_us),
                ms(latency.p99_us),
                ms(latency.p999_us),
                ms(latency.max_us)
            )?;
            let most = latency
                .histogram
                .iter()
                .map(|(_, count)| *count)
                .max()
                .unwrap_or(1);
            for (until, count) in &latency.histogram {
                let bar = "█".repeat(usize::try_from(count * BAR / most).unwrap_or_default());
                writeln!(f, "    ≤ {:>11} {count:>9} {bar}", ms(*until))?;
            }
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of one run")]
pub(crate) fn ms(us: u64) -> String {
    format!("{:.2} ms", us as f64 / 1_000.0)
}
