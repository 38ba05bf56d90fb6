//! Why a session ends, and the close reason that follows from it.

use crate::error::{CloseCode, CloseReason, Error, ErrorCategory};
use crate::message::Codec;
use crate::registry::{Closing, Connection};
use crate::wire::Violation;

/// Why a session ends.
#[derive(Debug)]
pub(super) enum SessionEnd {
    /// The peer sent a close frame, with its code and reason if it had any.
    PeerClosed(Option<(CloseCode, String)>),
    /// The peer broke the WebSocket protocol.
    Violation(Violation),
    /// An error that closes the connection.
    Failed(Error),
    /// This side asked for the connection to be closed.
    Requested(Closing),
    /// The socket ended without a close frame.
    Lost,
}

impl SessionEnd {
    /// Returns the end of a connection whose client sent a message in another codec than the negotiated one.
    pub(super) fn wrong_codec(negotiated: Codec) -> Self {
        let text = match negotiated {
            Codec::Json => "this connection uses JSON in text frames",
            Codec::MessagePack => "this connection uses MessagePack in binary frames",
        };
        let error = Error::validation(text).with_close(CloseCode::Unsupported);
        error.log();
        Self::Failed(error)
    }

    /// Returns the reason that `#[on(disconnect)]` receives.
    pub(super) fn reason(&self) -> CloseReason {
        match self {
            Self::PeerClosed(Some((code, reason))) => CloseReason::new(*code, reason.clone()),
            Self::PeerClosed(None) => CloseReason::new(CloseCode::Status, ""),
            Self::Violation(violation) => CloseReason::of(&violation_error(*violation)),
            Self::Failed(error) => CloseReason::of(error),
            Self::Requested(Closing::Frame(reason) | Closing::AfterHandler(reason)) => reason.clone(),
            Self::Requested(Closing::Lost | Closing::Drain) | Self::Lost => CloseReason::lost(),
        }
    }

    /// Returns the content of our close frame: the peer's own code without a reason, or else `reason`.
    pub(super) fn close_frame_reason(&self, reason: &CloseReason) -> CloseReason {
        match self {
            Self::PeerClosed(Some((code, _))) => CloseReason::new(*code, ""),
            _ => reason.clone(),
        }
    }

    /// Whether the socket is gone, so that nothing can be sent any more.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self, Self::Lost | Self::Requested(Closing::Lost))
    }
}

/// Returns the error that closes a connection with 1008 (policy violation), and counts it in the metrics.
pub(super) fn policy_violation(connection: &Connection, code: &'static str, text: String) -> Error {
    let error = Error::new(ErrorCategory::Connection, code, text).with_retryable(false).with_close(CloseCode::Policy);
    connection.meter().error(&error);
    error
}

fn violation_error(violation: Violation) -> Error {
    let code = match violation {
        Violation::Protocol(_) => "PROTOCOL_ERROR",
        Violation::Utf8 => "INVALID_UTF8",
        Violation::TooBig { .. } => "MESSAGE_TOO_BIG",
        Violation::TooManyFrames { .. } => "TOO_MANY_FRAMES",
        Violation::TooManyUnfinished => "TOO_MANY_UNFINISHED",
    };
    Error::new(ErrorCategory::Message, code, violation.to_string()).with_close(violation.close_code())
}
