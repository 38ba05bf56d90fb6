//! The results of decoding: a complete message, a control frame, or a violation of the protocol.

use crate::error::CloseCode;

/// A message or control frame of a client. It borrows from the input when the message arrived in one piece.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum WireEvent<'a> {
    /// A complete text message.
    Text(&'a str),
    /// A complete binary message.
    Binary(&'a [u8]),
    /// A ping; a pong must return its payload.
    Ping(&'a [u8]),
    /// A pong.
    Pong,
    /// A close frame, with its code and reason if it had any.
    Close(Option<(CloseCode, &'a str)>),
}

/// A violation of the protocol; the connection cannot continue after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    /// The frame breaks RFC 6455 in the way that the text describes.
    #[error("{0}")]
    Protocol(&'static str),
    /// A text is not UTF-8 (RFC 6455 8.1).
    #[error("text is not UTF-8")]
    Utf8,
    /// A frame header announces a message above the limit.
    #[error("message has more than {max} bytes")]
    TooBig {
        /// The limit in bytes.
        max: usize,
    },
    /// A message has more frames than the limit.
    #[error("message has more than {max} frames")]
    TooManyFrames {
        /// The limit.
        max: u32,
    },
    /// The unfinished messages of all clients together have no room for another piece.
    #[error("the server holds too many unfinished messages; try again later")]
    TooManyUnfinished,
}

impl Violation {
    /// Returns the code of the close frame that answers the violation (RFC 6455 7.4.1).
    #[must_use]
    pub(crate) fn close_code(self) -> CloseCode {
        match self {
            Self::Protocol(_) => CloseCode::Protocol,
            Self::Utf8 => CloseCode::Invalid,
            Self::TooBig { .. } => CloseCode::Size,
            Self::TooManyFrames { .. } => CloseCode::Policy,
            Self::TooManyUnfinished => CloseCode::Again,
        }
    }
}
