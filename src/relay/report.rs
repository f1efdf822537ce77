//! What the operator may see: who talks, who is linked. Never what they write.

use std::collections::BTreeSet;

use crate::model::{CallId, Moment, PbxName, Phone, SessionId, TerminalName};

use super::Relay;
use super::call::Call;
use super::effect::CallState;
use super::mailbox::Mailbox;
use super::session::Session;

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallReport {
    /// Its id.
    pub call: CallId,
    /// Its PBX.
    pub pbx: PbxName,
    /// When it began.
    pub started_at: Moment,
    /// When it ended, while unread rows linger.
    pub ended_at: Option<Moment>,
    /// Its parties.
    pub parties: Vec<PartyReport>,
}

/// One phone in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartyReport {
    /// The phone.
    pub phone: Phone,
    /// Its display name.
    pub name: String,
    /// The state of the call for it.
    pub state: CallState,
    /// Connected terminals.
    pub links: usize,
    /// Rows in its mailbox.
    pub rows: u64,
    /// Rows it received that no terminal of it has acknowledged.
    pub unread: u64,
}

/// One connected terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkReport {
    /// Its session.
    pub session: SessionId,
    /// Its phone.
    pub phone: Phone,
    /// Its name.
    pub terminal: TerminalName,
    /// When it was linked.
    pub linked_at: Moment,
}

/// Which part of a list is wanted. By default all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Only what has this text in a name or number of it, or is the call with this id; capitals count like small
    /// letters.
    pub filter: String,
    /// No more than the latest of that.
    pub limit: Option<usize>,
}

/// Calls, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallList {
    /// Those that were wanted.
    pub calls: Vec<CallReport>,
    /// How many have what the filter asks for.
    pub matching: usize,
    /// How many stand.
    pub standing: usize,
    /// How many ended and linger.
    pub ended: usize,
}

/// Connected terminals, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkList {
    /// Those that were wanted.
    pub links: Vec<LinkReport>,
    /// How many have what the filter asks for.
    pub matching: usize,
    /// How many there are.
    pub total: usize,
}

impl Relay {
    /// The calls there are, lingering ones included.
    ///
    /// Only of those that are given back the rows are counted, which is what takes time.
    #[must_use]
    pub fn report_calls(&self, wanted: &Wanted) -> CallList {
        let filter = Filter::new(&wanted.filter);
        let mut matching: Vec<&Call> = self.calls.values().filter(|call| filter.lets(call)).collect();
        matching.sort_by(|one, other| (one.started_at, &one.id).cmp(&(other.started_at, &other.id)));
        let ended = self.calls.values().filter(|call| call.ended_at.is_some()).count();
        let latest = wanted.latest_of(&matching).iter();
        CallList {
            calls: latest.map(|call| self.report_call(call)).collect(),
            matching: matching.len(),
            standing: self.calls.len() - ended,
            ended,
        }
    }

    /// How many mailboxes there are, those of ended calls that linger included.
    #[must_use]
    pub fn mailbox_count(&self) -> usize {
        self.calls.values().map(|call| call.mailboxes.len()).sum()
    }

    /// The connected terminals.
    #[must_use]
    pub fn report_links(&self, wanted: &Wanted) -> LinkList {
        let filter = Filter::new(&wanted.filter);
        let lets = |known: &Session| filter.finds([known.phone.as_str(), known.terminal.as_str()]);
        let matching: Vec<_> = self.sessions.iter().filter(|(_, known)| lets(known)).collect();
        let report = |(session, known): &(&SessionId, &Session)| LinkReport {
            session: **session,
            phone: known.phone.clone(),
            terminal: known.terminal.clone(),
            linked_at: known.linked_at,
        };
        LinkList {
            links: wanted.latest_of(&matching).iter().map(report).collect(),
            matching: matching.len(),
            total: self.sessions.len(),
        }
    }

    fn report_call(&self, call: &Call) -> CallReport {
        let party = |(phone, mailbox): (&Phone, &Mailbox)| PartyReport {
            phone: phone.clone(),
            name: call.parties.get(phone).cloned().unwrap_or_default(),
            state: call.state_for(phone),
            links: self.links.get(phone).map_or(0, BTreeSet::len),
            rows: mailbox.rows,
            unread: call.unread_of(phone).count() as u64,
        };
        CallReport {
            call: call.id.clone(),
            pbx: call.pbx.clone(),
            started_at: call.started_at,
            ended_at: call.ended_at,
            parties: call.mailboxes.iter().map(party).collect(),
        }
    }
}

impl Wanted {
    fn latest_of<'a, T>(&self, list: &'a [T]) -> &'a [T] {
        let limit = self.limit.unwrap_or(list.len());
        &list[list.len().saturating_sub(limit)..]
    }
}

/// A text that is looked for, in small letters.
struct Filter(String);

impl Filter {
    fn new(text: &str) -> Self {
        Self(text.trim().to_lowercase())
    }

    fn lets(&self, call: &Call) -> bool {
        let phones = call.mailboxes.keys().map(Phone::as_str);
        let names = call.parties.values().map(String::as_str);
        // Part of an id would be found by chance whenever somebody looks for a number.
        call.id.as_str() == self.0 || self.finds(phones.chain(names).chain([call.pbx.as_str()]))
    }

    fn finds<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> bool {
        let mut texts = texts.into_iter();
        self.0.is_empty() || texts.any(|text| text.to_lowercase().contains(&self.0))
    }
}
