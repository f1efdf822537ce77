//! Frames from terminals: JSON text in, requests out.
//!
//! A frame is taken apart field by field, so that one wrong field is answered as such and the body
//! is passed on byte for byte.

use secrecy::SecretString;
use serde_json::value::RawValue;

use super::wire::{
    AckFields, Fields, Incoming, LinkFields, Position, ReplayWord, SendFields, SendReference,
    TERMINAL_CHARS_MAX, word,
};
use crate::model::{Body, CallId, Epoch, FileId};
use crate::relay::{Replay, Resume, SendRequest};

/// What a terminal asks for.
#[derive(Debug)]
pub(super) enum ClientFrame {
    Link(LinkFrame),
    Send(SendRequest),
    Ack {
        call: CallId,
        epoch: Option<Epoch>,
        seq: u64,
    },
    Unlink,
}

/// A `link`, with credentials that were not checked yet.
#[derive(Debug)]
pub(super) struct LinkFrame {
    pub(super) credentials: Option<Credentials>,
    pub(super) phone: Option<String>,
    pub(super) terminal: Option<String>,
    pub(super) wait: bool,
    pub(super) resume: Option<Resume>,
    pub(super) replay: Replay,
}

/// How a terminal says who it is.
#[derive(Debug)]
pub(super) enum Credentials {
    Password { id: String, password: SecretString },
    Token(SecretString),
}

/// Why a frame cannot be followed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FrameError {
    /// No JSON object: not the protocol.
    NotAnObject,
    /// A `type` that this version does not know.
    UnknownType(String),
    /// A field is missing or of the wrong kind.
    BadField { frame: &'static str, detail: String },
    /// A `send` that is wrong in some field but names its reference.
    BadSend { reference: String },
}

/// Takes a text frame apart.
pub(super) fn parse(text: &str) -> Result<ClientFrame, FrameError> {
    let fields = Fields::of(text).ok_or(FrameError::NotAnObject)?;
    match typed(&fields)? {
        Incoming::Link(fields) => link(fields).map(ClientFrame::Link),
        Incoming::Send(send) => Ok(ClientFrame::Send(request(send, fields.written("body")))),
        Incoming::Ack(AckFields { call, seq, epoch }) => Ok(ClientFrame::Ack {
            call: CallId::new(call),
            epoch: epoch.map(Epoch::new),
            seq,
        }),
        Incoming::Unlink => Ok(ClientFrame::Unlink),
    }
}

/// What a frame is understood as, for who tries frames without a session (`fuzz/`): in words, and the body as it is passed
/// on; or what is wrong with it.
pub fn understood(text: &str) -> Result<(String, Body), String> {
    let mut frame = parse(text).map_err(|error| format!("{error:?}"))?;
    let body = match &mut frame {
        ClientFrame::Send(send) => std::mem::replace(&mut send.body, Body::new("")),
        ClientFrame::Link(_) | ClientFrame::Ack { .. } | ClientFrame::Unlink => Body::new(""),
    };
    Ok((format!("{frame:?}"), body))
}

fn typed<'a>(fields: &Fields<'a>) -> Result<Incoming<'a>, FrameError> {
    let kind = fields
        .get("type")
        .and_then(|kind| serde_json::from_str::<String>(kind.get()).ok());
    let bad = |frame| move |detail| FrameError::BadField { frame, detail };
    match kind.as_deref() {
        Some("link") => fields.read().map(Incoming::Link).map_err(bad("link")),
        Some("send") => fields.read().map(Incoming::Send).map_err(|_| bad_send(fields)),
        Some("ack") => fields.read().map(Incoming::Ack).map_err(bad("ack")),
        Some("unlink") => Ok(Incoming::Unlink),
        other => Err(FrameError::UnknownType(shortened(other.unwrap_or_default()))),
    }
}

/// A `send` that is wrong is answered as such if it names its reference.
fn bad_send(fields: &Fields<'_>) -> FrameError {
    match fields.read() {
        Ok(SendReference { r#ref }) => FrameError::BadSend {
            reference: shortened(&r#ref),
        },
        Err(detail) => FrameError::BadField {
            frame: "send",
            detail,
        },
    }
}

fn link(fields: LinkFields<'_>) -> Result<LinkFrame, FrameError> {
    let bad = |detail: String| FrameError::BadField {
        frame: "link",
        detail,
    };
    let credentials = match (fields.token, fields.id, fields.password) {
        (Some(token), _, _) => Some(Credentials::Token(token.into())),
        (None, Some(id), Some(password)) => Some(Credentials::Password {
            id,
            password: password.into(),
        }),
        (None, _, _) => None,
    };
    let named = fields.terminal.as_ref();
    if named.is_some_and(|name| name.is_empty() || name.chars().count() > TERMINAL_CHARS_MAX) {
        return Err(bad(format!(
            "\"terminal\" is to have 1 to {TERMINAL_CHARS_MAX} characters"
        )));
    }
    let replay = fields.replay.as_deref();
    let replay = replay.map(|text| word::<ReplayWord>("replay", text));
    Ok(LinkFrame {
        credentials,
        phone: fields.phone,
        terminal: fields.terminal,
        wait: fields.wait,
        resume: fields.resume.map(resume).transpose().map_err(bad)?,
        replay: replay
            .transpose()
            .map_err(bad)?
            .map_or(Replay::Unread, Replay::from),
    })
}

fn resume(position: &RawValue) -> Result<Resume, String> {
    let fields = Fields::of(position.get()).ok_or("\"resume\" is to be an object")?;
    let Position { epoch, seq } = fields.read()?;
    Ok(Resume {
        epoch: Epoch::new(epoch),
        seq,
    })
}

fn request(fields: SendFields, body: &RawValue) -> SendRequest {
    let is_file = fields.kind == "file";
    SendRequest {
        body: Body::new(body.get()),
        file: if is_file { named_file(body) } else { None },
        reference: fields.r#ref,
        kind: fields.kind,
        key: fields.key,
        transient: fields.transient,
        call: fields.call.map(CallId::new),
    }
}

/// The uploaded file that the body of a `file` message names.
fn named_file(body: &RawValue) -> Option<FileId> {
    let file = Fields::of(body.get())?.get("file")?;
    let file: String = serde_json::from_str(file.get()).ok()?;
    Some(FileId::new(file))
}

/// Enough of a text to recognise it by.
fn shortened(text: &str) -> String {
    text.chars().take(TERMINAL_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_passed_on_byte_for_byte() {
        let frame =
            parse(r#"{"type":"send","ref":"r","body": {"b" :[1, 2.50],"a":"\u00e4"},"new":1}"#).unwrap();
        let ClientFrame::Send(send) = frame else {
            panic!("{frame:?}")
        };
        assert_eq!(send.body.as_json(), r#"{"b" :[1, 2.50],"a":"\u00e4"}"#);
        assert_eq!(
            (send.kind.as_str(), send.key, send.transient, send.call),
            ("chat", None, false, None)
        );
    }

    #[test]
    fn a_null_body_is_a_body() {
        let frame = parse(r#"{"type":"send","ref":"r","body":null}"#).unwrap();
        assert!(matches!(frame, ClientFrame::Send(send) if send.body.as_json() == "null"));
    }

    #[test]
    fn wrong_frames_are_told_apart() {
        let unknown = |name: &str| FrameError::UnknownType(name.to_owned());
        let bad = |frame, detail: &str| FrameError::BadField {
            frame,
            detail: detail.to_owned(),
        };
        let bad_send = || FrameError::BadSend {
            reference: "r".to_owned(),
        };
        for (text, error) in [
            ("", FrameError::NotAnObject),
            ("[]", FrameError::NotAnObject),
            ("\"link\"", FrameError::NotAnObject),
            ("{\"type\":\"link\"", FrameError::NotAnObject),
            ("{}", unknown("")),
            (r#"{"type":7}"#, unknown("")),
            (r#"{"type":"dance"}"#, unknown("dance")),
            (r#"{"type":"send","body":1}"#, bad("send", "\"ref\" is missing")),
            (
                r#"{"type":"send","ref":1,"body":1}"#,
                bad("send", "\"ref\" is of the wrong kind"),
            ),
            (r#"{"type":"send","ref":"r"}"#, bad_send()),
            (r#"{"type":"send","ref":"r","body":1,"key":{}}"#, bad_send()),
            (r#"{"type":"ack","call":"c"}"#, bad("ack", "\"seq\" is missing")),
            (
                r#"{"type":"ack","call":"c","seq":-1}"#,
                bad("ack", "\"seq\" is of the wrong kind"),
            ),
            (
                r#"{"type":"link","wait":"yes"}"#,
                bad("link", "\"wait\" is of the wrong kind"),
            ),
            (
                r#"{"type":"link","resume":[]}"#,
                bad("link", "\"resume\" is to be an object"),
            ),
            (
                r#"{"type":"link","resume":{"epoch":"e"}}"#,
                bad("link", "\"seq\" is missing"),
            ),
            (
                r#"{"type":"link","replay":"some"}"#,
                bad("link", "\"replay\" is to be \"unread\" or \"all\""),
            ),
            (
                r#"{"type":"link","terminal":""}"#,
                bad("link", "\"terminal\" is to have 1 to 64 characters"),
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn no_frame_however_odd_is_more_than_an_error() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for text in [
            deep.clone(),
            format!(r#"{{"type":"send","ref":"r","body":{deep}}}"#),
            r#"{"type":"ack","call":"c","seq":18446744073709551616}"#.to_owned(),
            r#"{"type":"send","ref":"\ud800","body":1}"#.to_owned(),
        ] {
            let _ = parse(&text);
        }
    }
}
