//! All that generated code may name. It changes without notice: nothing here is for code written by hand.

pub use std::borrow::Cow;
pub use std::boxed::Box;
pub use std::process::ExitCode;
pub use std::string::String;
pub use std::vec::Vec;

pub use inventory;
pub use schemars;
pub use serde;

pub use crate::consumer::mount::{MessageEntry, Mount, MountEntry};
pub use crate::consumer::upgrade_request::{Param, RequiredState, UpgradeRequest};
pub use crate::consumer::{
    AsUserId, Consumer, ConsumerHandlers, ConsumerStruct, Context, Handler, HandlerFuture, HandlerRateLimit, IntoReply,
    ParseParam, Reply, ReplyTarget,
};
pub use crate::error::{CloseReason, Error, Result};
pub use crate::id::UserId;
pub use crate::manager::SentBy;
pub use crate::message::validate::{Validate, ValidationReport, rules};
pub use crate::message::{Description, Message, Overflow, OverflowKey, Payload, RawData};
pub use crate::server::run_main;

use std::fmt;

/// The payload of a handler: all that is asked of its type is asked by [`payload_decoder`].
#[derive(Debug, Clone, Copy)]
pub struct PayloadDecoder<P> {
    /// For the catalogue.
    pub description: Description,
    /// Decodes and validates.
    pub decode: fn(&RawData<'_>) -> Result<P>,
}

/// The payload `P`.
#[must_use]
pub const fn payload_decoder<P: Payload>() -> PayloadDecoder<P> {
    PayloadDecoder { description: Description::of::<P>(), decode: |data| data.decode() }
}

/// Checks that the payload of the handler of `message_type` has that name or none.
///
/// # Panics
/// At compile time, where it is called, when it has another one.
#[track_caller]
pub const fn same_name(payload: Description, message_type: &str, handler: &str, type_name: &str) {
    let Some(name) = payload.name else { return };
    if same(name.as_bytes(), message_type.as_bytes()) {
        return;
    }
    let text = ConstString::new()
        .with("handler `")
        .with(handler)
        .with("` is for `")
        .with(message_type)
        .with("`, but its payload `")
        .with(type_name)
        .with("` is the message `")
        .with(name)
        .with("`\nhelp: `#[on(\"")
        .with(name)
        .with("\")]`, or a payload of its own for this handler");
    fail(&text);
}

#[track_caller]
#[expect(clippy::panic, reason = "evaluated by the compiler only: this is its error")]
const fn fail(text: &ConstString) -> ! {
    panic!("{}", text.as_str())
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    match (a.split_first(), b.split_first()) {
        (None, None) => true,
        (Some((x, a)), Some((y, b))) => *x == *y && same(a, b),
        _ => false,
    }
}

/// A text that is put together at compile time.
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
            Err(_) => "the payload is a message of another name",
        }
    }
}

/// What a handler returns: all that is asked of its type is asked by [`reply_encoder`].
pub struct ReplyEncoder<R> {
    /// For the catalogue.
    pub description: Option<Description>,
    /// Encodes the answer.
    pub into_reply: fn(R, &ReplyTarget) -> Result<Reply>,
}

impl<R> fmt::Debug for ReplyEncoder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyEncoder").field("description", &self.description).finish_non_exhaustive()
    }
}

/// The returned type `R`.
#[must_use]
pub const fn reply_encoder<R: IntoReply>() -> ReplyEncoder<R> {
    ReplyEncoder { description: R::DESCRIPTION, into_reply: R::into_reply }
}

/// A `#[state]` field: all that is asked of its type is asked by [`state_field`].
#[derive(Debug)]
pub struct StateField<T> {
    required: RequiredState,
    get: fn(&UpgradeRequest<'_>) -> Result<T>,
}

impl<T> StateField<T> {
    /// For the check at start.
    #[must_use]
    pub fn required(self) -> RequiredState {
        self.required
    }

    /// The value.
    ///
    /// # Errors
    /// See [`UpgradeRequest::state`].
    pub fn get(self, request: &UpgradeRequest<'_>) -> Result<T> {
        (self.get)(request)
    }
}

/// The state `T`.
#[must_use]
pub fn state_field<T: Clone + Send + Sync + 'static>() -> StateField<T> {
    StateField { required: RequiredState::of::<T>(), get: |request| request.state() }
}

/// A message of `sends(..)`.
#[must_use]
pub fn sent<C, M: SentBy<C>>() -> Description {
    Description::of::<M>()
}

/// Mounts a consumer whose struct half calls this; the other half must be there too.
#[must_use]
pub fn mount<C: ConsumerStruct + ConsumerHandlers>() -> Mount {
    Mount::of::<C>()
}

/// Asks for the struct half.
pub const fn has_struct_half<C: ConsumerStruct>() {}

/// Handlers are looked up before they are called, so this is a fault of the caller.
#[must_use]
pub fn no_handler(index: usize) -> Error {
    Error::internal(format!("no handler has the index {index}"))
}
