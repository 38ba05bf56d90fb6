//! What `#[consumer]` makes of a struct and its impl block, and what a handler is given.

mod context;
pub(crate) mod mount;
mod reply;
mod session;
pub(crate) mod upgrade_request;

pub use context::Context;
// What only generated code names is public through `__private` alone, but for what stands in an error of the compiler.
pub(crate) use mount::{MessageEntry, Mount, MountEntry};
pub use reply::{IntoReply, Reply, ReplyTarget};
pub(crate) use session::{PendingSession, Session};
pub use upgrade_request::{AsUserId, FromParam, ParseParam};
pub(crate) use upgrade_request::{RequiredState, UpgradeRequest};

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::error::{CloseReason, Error, Result};
use crate::id::UserId;
use crate::message::{Description, RawData};

/// A type that serves connections: the struct half and the impl half of `#[consumer]` together.
///
/// It is implemented for every type that has both halves.
pub trait Consumer: ConsumerStruct + ConsumerHandlers {}

impl<C: ConsumerStruct + ConsumerHandlers> Consumer for C {}

/// The struct half of a consumer; `#[consumer]` on the struct implements it.
#[diagnostic::on_unimplemented(
    message = "consumer `{Self}` has only its impl half",
    label = "the struct `{Self}` has no `#[consumer(path = \"/..\")]`",
    note = "put `#[consumer(path = \"/ws\")]` on `struct {Self}` too"
)]
pub trait ConsumerStruct: Sized + Send + 'static {
    /// The name of the struct.
    const NAME: &'static str;
    /// The route, in the form of axum: `/ws/{user_id}`.
    const PATH: &'static str;

    /// Mounts the consumer; its impl half must be there too.
    fn mount() -> Mount;

    /// The `#[state]` fields, checked at start.
    fn required() -> Vec<RequiredState>;

    /// The types of `sends(..)`.
    fn sends() -> Vec<Description>;

    /// Makes the consumer of one connection, before the upgrade.
    ///
    /// # Errors
    /// A path or query value that cannot be parsed: HTTP 400.
    fn construct(request: &UpgradeRequest<'_>) -> Result<Self>;

    /// The field marked `#[user]`.
    fn user(&self) -> Option<&UserId> {
        None
    }
}

/// The impl half of a consumer; `#[consumer]` on the impl block implements it.
#[diagnostic::on_unimplemented(
    message = "consumer `{Self}` has only its struct half",
    label = "no impl block of `{Self}` has `#[consumer]`",
    note = "put `#[consumer]` on `impl {Self}`, the block with the `#[on(..)]` methods"
)]
pub trait ConsumerHandlers: Sized + Send + 'static {
    /// The handlers, in the order of the source.
    const HANDLERS: &'static [Handler];

    /// The position in [`HANDLERS`](Self::HANDLERS) of the handler for a message type.
    fn find(message_type: &str) -> Option<usize>;

    /// Decodes the data for the handler at `index` and starts it.
    ///
    /// # Errors
    /// The data breaks the shape or a rule of the payload; the handler was not started.
    fn dispatch<'a>(&'a mut self, cx: &'a Context<Self>, index: usize, data: RawData<'_>) -> Result<HandlerFuture<'a>>;

    /// Starts `#[on(connect)]`.
    fn connect<'a>(&'a mut self, cx: &'a Context<Self>) -> Option<HandlerFuture<'a>> {
        let _ = cx;
        None
    }

    /// Starts `#[on(disconnect)]`.
    fn disconnect<'a>(&'a mut self, cx: &'a Context<Self>, reason: CloseReason) -> Option<HandlerFuture<'a>> {
        let _ = (cx, reason);
        None
    }
}

/// A handler that was started; its output is the encoded answer.
pub type HandlerFuture<'a> = Pin<Box<dyn Future<Output = Result<Reply, Error>> + Send + 'a>>;

/// What `#[on(..)]` says of a handler.
#[derive(Debug, Clone, Copy)]
pub struct Handler {
    /// The message type.
    pub message_type: &'static str,
    /// The name of the method.
    pub method: &'static str,
    /// How the rate limiter counts its messages.
    pub rate_limit: HandlerRateLimit,
    /// Its own deadline; `None`: `WS_HANDLER_TIMEOUT`.
    pub timeout: Option<Duration>,
    /// Whether being dropped at an await leaves the consumer as it should be.
    pub cancel_safe: bool,
    /// The payload; `None` for a handler without one.
    pub receives: Option<Description>,
    /// The message it returns.
    pub returns: Option<Description>,
}

impl Handler {
    /// Whether it asks for a limit that differs from that of the chain.
    pub(crate) fn is_limited(&self) -> bool {
        matches!(self.rate_limit, HandlerRateLimit::Own { .. } | HandlerRateLimit::Cost(_))
    }
}

/// How the rate limiter counts the messages of one handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandlerRateLimit {
    /// As the limiter in the chain says.
    Shared,
    /// Not among the others (`rate_limit = exempt`); there is a ceiling for all that are exempt.
    Exempt,
    /// As so many messages (`rate_limit = cost(5)`).
    Cost(u32),
    /// By a limit of its own (`rate_limit = "10/s"`).
    Own {
        /// How many messages.
        messages: u32,
        /// In what time.
        window: Duration,
    },
}
