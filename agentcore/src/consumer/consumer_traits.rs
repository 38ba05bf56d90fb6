//! The two traits that `#[consumer]` implements: one on the struct, one on the impl block.

use super::context::Context;
use super::handler::{Handler, HandlerFuture};
use super::mount::Mount;
use super::upgrade_request::{RequiredState, UpgradeRequest};
use crate::error::{CloseReason, Result};
use crate::id::UserId;
use crate::message::{Description, RawData};

/// The route, the fields and the sent messages of a consumer; `#[consumer]` on the struct implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no `#[consumer(path = \"..\")]` on its struct",
    label = "not a consumer",
    note = "a consumer has `#[consumer(path = \"/ws\")]` on `struct {Self}` and `#[consumer]` on its impl block"
)]
pub trait ConsumerStruct: Sized + Send + 'static {
    /// The name of the struct.
    const NAME: &'static str;
    /// The route, in axum's syntax: `/ws/{user_id}`.
    const PATH: &'static str;

    /// Describes the consumer to the server. The generated body requires [`ConsumerHandlers`].
    fn mount() -> Mount;

    /// Returns the types of the `#[state]` fields; the application checks them when it starts.
    fn required() -> Vec<RequiredState>;

    /// Returns the messages of `sends(..)`.
    fn sends() -> Vec<Description>;

    /// Builds the consumer of one connection, before the upgrade.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` when a path or query parameter is missing or cannot be parsed.
    fn construct(request: &UpgradeRequest<'_>) -> Result<Self>;

    /// Returns the value of the `#[user]` field.
    fn user(&self) -> Option<&UserId> {
        None
    }
}

/// The handlers of a consumer; `#[consumer]` on the impl block implements it.
#[diagnostic::on_unimplemented(
    message = "consumer `{Self}` has no `#[consumer]` on an impl block",
    label = "this consumer has no handlers",
    note = "put `#[consumer]` on `impl {Self}`, the block with the `#[on(..)]` methods"
)]
pub trait ConsumerHandlers: Sized + Send + 'static {
    /// The message handlers, in source order.
    const HANDLERS: &'static [Handler];

    /// Returns the index in [`HANDLERS`](Self::HANDLERS) of the handler for a message type.
    fn find(message_type: &str) -> Option<usize>;

    /// Decodes the data and starts the handler at `index`.
    ///
    /// # Errors
    /// The data do not have the shape of the payload or break one of its rules; the handler has not started.
    fn dispatch<'a>(&'a mut self, cx: &'a Context<Self>, index: usize, data: RawData<'_>) -> Result<HandlerFuture<'a>>;

    /// Starts the `#[on(connect)]` hook; `None` when there is none.
    fn connect<'a>(&'a mut self, cx: &'a Context<Self>) -> Option<HandlerFuture<'a>> {
        let _ = cx;
        None
    }

    /// Starts the `#[on(disconnect)]` hook; `None` when there is none.
    fn disconnect<'a>(&'a mut self, cx: &'a Context<Self>, reason: CloseReason) -> Option<HandlerFuture<'a>> {
        let _ = (cx, reason);
        None
    }
}
