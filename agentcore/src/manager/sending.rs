//! The future of a send.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::inner::ConnectionManager;
use super::route::Routed;
use crate::backend::Async;
use crate::error::{Error, Result};
use crate::message::{OutboundMessage, Overflow};
use crate::registry::{Command, Connection};
use crate::wire::Frame;

/// Future of [`To::send`](super::To::send) and of replies. It sends when it is polled for the first time.
#[must_use = "nothing is sent until this is awaited"]
pub struct Sending(SendState);

enum SendState {
    Failed(Error),
    /// A frame for one connection of this node.
    Frame(Arc<Connection>, Frame, Overflow),
    Message(ConnectionManager, OutboundMessage),
    /// A queue is full.
    Waiting(Async<'static, Result<()>>),
    Done,
}

impl Sending {
    /// Sends a message through the manager.
    pub(super) fn message(manager: ConnectionManager, message: Result<OutboundMessage>) -> Self {
        Self(match message {
            Ok(message) => SendState::Message(manager, message),
            Err(error) => SendState::Failed(error),
        })
    }

    /// Sends a frame, in the connection's codec, to a connection of this node.
    pub(crate) fn direct(connection: &Arc<Connection>, frame: Result<Frame>, overflow: Overflow) -> Self {
        Self(match frame {
            Ok(frame) => SendState::Frame(connection.clone(), frame, overflow),
            Err(error) => SendState::Failed(error),
        })
    }

    fn wait(&mut self, cx: &mut Context<'_>, mut waiting: Async<'static, Result<()>>) -> Poll<Result<()>> {
        let result = waiting.as_mut().poll(cx);
        if result.is_pending() {
            self.0 = SendState::Waiting(waiting);
        }
        result
    }
}

impl Future for Sending {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        // A handler that sends in a loop yields to the other tasks of its worker, including the shard that writes.
        let coop = ready!(tokio::task::coop::poll_proceed(cx));
        let result = match std::mem::replace(&mut self.0, SendState::Done) {
            SendState::Failed(error) => Poll::Ready(Err(error)),
            SendState::Frame(connection, frame, overflow) => {
                let command = Command::SendFrame(connection.slot(), frame.into_bytes(), overflow);
                match connection.shard().try_submit(command) {
                    Ok(()) => Poll::Ready(Ok(())),
                    Err(command) => {
                        let waiting = async move {
                            connection.shard().submit(command).await;
                            Ok(())
                        };
                        self.wait(cx, Box::pin(waiting))
                    }
                }
            }
            SendState::Message(manager, message) => match manager.route(&message) {
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

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sending")
    }
}
