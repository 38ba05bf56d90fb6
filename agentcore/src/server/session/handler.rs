//! Running the application's code for a connection, and attending to the connection meanwhile.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::read_ahead::Reading;
use crate::consumer::{HandlerFuture, Reply};
use crate::error::{CloseCode, Error, Result};
use crate::manager::ConnectionManager;
use crate::panic::{Panic, catch_panic};
use crate::registry::{Closing, Connection, Urgent};
use crate::wire::close_frame;
use crate::worker::HandlerRun;

/// How a handler or a hook came to its end.
#[derive(Debug)]
pub(super) enum Completion {
    /// By itself, or by a panic.
    Finished(Result<Result<Reply>, Panic>),
    /// At its deadline.
    TimedOut,
    /// The node has no more time for it.
    Cancelled,
}

/// Runs `future` to its end or its deadline; `meanwhile` is polled along with it, and cancels it when it is ready.
pub(super) async fn attend(
    mut future: HandlerFuture<'_>,
    mut handling: HandlerRun<'_>,
    timeout: Duration,
    mut meanwhile: impl FnMut(&mut Context<'_>) -> Poll<()>,
) -> Completion {
    let mut deadline = pin!(tokio::time::sleep(timeout));
    let attended = poll_fn(|cx| {
        if let Poll::Ready(output) = handling.poll(future.as_mut(), cx) {
            return Poll::Ready(Completion::Finished(output));
        }
        if deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Completion::TimedOut);
        }
        meanwhile(cx).map(|()| Completion::Cancelled)
    })
    .await;
    // Dropped here, where a panic is caught: one in a destructor is the handler's too.
    match catch_panic(async move { drop(future) }).await {
        Ok(()) => attended,
        Err(panicked) => Completion::Finished(Err(panicked)),
    }
}

/// What goes on beside a handler: the socket is read, and who is to be gone is told at once. Ready when the handler is to
/// be cancelled; a peer that vanishes cancels nothing.
pub(super) fn beside<'c>(
    connection: &'c Connection,
    mut reading: Reading<'c>,
) -> impl FnMut(&mut Context<'_>) -> Poll<()> + 'c {
    move |cx| {
        match connection.poll_urgent(cx) {
            Poll::Ready(Urgent::Cancel) => return Poll::Ready(()),
            Poll::Ready(Urgent::Close(Closing::Frame(reason))) => {
                // Nothing more reaches the client; the handler goes on to its end. A second call changes nothing.
                connection.shard().finish(connection.slot(), Some(close_frame(&reason)));
            }
            Poll::Ready(Urgent::Close(_)) | Poll::Pending => {}
        }
        reading.poll(cx);
        Poll::Pending
    }
}

/// Runs `#[on(connect)]` or `#[on(disconnect)]`.
pub(super) async fn hook(
    manager: &ConnectionManager,
    future: HandlerFuture<'_>,
    handling: HandlerRun<'_>,
    meanwhile: impl FnMut(&mut Context<'_>) -> Poll<()>,
) -> Result<Reply> {
    match attend(future, handling, manager.settings().ws_handler_timeout, meanwhile).await {
        Completion::Finished(Ok(output)) => output,
        Completion::Finished(Err(Panic(text))) => {
            Err(Error::internal(format!("a connection's hook panicked: {text}")).with_close(CloseCode::Error))
        }
        Completion::TimedOut => Err(Error::timeout("a connection's hook took too long").with_close(CloseCode::Error)),
        Completion::Cancelled => Err(manager.cancelled("a connection's hook")),
    }
}
