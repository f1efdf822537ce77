//! What the operator may see: who talks, who is linked. Never what they write.

use crate::model::{CallId, Moment, PbxName, Phone, SessionId, TerminalName};

use super::Relay;
use super::effect::CallState;

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
}

impl Relay {
    /// All calls, lingering ones included.
    #[must_use]
    pub fn report_calls(&self) -> Vec<CallReport> {
        let party =
            |call: &super::call::Call, phone: &Phone, mailbox: &super::mailbox::Mailbox| PartyReport {
                phone: phone.clone(),
                name: call.parties.get(phone).cloned().unwrap_or_default(),
                state: call.state_for(phone),
                links: self.links.get(phone).map_or(0, std::collections::BTreeSet::len),
                rows: mailbox.rows,
                unread: call.unread_of(phone).count() as u64,
            };
        let report = |call: &super::call::Call| CallReport {
            call: call.id.clone(),
            pbx: call.pbx.clone(),
            started_at: call.started_at,
            ended_at: call.ended_at,
            parties: call
                .mailboxes
                .iter()
                .map(|(phone, mailbox)| party(call, phone, mailbox))
                .collect(),
        };
        self.calls.values().map(report).collect()
    }

    /// All connected terminals.
    #[must_use]
    pub fn report_links(&self) -> Vec<LinkReport> {
        let report = |(session, known): (&SessionId, &super::session::Session)| LinkReport {
            session: *session,
            phone: known.phone.clone(),
            terminal: known.terminal.clone(),
        };
        self.sessions.iter().map(report).collect()
    }
}
