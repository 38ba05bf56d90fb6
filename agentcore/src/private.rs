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
pub use crate::consumer::upgrade_request::{Opening, Param, Required};
pub use crate::consumer::{
    AsUser, Construct, Consumer, Context, Dispatch, Handler, HandlerFuture, IntoReply, ParseParam, Rate, Reply, Request,
};
pub use crate::error::{CloseReason, Error, Result};
pub use crate::id::UserId;
pub use crate::manager::SentBy;
pub use crate::message::validate::{Report, Validate, rules};
pub use crate::message::{Description, Message, Overflow, OverflowKey, Payload, RawData};
pub use crate::server::run_main;

use std::fmt;

/// The payload of a handler: all that is asked of its type is asked by [`received`].
#[derive(Debug, Clone, Copy)]
pub struct Received<P> {
    /// For the catalogue.
    pub description: Description,
    /// Decodes and validates.
    pub decode: fn(&RawData<'_>) -> Result<P>,
}

/// The payload `P`.
#[must_use]
pub const fn received<P: Payload>() -> Received<P> {
    Received { description: Description::of::<P>(), decode: |data| data.decode() }
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
    let text = Text::new()
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
const fn fail(text: &Text) -> ! {
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
struct Text {
    bytes: [u8; 640],
    len: usize,
}

impl Text {
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

/// What a handler returns: all that is asked of its type is asked by [`returned`].
pub struct Returned<R> {
    /// For the catalogue.
    pub description: Option<Description>,
    /// Encodes the answer.
    pub into_reply: fn(R, &Request) -> Result<Reply>,
}

impl<R> fmt::Debug for Returned<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Returned").field("description", &self.description).finish_non_exhaustive()
    }
}

/// The returned type `R`.
#[must_use]
pub const fn returned<R: IntoReply>() -> Returned<R> {
    Returned { description: R::DESCRIPTION, into_reply: R::into_reply }
}

/// A `#[state]` field: all that is asked of its type is asked by [`state`].
#[derive(Debug)]
pub struct State<T> {
    required: Required,
    get: fn(&Opening<'_>) -> Result<T>,
}

impl<T> State<T> {
    /// For the check at start.
    #[must_use]
    pub fn required(self) -> Required {
        self.required
    }

    /// The value.
    ///
    /// # Errors
    /// See [`Opening::state`].
    pub fn get(self, opening: &Opening<'_>) -> Result<T> {
        (self.get)(opening)
    }
}

/// The state `T`.
#[must_use]
pub fn state<T: Clone + Send + Sync + 'static>() -> State<T> {
    State { required: Required::of::<T>(), get: |opening| opening.state() }
}

/// A message of `sends(..)`.
#[must_use]
pub fn sent<C, M: SentBy<C>>() -> Description {
    Description::of::<M>()
}

/// Mounts a consumer whose struct half calls this; the other half must be there too.
#[must_use]
pub fn mount<C: Construct + Dispatch>() -> Mount {
    Mount::of::<C>()
}

/// Asks for the struct half.
pub const fn has_struct_half<C: Construct>() {}

/// Handlers are looked up before they are called, so this is a fault of the caller.
#[must_use]
pub fn no_handler(index: usize) -> Error {
    Error::internal(format!("no handler has the index {index}"))
}
