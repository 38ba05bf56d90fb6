//! The part of a connection that its shard shares with its task: who it is, and whether it is to close.

use std::task::{Context, Poll, Waker};

use crate::error::CloseReason;
use crate::id::{ConnectionId, UserId};
use crate::message::Codec;
use crate::sync::{Mutex, lock};

/// Identity of a connection and the requests to close it.
#[derive(Debug)]
pub(crate) struct ConnectionHandle {
    id: ConnectionId,
    user: UserId,
    codec: Codec,
    close: Mutex<CloseState>,
}

/// A request to close a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Closing {
    /// Close at once with a close frame. A running handler is not waited for, and nothing it sends goes out.
    Frame(CloseReason),
    /// Close with a close frame after the running handler. Its messages still go out.
    AfterHandler(CloseReason),
    /// The node shuts down: start no more handlers, and send the close frame when the drain allows it.
    Drain,
    /// The socket is dead, so nothing can be sent.
    Lost,
}

/// An event that a connection's task receives even while a handler runs.
#[derive(Debug)]
pub(crate) enum Urgent {
    /// Drop the running handler.
    Cancel,
    /// Close for a reason other than the end of the node.
    Close(Closing),
}

/// Written by whoever closes the connection and by its shard, read by its task.
#[derive(Debug, Default)]
struct CloseState {
    request: Option<Closing>,
    /// The running handler is cancelled.
    cancelled: bool,
    /// The shard has written the whole outbox, or has given up on the socket.
    flushed: bool,
    /// The connection's task, while it waits.
    waker: Option<Waker>,
}

impl ConnectionHandle {
    pub(super) fn new(id: ConnectionId, user: UserId, codec: Codec) -> Self {
        Self { id, user, codec, close: Mutex::default() }
    }

    pub(crate) fn id(&self) -> ConnectionId {
        self.id
    }

    pub(crate) fn user_id(&self) -> &UserId {
        &self.user
    }

    pub(super) fn codec(&self) -> Codec {
        self.codec
    }

    /// Asks the connection's task to close. The first request wins unless a later one is more urgent.
    pub(crate) fn close(&self, closing: Closing) {
        let mut state = lock(&self.close);
        let more_urgent = match (&state.request, &closing) {
            (None, _) | (_, Closing::Lost) => true,
            (Some(request), Closing::AfterHandler(_)) => matches!(request, Closing::Drain),
            (Some(request), Closing::Frame(_)) => matches!(request, Closing::AfterHandler(_) | Closing::Drain),
            (Some(_), Closing::Drain) => false,
        };
        if more_urgent {
            state.request = Some(closing);
        }
        state.wake();
    }

    /// Asks the connection's task to cancel the running handler.
    pub(crate) fn cancel(&self) {
        let mut state = lock(&self.close);
        state.cancelled = true;
        state.wake();
    }

    /// Notifies the connection's task that the outbox has been written, or never will be.
    pub(super) fn set_flushed(&self) {
        let mut state = lock(&self.close);
        state.flushed = true;
        state.wake();
    }

    /// The request to close, if there is one.
    pub(super) fn close_request(&self) -> Option<Closing> {
        lock(&self.close).request.clone()
    }

    /// Waits for a request to close.
    pub(super) fn poll_close(&self, cx: &Context<'_>) -> Poll<Closing> {
        let mut state = lock(&self.close);
        match state.request.clone() {
            Some(closing) => Poll::Ready(closing),
            None => state.park(cx),
        }
    }

    /// Waits for an event that cannot wait for the running handler. The waker stays registered even if one is ready, so
    /// the task also receives later requests.
    pub(super) fn poll_urgent(&self, cx: &Context<'_>) -> Poll<Urgent> {
        let mut state = lock(&self.close);
        let _: Poll<()> = state.park(cx);
        match &state.request {
            _ if state.cancelled => Poll::Ready(Urgent::Cancel),
            None | Some(Closing::Drain) => Poll::Pending,
            Some(closing) => Poll::Ready(Urgent::Close(closing.clone())),
        }
    }

    /// Waits until the shard has written the whole outbox.
    pub(super) fn poll_flushed(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = lock(&self.close);
        if state.flushed { Poll::Ready(()) } else { state.park(cx) }
    }
}

impl CloseState {
    fn park<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        match &self.waker {
            Some(waker) if waker.will_wake(cx.waker()) => {}
            _ => self.waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}
