//! `to.send(&message).await`: the address, and the future that sends.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use serde::Serialize;

use super::ConnectionManager;
use super::route::Routed;
use crate::backend::Async;
use crate::error::{Error, Result};
use crate::id::{ConnectionId, UserId};
use crate::message::{EncodedMessage, Except, Message, OutboundMessage, Overflow, Recipient, external};
use crate::registry::{Command, Connection};
use crate::wire::Frame;

/// A message that a consumer may send: one of its `sends(..)`.
#[diagnostic::on_unimplemented(
    message = "consumer `{C}` does not send `{Self}`",
    label = "not in the `sends(..)` of `{C}`",
    note = "add it: `#[consumer(path = \"..\", sends({Self}))]`"
)]
pub trait SentBy<C>: Message {}

/// Stands for "whoever": the manager sends any message.
#[derive(Debug)]
pub enum AnyConsumer {}

impl<M: Message> SentBy<AnyConsumer> for M {}

/// An address: a connection, a user, a group or everyone, less those who are excepted.
///
/// Sending to an empty group or to a user who is offline succeeds.
#[must_use = "an address does nothing until `.send(..)` is called and awaited"]
pub struct To<'a, C> {
    manager: &'a ConnectionManager,
    to: Result<Recipient>,
    except: Except,
    /// Whose `except_self` it is.
    this: Option<ConnectionId>,
    consumer: PhantomData<fn() -> C>,
}

impl<C> fmt::Debug for To<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("To").field("to", &self.to).field("except", &self.except).finish_non_exhaustive()
    }
}

impl<'a, C> To<'a, C> {
    pub(crate) fn new(manager: &'a ConnectionManager, to: Result<Recipient>, this: Option<ConnectionId>) -> Self {
        Self { manager, to, except: Except::default(), this, consumer: PhantomData }
    }

    /// Not to this connection; from a manager, which is no connection, it changes nothing.
    pub fn except_self(mut self) -> Self {
        self.except.connection = self.this;
        self
    }

    /// Not to any connection of `user`. A name that is none is reported by `send`.
    pub fn except_user<U: TryInto<UserId, Error: Into<Error>>>(mut self, user: U) -> Self {
        match user.try_into() {
            Ok(user) => self.except.users.push(user),
            Err(error) => self.to = self.to.and_then(|_| Err(error.into())),
        }
        self
    }

    /// Sends a message. It is encoded now; the future hands it to everyone on this node and on to the others.
    ///
    /// # Errors
    /// A name that is none, a message that cannot be encoded, or `BACKEND_UNAVAILABLE`: then nobody has it, so a retry
    /// cannot duplicate it.
    ///
    /// # Cancel safety
    /// Dropped before its end, the message may have reached some, none, or all.
    pub fn send<M: SentBy<C>>(self, message: &M) -> Sending {
        let manager = self.manager.clone();
        match self.message(message) {
            Ok(message) => Sending(SendState::OutboundMessage(manager, message)),
            Err(error) => Sending(SendState::Failed(error)),
        }
    }

    /// Sends a message and tells how many connections took it, over all nodes: those whose outbox has it now. What the
    /// other nodes and the workers of this one answer is waited for no longer than `within`; a worker that is held by a
    /// handler delivers later.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    /// Dropped before its end, the message may have reached some, none, or all.
    pub fn send_confirmed<M: SentBy<C>>(
        self,
        message: &M,
        within: Duration,
    ) -> impl Future<Output = Result<Confirmed>> + Send + use<C, M> {
        let manager = self.manager.clone();
        let message = self.message(message);
        async move { manager.confirm(message?, within).await }
    }

    fn message<M: SentBy<C>>(self, message: &M) -> Result<OutboundMessage> {
        let to = self.to?;
        Ok(OutboundMessage::new(to, self.except, EncodedMessage::of(message)?))
    }
}

impl To<'_, AnyConsumer> {
    /// Sends a message whose type is known only at run time, such as one that another program hands over. A message that is
    /// a type of the program is sent with [`send`](Self::send): then the compiler checks what is checked here.
    ///
    /// ```
    /// # use agentcore::prelude::*;
    /// # async fn publish(manager: &ConnectionManager, kind: String) -> Result<()> {
    /// manager.group("lobby").send_raw(&kind, &serde_json::json!({ "text": "The bar is open" })).await
    /// # }
    /// ```
    ///
    /// # Errors
    /// `VALIDATION_FAILED` for the field `type`, when it is no message type (`[a-z][a-z0-9_.]{0,63}`) or one of the
    /// protocol's own (`ping`, `pong`, `reply`, `error`, `agentcore.*`), or for `data`, when they are no object or the message
    /// is longer than one of a client may be (`WS_MAX_MESSAGE_SIZE`). Else as [`send`](Self::send).
    ///
    /// # Cancel safety
    /// Dropped before its end, the message may have reached some, none, or all.
    pub fn send_raw<D: Serialize + ?Sized>(self, message_type: &str, data: &D) -> Sending {
        let envelope = external::write(message_type, data, self.manager.settings().ws_max_message_size);
        let message = self
            .to
            .and_then(|to| Ok(OutboundMessage::from_envelope(to, self.except, Overflow::Disconnect, &envelope?)));
        Sending(match message {
            Ok(message) => SendState::OutboundMessage(self.manager.clone(), message),
            Err(error) => SendState::Failed(error),
        })
    }
}

/// What became of a message whose sender wanted to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmed {
    /// How many connections took it: 0 when the user is offline or the group empty.
    pub delivered: usize,
    /// Whether every node and worker answered in time; otherwise there may be more.
    pub complete: bool,
}

/// The future of a send.
#[must_use = "nothing is sent until this is awaited"]
pub struct Sending(SendState);

enum SendState {
    Failed(Error),
    /// To one connection of this node.
    Direct(Arc<Connection>, Frame, Overflow),
    OutboundMessage(ConnectionManager, OutboundMessage),
    Waiting(Async<'static, Result<()>>),
    Done,
}

impl Sending {
    /// To a connection of this node: a frame in its codec.
    pub(crate) fn direct(connection: &Arc<Connection>, frame: Result<Frame>, overflow: Overflow) -> Self {
        Self(match frame {
            Ok(frame) => SendState::Direct(connection.clone(), frame, overflow),
            Err(error) => SendState::Failed(error),
        })
    }
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sending")
    }
}

impl Future for Sending {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        // A handler that sends in a loop gives way to the others of its worker, the writer among them.
        let coop = ready!(tokio::task::coop::poll_proceed(cx));
        let result = match std::mem::replace(&mut self.0, SendState::Done) {
            SendState::Failed(error) => Poll::Ready(Err(error)),
            SendState::Direct(connection, frame, overflow) => {
                let command = Command::SendFrame(connection.slot(), frame.into_bytes(), overflow);
                match connection.shard().try_submit(command) {
                    Ok(()) => Poll::Ready(Ok(())),
                    Err(command) => self.wait(
                        cx,
                        Box::pin(async move {
                            connection.shard().submit(command).await;
                            Ok(())
                        }),
                    ),
                }
            }
            SendState::OutboundMessage(manager, message) => match manager.route(&message) {
                Routed::Done(result) => Poll::Ready(result),
                Routed::Wait(waiting) => self.wait(cx, waiting),
            },
            SendState::Waiting(waiting) => self.wait(cx, waiting),
            SendState::Done => Poll::Ready(Ok(())),
        };
        if result.is_ready() {
            coop.made_progress();
        }
        result
    }
}

impl Sending {
    fn wait(&mut self, cx: &mut Context<'_>, mut waiting: Async<'static, Result<()>>) -> Poll<Result<()>> {
        let result = waiting.as_mut().poll(cx);
        if result.is_pending() {
            self.0 = SendState::Waiting(waiting);
        }
        result
    }
}
