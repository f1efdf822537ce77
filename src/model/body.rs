//! What people write to each other. Never shown in a log.

use std::fmt;
use std::sync::Arc;

/// The body of a message: the JSON text as the sender wrote it, passed on byte for byte.
///
/// `Debug` shows its length only, so that no body can reach a log line by way of a structure
/// that holds one.
#[derive(Clone, PartialEq, Eq)]
pub struct Body(Arc<str>);

impl Body {
    /// Wraps JSON text. The caller has checked that it is JSON.
    pub fn new(json: impl Into<Arc<str>>) -> Self {
        Self(json.into())
    }

    /// The JSON text.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.0
    }

    /// Bytes of JSON text.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no text at all (never true of valid JSON).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}
