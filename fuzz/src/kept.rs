//! How much something keeps, private parts included.

use std::fmt::{self, Debug, Write as _};

/// The length of its debug form: whatever is kept shows in it.
pub fn kept(what: &impl Debug) -> usize {
    let mut length = Length(0);
    // Nothing fails that only counts.
    let _ = write!(length, "{what:?}");
    length.0
}

struct Length(usize);

impl fmt::Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}
