//! Endpoint maps: which phone an endpoint is, where its name is not the number.
//!
//! The order of the file is kept, because the first match wins. Matching itself is done where
//! channels are translated; here a map is only read and checked.

use std::path::Path;

use globset::Glob;
use toml::{Table, Value};

use super::error::{ConfigError, Problem};
use super::source::read_table;

/// Endpoint pattern and phone, in the order of the file.
pub type EndpointPairs = Vec<(String, String)>;

/// Reads an endpoint map from a file of its own (`replay --endpoints`).
///
/// The table may stand alone, or under `[endpoints]`, or under `[pbx.endpoints]` as in the
/// configuration; with `[[pbx]]` entries the first one that has a map is taken.
pub fn load_endpoints(path: &Path) -> Result<EndpointPairs, ConfigError> {
    let file = read_table(path)?;
    let (key, table) = find_map(&file);
    let mut problems = Vec::new();
    let map = read_map(key, table, &mut problems);
    if problems.is_empty() {
        Ok(map)
    } else {
        Err(ConfigError::Invalid(problems))
    }
}

fn find_map(file: &Table) -> (&'static str, &Table) {
    let under_pbx = match file.get("pbx") {
        Some(Value::Table(pbx)) => pbx.get("endpoints"),
        Some(Value::Array(pbxs)) => pbxs.iter().find_map(|pbx| pbx.get("endpoints")),
        Some(_) | None => None,
    };
    if let Some(Value::Table(map)) = under_pbx {
        ("pbx.endpoints", map)
    } else if let Some(Value::Table(map)) = file.get("endpoints") {
        ("endpoints", map)
    } else {
        ("", file)
    }
}

/// Reads the table at `key`; what cannot be used is left out and told in `problems`.
pub(super) fn read_map(key: &str, table: &Table, problems: &mut Vec<Problem>) -> EndpointPairs {
    let mut map = EndpointPairs::new();
    for (pattern, phone) in table {
        let at = if key.is_empty() {
            format!("\"{pattern}\"")
        } else {
            format!("{key}.\"{pattern}\"")
        };
        match entry(pattern, phone) {
            Ok(phone) => map.push((pattern.clone(), phone.to_owned())),
            Err(message) => problems.push(Problem::new(at, message)),
        }
    }
    map
}

fn entry<'a>(pattern: &str, phone: &'a Value) -> Result<&'a str, String> {
    let Some(phone) = phone.as_str() else {
        return Err("the phone must be text in quotes, such as \"1001\"".to_owned());
    };
    check_pattern(pattern)?;
    if phone.is_empty() {
        return Err("the phone is empty".to_owned());
    }
    let stars = pattern.matches('*').count();
    for placeholder in placeholders(phone)? {
        if placeholder == 0 || placeholder > stars {
            return Err(format!(
                "{{{placeholder}}} in \"{phone}\" stands for nothing: \"{pattern}\" has {stars} `*`"
            ));
        }
    }
    Ok(phone)
}

/// The numbers in braces: `{1}` is what the first `*` matched.
fn placeholders(phone: &str) -> Result<Vec<usize>, String> {
    let wrong = || format!("\"{phone}\": braces hold the number of a `*`, such as {{1}}");
    let mut numbers = Vec::new();
    let mut rest = phone;
    while let Some(at) = rest.find(['{', '}']) {
        let inside = rest[at..].strip_prefix('{').ok_or_else(wrong)?;
        let (number, after) = inside.split_once('}').ok_or_else(wrong)?;
        numbers.push(number.parse().map_err(|_| wrong())?);
        rest = after;
    }
    Ok(numbers)
}

/// Whether `pattern` is text with stars. What other globs know would be taken literally, and so match
/// nothing, without a word.
fn check_pattern(pattern: &str) -> Result<(), String> {
    if pattern.is_empty() {
        return Err("the pattern is empty".to_owned());
    }
    match pattern.find(['?', '[', ']', '{', '}']) {
        None => Ok(()),
        Some(at) => Err(format!(
            "`{}` has no meaning in a pattern of endpoints; only `*` has",
            &pattern[at..=at]
        )),
    }
}

/// Whether `pattern` is a glob that can be matched with.
pub(super) fn check_glob(pattern: &str) -> Result<(), String> {
    if pattern.is_empty() {
        return Err("the pattern is empty".to_owned());
    }
    match Glob::new(pattern) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("\"{pattern}\" is not a glob: {}", error.kind())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<EndpointPairs, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("map.toml");
        std::fs::write(&path, text).unwrap();
        load_endpoints(&path).map_err(|error| error.to_string())
    }

    fn pairs(list: &[(&str, &str)]) -> EndpointPairs {
        list.iter()
            .map(|(pattern, phone)| ((*pattern).to_owned(), (*phone).to_owned()))
            .collect()
    }

    #[test]
    fn a_map_keeps_the_order_of_its_file_wherever_it_stands() {
        let lines = "\"zulu-*\" = \"{1}\"\nalpha = \"2\"\n\"150010001\" = \"201\"\n\"a*b*\" = \"{2}{1}\"\n";
        let expected = pairs(&[
            ("zulu-*", "{1}"),
            ("alpha", "2"),
            ("150010001", "201"),
            ("a*b*", "{2}{1}"),
        ]);
        assert_eq!(load(lines), Ok(expected.clone()));
        for header in [
            "[endpoints]",
            "[pbx.endpoints]",
            "[[pbx]]\nname = \"x\"\n[pbx.endpoints]",
        ] {
            assert_eq!(
                load(&format!("{header}\n{lines}")),
                Ok(expected.clone()),
                "{header}"
            );
        }
    }

    #[test]
    fn every_entry_that_cannot_be_used_is_told() {
        let text = "[endpoints]\n\"a\" = 201\n\"b*\" = \"{2}\"\n\"c\" = \"\"\n\"d*\" = \"{x}\"\n\"e[\" = \"1\"\n\"f*\" = \"1}\"\n\"\" = \"1\"\n\"g*\" = \"{0}\"\n";
        assert_eq!(
            load(text),
            Err("the configuration cannot be used\
                 \n  endpoints.\"a\": the phone must be text in quotes, such as \"1001\"\
                 \n  endpoints.\"b*\": {2} in \"{2}\" stands for nothing: \"b*\" has 1 `*`\
                 \n  endpoints.\"c\": the phone is empty\
                 \n  endpoints.\"d*\": \"{x}\": braces hold the number of a `*`, such as {1}\
                 \n  endpoints.\"e[\": `[` has no meaning in a pattern of endpoints; only `*` has\
                 \n  endpoints.\"f*\": \"1}\": braces hold the number of a `*`, such as {1}\
                 \n  endpoints.\"\": the pattern is empty\
                 \n  endpoints.\"g*\": {0} in \"{0}\" stands for nothing: \"g*\" has 1 `*`"
                .to_owned())
        );
    }
}
