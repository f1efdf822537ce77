//! What a terminal sends.
//!
//! A frame that is understood is understood in the same way when it is written in another way, and what goes on to peers is
//! what was written, and can be read by everybody.

#![no_main]

use callrelay::gateway;
use callrelay_fuzz::seeds;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// Characters of an error at the most: what it repeats of a frame is shortened.
const ERROR_CHARS_MAX: usize = 1_000;

fuzz_target!(init: seeds::written_if_asked(seeds::frames), |text: &str| {
    let (words, body) = match gateway::understood(text) {
        Ok(understood) => understood,
        Err(error) => {
            assert!(error.chars().count() <= ERROR_CHARS_MAX, "{error}");
            return;
        }
    };
    assert!(text.contains(body.as_json()), "the body is another one");
    let read = |body: &str| (!body.is_empty()).then(|| serde_json::from_str::<Value>(body).expect("a peer can read it"));
    let value = read(body.as_json());
    // Fields that nobody knows may be such as not every reader takes.
    let Ok(frame) = serde_json::from_str::<Value>(text) else {
        return;
    };
    let (words_again, body_again) = gateway::understood(&frame.to_string()).expect("it is the same frame");
    assert_eq!(words_again, words);
    assert_eq!(read(body_again.as_json()), value);
});
