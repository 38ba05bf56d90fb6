//! Close codes and reasons (RFC 6455 7.4).

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;

use super::Error;

pub use tungstenite::protocol::frame::coding::CloseCode;

/// Why a connection ends: the code of the close frame and its reason, at most 123 bytes.
///
/// 1005 (no code) and 1006 (no close frame) stand for what the peer did not say; they are never sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseReason {
    /// The code of the close frame.
    pub code: CloseCode,
    /// The text of the close frame.
    pub reason: Cow<'static, str>,
}

/// The reason of a close frame holds at most this many bytes: a control frame has 125, the code takes 2.
const MAX_REASON: usize = 123;

impl CloseReason {
    /// A close with a reason; what does not fit into 123 bytes is cut at a character's border.
    pub fn new(code: CloseCode, reason: impl Into<Cow<'static, str>>) -> Self {
        let mut reason = reason.into();
        if reason.len() > MAX_REASON {
            reason = Cow::Owned(reason.get(..reason.floor_char_boundary(MAX_REASON)).unwrap_or_default().to_owned());
        }
        Self { code, reason }
    }

    /// The socket ended without a close frame.
    pub(crate) fn lost() -> Self {
        Self::new(CloseCode::Abnormal, "")
    }

    /// A close with a reason of ours: JSON that says the error's code, when to try again and its id.
    pub(crate) fn of(error: &Error) -> Self {
        #[derive(Serialize)]
        struct Reason<'a> {
            code: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            retry_after_ms: Option<u64>,
            error_id: uuid::Uuid,
        }
        let reason =
            Reason { code: error.code(), retry_after_ms: error.retry_after().map(millis), error_id: error.id() };
        Self::new(error.ws_code(), serde_json::to_string(&reason).unwrap_or_default())
    }
}

/// Whole milliseconds, rounded up so that a hint is never too early.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
