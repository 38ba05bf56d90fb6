//! The return value of a handler, and its encoding as the reply to a request.

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::message::{Codec, Description, Message, unencodable};
use crate::wire::Frame;

/// A type that a handler may return: `()`, a message, an `Option` of a message, or a `Result` of any of these.
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "unsupported return type",
    note = "return `()`, a `#[message(\"its_type\")]`, an `Option` of one, or a `Result` of any of these",
    note = "the error of a `Result` must convert into `agentcore::Error`; `.internal()` converts the error of another crate"
)]
pub trait IntoReply {
    /// The returned message, for the catalogue.
    #[doc(hidden)]
    const DESCRIPTION: Option<Description>;

    /// Encodes the reply.
    ///
    /// # Errors
    /// The handler's own error, or `INTERNAL_ERROR` when the message cannot be encoded.
    #[doc(hidden)]
    fn into_reply(self, target: &ReplyTarget) -> Result<Reply>;
}

impl IntoReply for () {
    const DESCRIPTION: Option<Description> = None;
    fn into_reply(self, _: &ReplyTarget) -> Result<Reply> {
        Ok(Reply(None))
    }
}

impl<M: Message> IntoReply for M {
    const DESCRIPTION: Option<Description> = Some(Description::of::<M>());
    fn into_reply(self, target: &ReplyTarget) -> Result<Reply> {
        target.answer(&self).map(|frame| Reply(Some(frame.into_bytes())))
    }
}

impl<M: Message> IntoReply for Option<M> {
    const DESCRIPTION: Option<Description> = Some(Description::of::<M>());
    fn into_reply(self, target: &ReplyTarget) -> Result<Reply> {
        match self {
            Some(message) => message.into_reply(target),
            None => Ok(Reply(None)),
        }
    }
}

impl<T: IntoReply, E: Into<Error>> IntoReply for Result<T, E> {
    const DESCRIPTION: Option<Description> = T::DESCRIPTION;
    fn into_reply(self, target: &ReplyTarget) -> Result<Reply> {
        self.map_err(Into::into)?.into_reply(target)
    }
}

/// The encoded reply of a handler; the default is a handler that returns `()`.
#[derive(Debug, Default)]
pub struct Reply(pub(crate) Option<Bytes>);

/// The request that is being answered: where its reply goes and how it is encoded.
#[derive(Debug, Clone, Copy)]
pub struct ReplyTarget {
    /// The `ref` of the envelope; `None` when the client does not ask for a reply.
    pub(crate) reference: Option<u64>,
    /// The number of the request on its connection, from 1; 0 when there is no request.
    pub(crate) serial: u64,
    /// The codec of the connection.
    pub(crate) codec: Codec,
}

impl ReplyTarget {
    /// No request: the hooks, and tasks that outlive their handler.
    pub(crate) const NONE: Self = Self { reference: None, serial: 0, codec: Codec::Json };

    /// Encodes `message` as the answer: a reply to a request with a `ref`, otherwise a message under its own type.
    pub(crate) fn answer<M: Message>(&self, message: &M) -> Result<Frame> {
        match self.reference {
            Some(reference) => self.codec.reply(reference, Some(message)),
            None => self.codec.encode(M::TYPE, None, Some(message)),
        }
        .map_err(|error| unencodable(M::TYPE, error))
    }

    /// Encodes the answer of a handler that returned no message: `null` for a request with a `ref`, otherwise nothing.
    pub(crate) fn acknowledge(&self) -> Result<Option<Frame>> {
        let Some(reference) = self.reference else { return Ok(None) };
        self.codec.reply::<()>(reference, None).map(Some).map_err(Error::internal)
    }
}
