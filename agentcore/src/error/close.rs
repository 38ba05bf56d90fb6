//! Close reasons: the code and the text of a close frame (RFC 6455 7.1.5 and 7.1.6).

use std::borrow::Cow;

use serde::Serialize;

use super::{CloseCode, Error};
use crate::time::millis;

/// Why a connection ends: the code of the close frame and its reason, at most 123 bytes.
///
/// 1005 (no code) and 1006 (no close frame) describe a peer that gave no reason; they are never sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseReason {
    /// The code of the close frame.
    pub code: CloseCode,
    /// The text of the close frame.
    pub reason: Cow<'static, str>,
}

/// The longest reason of a close frame, in bytes: a control frame holds 125 (RFC 6455 5.5), the code takes 2.
const MAX_REASON: usize = 123;

impl CloseReason {
    /// Creates a reason. A text longer than 123 bytes is cut at a character boundary.
    pub fn new(code: CloseCode, reason: impl Into<Cow<'static, str>>) -> Self {
        let mut reason = reason.into();
        if reason.len() > MAX_REASON {
            reason = Cow::Owned(reason.get(..reason.floor_char_boundary(MAX_REASON)).unwrap_or_default().to_owned());
        }
        Self { code, reason }
    }

    /// Returns the reason of a socket that ended without a close frame.
    pub(crate) fn lost() -> Self {
        Self::new(CloseCode::Abnormal, "")
    }

    /// Returns the reason for an error: JSON with the error's code, its retry hint and its id.
    pub(crate) fn of(error: &Error) -> Self {
        #[derive(Serialize)]
        struct ErrorReason<'a> {
            code: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            retry_after_ms: Option<u64>,
            error_id: uuid::Uuid,
        }
        let retry_after_ms = error.retry_after().map(millis);
        let reason = ErrorReason { code: error.code(), retry_after_ms, error_id: error.id() };
        Self::new(error.ws_code(), serde_json::to_string(&reason).unwrap_or_default())
    }
}
