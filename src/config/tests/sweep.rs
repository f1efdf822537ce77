//! Configurations that nobody means: each is refused with words, and none is a panic.

use super::*;

const EXAMPLE: &str = include_str!("../../../callrelay.example.toml");

/// The words of a refusal, if the text is refused.
fn refusal(text: &str) -> Option<String> {
    load(&Scene::new(text).sources)
        .err()
        .map(|error| error.to_string())
}

#[test]
fn every_key_refuses_a_value_of_another_kind_and_no_value_is_a_panic() {
    // Of a kind that no key has.
    let odd = [
        "{ odd = 1 }",
        "[[1]]",
        "1979-05-27",
        "nan",
        "99999999999999999999",
    ];
    // Of the right kind for some.
    let extreme = [
        "-1",
        "0",
        "9223372036854775807",
        "\"\"",
        "\"\\u0000\"",
        "\"*[{1}\"",
        "[]",
        "true",
    ];
    let lines: Vec<&str> = EXAMPLE.lines().collect();
    let mut swept = 0;
    for (at, line) in lines.iter().enumerate() {
        let line = line.trim_start_matches('#');
        let Some((key, _)) = line.split_once(" = ").filter(|(key, _)| !key.contains(' ')) else {
            continue;
        };
        swept += 1;
        for value in odd.iter().chain(&extreme) {
            let changed = format!("{key} = {value}");
            let mut text = lines.clone();
            text[at] = &changed;
            let refused = refusal(&text.join("\n"));
            assert!(
                refused.as_ref().is_none_or(|words| !words.is_empty()),
                "{changed}"
            );
            assert!(refused.is_some() || !odd.contains(value), "{changed} was taken");
        }
    }
    assert!(swept >= 20, "only {swept} keys were swept");
}

#[test]
fn a_file_that_was_cut_off_is_read_or_refused() {
    for at in (0..EXAMPLE.len())
        .filter(|at| EXAMPLE.is_char_boundary(*at))
        .step_by(7)
    {
        let refused = refusal(&EXAMPLE[..at]);
        assert!(refused.is_none_or(|words| !words.is_empty()), "cut at {at}");
    }
}
