//! Bytes into AMI's messages.
//!
//! The first four bytes of an input are the sizes of the pieces in which the rest comes, one after the other and round
//! again. If the fifth is large, the rest comes many times, so that limits are within reach.

#![no_main]

use callrelay::asterisk::ami::Message;
use callrelay::asterisk::ami::decoder::{
    DecodeError, Decoder, FIELDS_MAX, LINE_BYTES_MAX, MESSAGE_BYTES_MAX,
};
use callrelay_fuzz::seeds;
use libfuzzer_sys::fuzz_target;

/// Bytes of what comes many times. More than of any message.
const MANY_BYTES: usize = MESSAGE_BYTES_MAX + LINE_BYTES_MAX;
/// From here on it comes many times.
const MANY: u8 = 0xf0;

type Decoded = (Vec<Message>, Result<(), DecodeError>);

fuzz_target!(init: seeds::written_if_asked(seeds::ami_in_pieces), |data: &[u8]| {
    let Some(([sizes @ .., times], part)) = data.split_first_chunk::<5>() else {
        return;
    };
    let times = if *times < MANY { 1 } else { MANY_BYTES.div_ceil(part.len().max(1)) };
    let stream = part.repeat(times);
    let expected = expected(&stream);
    assert!(in_pieces(&stream, sizes) == expected, "in pieces");
    assert!(in_pieces(&stream, &[255]) == expected, "in large pieces");
    assert!(decoded(std::iter::once(stream.as_slice())) == expected, "at once");
});

fn in_pieces(stream: &[u8], sizes: &[u8]) -> Decoded {
    let mut rest = stream;
    let mut sizes = sizes.iter().cycle();
    decoded(std::iter::from_fn(|| {
        let size = usize::from(*sizes.next()?).clamp(1, rest.len().max(1));
        let (piece, more) = rest.split_at_checked(size)?;
        rest = more;
        Some(piece)
    }))
}

fn decoded<'a>(mut pieces: impl Iterator<Item = &'a [u8]>) -> Decoded {
    let mut decoder = Decoder::default();
    let mut messages = Vec::new();
    let outcome = pieces.try_for_each(|piece| decoder.decode(piece, |message| messages.push(message)));
    (messages, outcome)
}

/// The same by looking at all of it at once.
fn expected(stream: &[u8]) -> Decoded {
    let mut messages = Vec::new();
    let outcome = expect_messages(stream, &mut messages);
    (messages, outcome)
}

fn expect_messages(stream: &[u8], messages: &mut Vec<Message>) -> Result<(), DecodeError> {
    let mut lines: Vec<&[u8]> = stream.split(|byte| *byte == b'\n').collect();
    let unfinished = lines.pop();
    let (mut message, mut fields, mut bytes) = (Message::default(), 0, 0);
    for line in lines {
        if line.len() > LINE_BYTES_MAX {
            return Err(DecodeError::LineTooLong);
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        bytes += line.len();
        if bytes > MESSAGE_BYTES_MAX {
            return Err(DecodeError::MessageTooLarge);
        }
        if line.is_empty() {
            (fields, bytes) = (0, 0);
            messages.extend(Some(std::mem::take(&mut message)).filter(|message| !message.is_empty()));
        } else if let Some(colon) = line.iter().position(|byte| *byte == b':') {
            fields += 1;
            if fields > FIELDS_MAX {
                return Err(DecodeError::TooManyFields);
            }
            let value = &line[colon + 1..];
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            message.push(
                text(&line[..colon]),
                text(value.strip_prefix(b" ").unwrap_or(value)),
            );
        }
    }
    match unfinished {
        Some(line) if line.len() > LINE_BYTES_MAX => Err(DecodeError::LineTooLong),
        _ => Ok(()),
    }
}
