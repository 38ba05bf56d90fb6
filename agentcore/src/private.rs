//! The items that generated code names. They are not part of the public API and change without notice.

pub use std::borrow::Cow;
pub use std::option::Option::{self, None, Some};
pub use std::process::ExitCode;
pub use std::result::Result::{Err, Ok};
pub use std::string::String;
pub use std::time::Duration;
pub use std::vec::Vec;

pub use inventory;
pub use schemars;
pub use serde;

pub use crate::consumer::generated::{
    ConsumerHandlers, ConsumerStruct, HandlerFuture, MessageEntry, Mount, MountEntry, Param, ParseParam, ReplyTarget,
    RequiredState, UpgradeRequest,
};
pub use crate::consumer::{AsUserId, Context, Handler, HandlerRateLimit, IntoReply, Reply};
pub use crate::error::{CloseReason, Error, Result};
pub use crate::id::UserId;
pub use crate::manager::SentBy;
pub use crate::message::validate::{Validate, ValidationReport, rules};
pub use crate::message::{Description, Message, Overflow, OverflowKey, Payload, RawData};
pub use crate::server::run_main;

use std::fmt;
use std::future::Future;

/// The decoder of a handler's payload. [`payload_decoder`] is the only place that demands the bounds of `P`.
#[derive(Debug, Clone, Copy)]
pub struct PayloadDecoder<P> {
    /// The payload, for the catalogue.
    pub description: Description,
    /// Decodes the data and checks the rules.
    pub decode: fn(&RawData<'_>) -> Result<P>,
}

/// Returns the decoder of the payload `P`.
#[must_use]
pub const fn payload_decoder<P: Payload>() -> PayloadDecoder<P> {
    PayloadDecoder { description: Description::of::<P>(), decode: |data| data.decode() }
}

/// The encoder of a handler's return value. [`reply_encoder`] is the only place that demands the bounds of `R`.
pub struct ReplyEncoder<R> {
    /// The returned message, for the catalogue.
    pub description: Option<Description>,
    /// Encodes the reply.
    pub encode: fn(R, &ReplyTarget) -> Result<Reply>,
}

impl<R> fmt::Debug for ReplyEncoder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyEncoder").field("description", &self.description).finish_non_exhaustive()
    }
}

/// Returns the encoder of the return type `R`.
#[must_use]
pub const fn reply_encoder<R: IntoReply>() -> ReplyEncoder<R> {
    ReplyEncoder { description: R::DESCRIPTION, encode: R::into_reply }
}

/// Boxes the future of a handler.
pub fn boxed<'a>(handler: impl Future<Output = Result<Reply>> + Send + 'a) -> HandlerFuture<'a> {
    Box::pin(handler)
}

/// A `#[state]` field. [`state_field`] is the only place that demands the bounds of `T`.
#[derive(Debug)]
pub struct StateField<T> {
    required: RequiredState,
    get: fn(&UpgradeRequest<'_>) -> Result<T>,
}

impl<T> StateField<T> {
    /// Returns the type, for the check at start.
    #[must_use]
    pub fn required(self) -> RequiredState {
        self.required
    }

    /// Returns the value.
    ///
    /// # Errors
    /// See [`UpgradeRequest::state`].
    pub fn get(self, request: &UpgradeRequest<'_>) -> Result<T> {
        (self.get)(request)
    }
}

/// Returns the accessors of a `#[state]` field of type `T`.
#[must_use]
pub fn state_field<T: Clone + Send + Sync + 'static>() -> StateField<T> {
    StateField { required: RequiredState::of::<T>(), get: |request| request.state() }
}

/// Describes a message of `sends(..)`.
#[must_use]
pub fn sent<C, M: SentBy<C>>() -> Description {
    Description::of::<M>()
}

/// Describes the consumer `C`. Demands the handlers too, so that a consumer without any does not compile.
#[must_use]
pub fn mount<C: ConsumerStruct + ConsumerHandlers>() -> Mount {
    Mount::of::<C>()
}

/// Demands `#[consumer]` on the struct.
pub const fn has_consumer_struct<C: ConsumerStruct>() {}

/// Returns the error for an index that is not in the handler table. The server looks handlers up before it calls them,
/// so the error means a bug in the server.
#[must_use]
pub fn no_handler(index: usize) -> Error {
    Error::internal(format!("no handler has the index {index}"))
}

/// Checks that the payload of the handler for `message_type` has that message type, or none.
///
/// # Panics
/// Panics during compilation, at the call, when the payload has another message type.
#[track_caller]
pub const fn same_message_type(payload: Description, message_type: &str, handler: &str, type_name: &str) {
    let Some(name) = payload.name else { return };
    if equal(name.as_bytes(), message_type.as_bytes()) {
        return;
    }
    let text = ConstString::new()
        .with("handler `")
        .with(handler)
        .with("` handles `")
        .with(message_type)
        .with("`, but its payload `")
        .with(type_name)
        .with("` is the message `")
        .with(name)
        .with("`\nhelp: write `#[on(\"")
        .with(name)
        .with("\")]`, or give this handler another payload");
    fail(&text);
}

#[track_caller]
#[expect(clippy::panic, reason = "the compiler evaluates it: the panic is a compile error")]
const fn fail(text: &ConstString) -> ! {
    panic!("{}", text.as_str())
}

const fn equal(a: &[u8], b: &[u8]) -> bool {
    match (a.split_first(), b.split_first()) {
        (None, None) => true,
        (Some((x, a)), Some((y, b))) => *x == *y && equal(a, b),
        _ => false,
    }
}

/// A text of up to 640 bytes that is built during compilation. A part that does not fit is left out.
struct ConstString {
    bytes: [u8; 640],
    len: usize,
}

impl ConstString {
    const fn new() -> Self {
        Self { bytes: [0; 640], len: 0 }
    }

    const fn with(mut self, part: &str) -> Self {
        let (_, free) = self.bytes.split_at_mut(self.len);
        if part.len() <= free.len() {
            free.split_at_mut(part.len()).0.copy_from_slice(part.as_bytes());
            self.len += part.len();
        }
        self
    }

    const fn as_str(&self) -> &str {
        match std::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => text,
            Err(_) => "the payload is a message with another message type",
        }
    }
}
