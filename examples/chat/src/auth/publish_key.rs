//! The key that lets other programs publish messages.

use std::sync::Arc;

use agentcore::axum::http::HeaderMap;
use agentcore::axum::http::header::AUTHORIZATION;
use subtle::ConstantTimeEq;

/// Minimum length of a key, in bytes: a shorter one could be guessed.
const MIN_KEY: usize = 32;

/// The key of `CHAT_PUBLISH_KEY`; cheap to clone.
#[derive(Clone)]
pub(crate) struct PublishKey(Arc<str>);

impl PublishKey {
    /// Checks that a key is long enough and fits into a header.
    ///
    /// # Errors
    /// The rule that the key breaks; the text does not contain the key.
    pub(crate) fn new(key: &str) -> Result<Self, String> {
        if key.len() < MIN_KEY || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!("{MIN_KEY} or more visible ASCII characters, for example from `openssl rand -hex 32`"));
        }
        Ok(Self(key.into()))
    }

    /// Returns whether a request carries this key; compares in constant time.
    pub(crate) fn matches(&self, headers: &HeaderMap) -> bool {
        let credentials = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' '));
        // The scheme's name is case-insensitive (RFC 9110 11.1).
        credentials.is_some_and(|(scheme, key)| {
            scheme.eq_ignore_ascii_case("bearer") && key.trim().as_bytes().ct_eq(self.0.as_bytes()).into()
        })
    }
}
