//! Questions to Asterisk and their answers, which come among the events and are told by their `ActionID`.

use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::message::Message;
use crate::asterisk::loss::{ANSWER_BYTES_MAX, Loss};

/// Something to ask.
#[derive(Debug)]
pub(super) struct Question {
    /// The action, such as `CoreShowChannels`.
    pub(super) action: &'static str,
    fields: Vec<(&'static str, String)>,
    is_list: bool,
}

impl Question {
    /// Its answer is one response.
    pub(super) const fn plain(action: &'static str, fields: Vec<(&'static str, String)>) -> Self {
        Self {
            action,
            fields,
            is_list: false,
        }
    }

    /// Its answer is a list of events.
    pub(super) const fn list(action: &'static str) -> Self {
        Self {
            action,
            fields: Vec::new(),
            is_list: true,
        }
    }

    /// The action as it is sent.
    ///
    /// A value with a line break could smuggle in an action of its own.
    fn text(&self, id: &str) -> Result<Vec<u8>, Loss> {
        let mut text = format!("Action: {}\r\nActionID: {id}\r\n", self.action);
        for (name, value) in &self.fields {
            if value.contains(['\r', '\n']) {
                return Err(Loss::Settings(format!(
                    "`{}` has a line break in it",
                    name.to_lowercase()
                )));
            }
            // Into a string it always goes.
            let _ = write!(text, "{name}: {value}\r\n");
        }
        text.push_str("\r\n");
        Ok(text.into_bytes())
    }
}

/// What came of a question.
pub(super) type Answer = Result<Vec<Message>, Loss>;

/// Where the one question that is under way waits for its answer.
#[derive(Debug, Default)]
pub(super) struct Desk(Mutex<Option<Pending>>);

#[derive(Debug)]
struct Pending {
    id: String,
    action: &'static str,
    is_list: bool,
    entries: Vec<Message>,
    bytes: usize,
    answer: oneshot::Sender<Answer>,
}

impl Desk {
    /// Makes ready for the answer. Gives back what is to be sent, and where the answer will be.
    pub(super) fn put(
        &self,
        question: &Question,
        id: String,
    ) -> Result<(Vec<u8>, oneshot::Receiver<Answer>), Loss> {
        let text = question.text(&id)?;
        let (answer, answered) = oneshot::channel();
        *self.lock() = Some(Pending {
            id,
            action: question.action,
            is_list: question.is_list,
            entries: Vec::new(),
            bytes: 0,
            answer,
        });
        Ok((text, answered))
    }

    /// Nobody waits any more.
    pub(super) fn clear(&self) {
        *self.lock() = None;
    }

    /// Takes a message if it is part of the answer; gives back one that is not.
    pub(super) fn take(&self, message: Message) -> Result<Option<Message>, Loss> {
        let mut desk = self.lock();
        let Some(pending) = desk.as_mut() else {
            return Ok(Some(message));
        };
        if message.get("ActionID") != pending.id {
            return Ok(Some(message));
        }
        let response = message.get("Response");
        let refused = !response.is_empty() && response != "Success";
        let complete = message.get("EventList").eq_ignore_ascii_case("complete");
        if !response.is_empty() && pending.is_list && !refused {
            // The entries follow.
            return Ok(None);
        }
        if refused || complete || !pending.is_list {
            let Some(pending) = desk.take() else {
                return Ok(None);
            };
            let outcome = if refused {
                Err(Loss::Refused {
                    request: pending.action,
                    reason: message.get("Message").to_owned(),
                })
            } else if complete {
                Ok(pending.entries)
            } else {
                Ok(vec![message])
            };
            // Fails only if nobody waits any more.
            let _ = pending.answer.send(outcome);
            return Ok(None);
        }
        pending.bytes += message.bytes();
        if pending.bytes > ANSWER_BYTES_MAX {
            return Err(Loss::AnswerTooLarge {
                request: pending.action,
            });
        }
        pending.entries.push(message);
        Ok(None)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Pending>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(fields: &[(&str, &str)]) -> Message {
        let mut message = Message::default();
        for (name, value) in fields {
            message.push(*name, *value);
        }
        message
    }

    #[test]
    fn a_list_is_gathered_and_what_happens_meanwhile_passes_by() {
        let desk = Desk::default();
        let (text, mut answer) = desk
            .put(&Question::list("CoreShowChannels"), "7".to_owned())
            .unwrap();
        assert_eq!(text, b"Action: CoreShowChannels\r\nActionID: 7\r\n\r\n");
        let entry = message(&[
            ("Event", "CoreShowChannel"),
            ("ActionID", "7"),
            ("Channel", "PJSIP/1"),
        ]);
        let event = message(&[("Event", "Hangup")]);
        let start = message(&[("Response", "Success"), ("ActionID", "7"), ("EventList", "start")]);
        let end = message(&[
            ("Event", "CoreShowChannelsComplete"),
            ("ActionID", "7"),
            ("EventList", "Complete"),
        ]);
        for (read, passes) in [
            (start, None),
            (entry.clone(), None),
            (event.clone(), Some(event)),
            (end, None),
        ] {
            assert_eq!(desk.take(read).unwrap(), passes);
        }
        assert_eq!(answer.try_recv().unwrap().unwrap(), std::slice::from_ref(&entry));
        // Late ones are nobody's.
        assert_eq!(desk.take(entry.clone()).unwrap(), Some(entry));
    }

    #[test]
    fn a_refusal_is_told_with_its_reason() {
        let desk = Desk::default();
        let (_, mut answer) = desk
            .put(&Question::plain("Login", Vec::new()), "1".to_owned())
            .unwrap();
        let refusal = [
            ("Response", "Error"),
            ("ActionID", "1"),
            ("Message", "Permission denied"),
        ];
        assert_eq!(desk.take(message(&refusal)).unwrap(), None);
        assert_eq!(
            answer.try_recv().unwrap().unwrap_err().to_string(),
            "Login: Asterisk refused (Permission denied); see `read` and `write` of the account in manager.conf"
        );
    }

    #[test]
    fn a_list_without_an_end_is_given_up() {
        let desk = Desk::default();
        let (_, _answer) = desk
            .put(&Question::list("CoreShowChannels"), "7".to_owned())
            .unwrap();
        let name = "x".repeat(1024 * 1024);
        let entry = message(&[
            ("Event", "CoreShowChannel"),
            ("ActionID", "7"),
            ("Channel", &name),
        ]);
        let given_up = (0..100).find_map(|_| desk.take(entry.clone()).err());
        assert_eq!(
            given_up.unwrap().to_string(),
            "CoreShowChannels: the answer is larger than 67108864 bytes"
        );
    }

    #[test]
    fn nothing_is_smuggled_into_an_action() {
        let fields = vec![("Username", "x\r\n\r\nAction: Originate".to_owned())];
        let refused = Desk::default().put(&Question::plain("Login", fields), "1".to_owned());
        assert_eq!(
            refused.unwrap_err().to_string(),
            "`url`, `username` or `password` cannot be used: `username` has a line break in it"
        );
    }
}
