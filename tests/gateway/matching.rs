//! Whole frames, compared with what was expected.

use serde_json::Value;

/// Panics unless `actual` is as expected, all of it. In `expected`, `"<id>"`, `"<time>"`, `"<text>"`
/// and `"<number>"` stand for any value of that kind.
#[track_caller]
pub(crate) fn assert_like(actual: &Value, expected: &Value) {
    if let Err(difference) = like(actual, expected, "") {
        panic!("{difference}\nexpected {expected}\n     got {actual}");
    }
}

fn like(actual: &Value, expected: &Value, at: &str) -> Result<(), String> {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => {
            if let Some(key) = actual.keys().find(|key| !expected.contains_key(*key)) {
                return Err(format!("{at}.{key} is too much"));
            }
            expected.iter().try_for_each(|(key, expected)| {
                let at = format!("{at}.{key}");
                let actual = actual.get(key).ok_or_else(|| format!("{at} is missing"))?;
                like(actual, expected, &at)
            })
        }
        (Value::Array(actual), Value::Array(expected)) if actual.len() == expected.len() => actual
            .iter()
            .zip(expected)
            .enumerate()
            .try_for_each(|(place, (actual, expected))| like(actual, expected, &format!("{at}[{place}]"))),
        (actual, Value::String(expected)) if is_kind(actual, expected) => Ok(()),
        (actual, expected) if actual == expected => Ok(()),
        (actual, expected) => Err(format!("{at} is {actual}, not {expected}")),
    }
}

fn is_kind(actual: &Value, kind: &str) -> bool {
    match (kind, actual) {
        ("<id>", Value::String(text)) => {
            text.len() == 16 && text.chars().all(|character| character.is_ascii_hexdigit())
        }
        ("<time>", Value::String(text)) => text.len() == 24 && text.parse::<jiff::Timestamp>().is_ok(),
        ("<text>", Value::String(text)) => !text.is_empty(),
        ("<number>", Value::Number(_)) => true,
        _ => false,
    }
}
