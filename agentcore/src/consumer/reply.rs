//! What a handler returns, and how it answers the request.

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::message::{Codec, Description, Message, unencodable};
use crate::wire::Frame;

/// The request that a handler answers.
#[derive(Debug, Clone, Copy)]
pub struct ReplyTarget {
    /// The `ref` of the envelope: the client wants a reply.
    pub(crate) reference: Option<u64>,
    /// Counts the requests of the connection from 1; 0 stands for none.
    pub(crate) serial: u64,
    /// How the answer is written.
    pub(crate) codec: Codec,
}

impl ReplyTarget {
    /// Not a request: `connect`, `disconnect`, or a task.
    pub(crate) const NONE: Self = Self { reference: None, serial: 0, codec: Codec::Json };

    /// The `ref` of the envelope.
    pub(crate) fn reference(&self) -> Option<u64> {
        self.reference
    }

    /// Encodes `message` as the answer: a reply to a request with a `ref`, a message under its own type otherwise.
    pub(crate) fn answer<M: Message>(&self, message: &M) -> Result<Frame> {
        match self.reference {
            Some(reference) => self.codec.reply(reference, Some(message)),
            None => self.codec.encode(M::TYPE, None, Some(message)),
        }
        .map_err(|error| unencodable(M::TYPE, error))
    }

    /// Encodes the answer of a handler that returned no message: `null` for a request with a `ref`, else nothing.
    pub(crate) fn acknowledge(&self) -> Result<Option<Frame>> {
        let Some(reference) = self.reference else { return Ok(None) };
        self.codec.reply::<()>(reference, None).map(Some).map_err(Error::internal)
    }
}

/// The encoded answer of a handler.
#[derive(Debug, Default)]
pub struct Reply(pub(crate) Option<Bytes>);

/// What a handler may return: nothing, a message, an `Option` of one, or a `Result` of those.
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "not `()`, a named message, or an `Option` or `Result` of one",
    note = "return `()`, a `#[message(\"its_type\")]`, an `Option` of one, or a `Result` of any of these",
    note = "the error of a `Result` must convert into `agentcore::Error`; `.internal()` does it for a foreign one"
)]
pub trait IntoReply {
    /// The message, for the catalogue.
    const DESCRIPTION: Option<Description>;

    /// Encodes the answer.
    ///
    /// # Errors
    /// The handler's own error, or `INTERNAL_ERROR` when the message cannot be encoded.
    fn into_reply(self, request: &ReplyTarget) -> Result<Reply>;
}

impl IntoReply for () {
    const DESCRIPTION: Option<Description> = None;
    fn into_reply(self, _: &ReplyTarget) -> Result<Reply> {
        Ok(Reply(None))
    }
}

impl<M: Message> IntoReply for M {
    const DESCRIPTION: Option<Description> = Some(Description::of::<M>());
    fn into_reply(self, request: &ReplyTarget) -> Result<Reply> {
        request.answer(&self).map(|frame| Reply(Some(frame.into_bytes())))
    }
}

impl<M: Message> IntoReply for Option<M> {
    const DESCRIPTION: Option<Description> = Some(Description::of::<M>());
    fn into_reply(self, request: &ReplyTarget) -> Result<Reply> {
        match self {
            Some(message) => message.into_reply(request),
            None => Ok(Reply(None)),
        }
    }
}

impl<T: IntoReply, E: Into<Error>> IntoReply for Result<T, E> {
    const DESCRIPTION: Option<Description> = T::DESCRIPTION;
    fn into_reply(self, request: &ReplyTarget) -> Result<Reply> {
        self.map_err(Into::into)?.into_reply(request)
    }
}
