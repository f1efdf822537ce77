//! One message of AMI: a list of named values.

use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::asterisk::interface::Weigh;

/// A response, an event, or an entry of a list: `Name: value` a line, in order.
///
/// See <https://docs.asterisk.org/Configuration/Interfaces/Asterisk-Manager-Interface-AMI/AMI-v2-Specification/>.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    fields: Vec<(String, String)>,
}

impl Message {
    /// The first value of this name; names are told apart without regard to capitals. Empty if there is none: AMI does
    /// not distinguish the two.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.find(|field| field.eq_ignore_ascii_case(name))
    }

    /// The first value of the name that is made of these two, such as `Dest` and `Channel`.
    #[must_use]
    pub fn get_with(&self, prefix: &str, name: &str) -> &str {
        self.find(|field| {
            field.len() == prefix.len() + name.len()
                && field.is_char_boundary(prefix.len())
                && field[..prefix.len()].eq_ignore_ascii_case(prefix)
                && field[prefix.len()..].eq_ignore_ascii_case(name)
        })
    }

    /// The names of all its values, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| name.as_str())
    }

    /// What kind of event it is; empty if it is none.
    #[must_use]
    pub fn event(&self) -> &str {
        self.get("Event")
    }

    /// The message as a JSON object, the way recordings hold it. Of values with the same name the first one stays.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Of texts only, it can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Adds a value.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.fields.push((name.into(), value.into()));
    }

    /// How much memory it takes, about: each text is a block of its own.
    #[must_use]
    pub fn bytes(&self) -> usize {
        const BLOCK: usize = 16;
        let of_field = |(name, value): &(String, String)| {
            size_of::<(String, String)>() + name.capacity() + value.capacity() + 2 * BLOCK
        };
        size_of::<Self>() + self.fields.iter().map(of_field).sum::<usize>()
    }

    fn find(&self, is_it: impl Fn(&str) -> bool) -> &str {
        let found = self.fields.iter().find(|(name, _)| is_it(name));
        found.map_or("", |(_, value)| value)
    }
}

impl Weigh for Message {
    fn bytes(&self) -> usize {
        self.bytes()
    }
}

/// As a JSON object, the way recordings hold it. Of values with the same name the first one stays.
impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_first = |(index, (name, _)): &(usize, &(String, String))| {
            !self.fields[..*index].iter().any(|(earlier, _)| earlier == name)
        };
        let mut map = serializer.serialize_map(None)?;
        for (_, (name, value)) in self.fields.iter().enumerate().filter(is_first) {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// From a JSON object. Recordings that were made elsewhere may hold numbers, and anything else in fields that do not
/// matter.
impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Message;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an object of names and values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Message, A::Error> {
        let mut message = Message::default();
        while let Some((name, value)) = map.next_entry::<String, serde_json::Value>()? {
            match value {
                serde_json::Value::String(text) => message.push(name, text),
                serde_json::Value::Number(number) => message.push(name, number.to_string()),
                // Several values of one name, as some recorders write them.
                serde_json::Value::Array(values) => {
                    for value in values.iter().filter_map(serde_json::Value::as_str) {
                        message.push(name.clone(), value);
                    }
                }
                serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Object(_) => {}
            }
        }
        if message.is_empty() {
            return Err(de::Error::custom("an object without a value"));
        }
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_by_its_name_whatever_its_capitals() {
        let mut message = Message::default();
        message.push("Uniqueid", "1.1");
        message.push("DestUniqueid", "1.2");
        message.push("destuniqueid", "1.3");
        assert_eq!(
            [
                message.get("UniqueID"),
                message.get_with("Dest", "UniqueID"),
                message.get_with("", "Uniqueid"),
                message.get_with("é", "Uniqueid"),
                message.get("Channel"),
                message.event(),
            ],
            ["1.1", "1.2", "1.1", "", "", ""]
        );
    }

    #[test]
    fn what_was_recorded_is_read_back() {
        let text =
            r#"{"Event":"Hangup","Cause":16,"ChanVariable":["a=1","b=2"],"Channel":"PJSIP/é","Odd":{}}"#;
        let message: Message = serde_json::from_str(text).unwrap();
        assert_eq!(
            serde_json::to_string(&message).unwrap(),
            r#"{"Event":"Hangup","Cause":"16","ChanVariable":"a=1","Channel":"PJSIP/é"}"#
        );
    }
}
