//! Running the application's code for a connection, with a deadline, while its socket is read and requests to close are
//! carried out.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::read_ahead::ReadAhead;
use crate::consumer::{HandlerFuture, Reply};
use crate::error::{CloseCode, Error, Result};
use crate::manager::ConnectionManager;
use crate::panic::{Panic, catch_panic};
use crate::registry::{Closing, Connection, Urgent};
use crate::wire::close_frame;
use crate::worker::HandlerRun;

/// How a handler or a hook ended.
#[derive(Debug)]
pub(super) enum Completion {
    /// It returned or panicked.
    Finished(Result<Result<Reply>, Panic>),
    /// It reached its deadline and was dropped.
    TimedOut,
    /// The node is stopping and has no more time for it.
    Cancelled,
}

/// Runs `future` to its end or its deadline. `meanwhile` is polled along with it, and cancels it by returning ready.
pub(super) async fn run_handler(
    mut future: HandlerFuture<'_>,
    mut run: HandlerRun<'_>,
    timeout: Duration,
    mut meanwhile: impl FnMut(&mut Context<'_>) -> Poll<()>,
) -> Completion {
    let mut deadline = pin!(tokio::time::sleep(timeout));
    let completion = poll_fn(|cx| {
        if let Poll::Ready(output) = run.poll(future.as_mut(), cx) {
            return Poll::Ready(Completion::Finished(output));
        }
        if deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Completion::TimedOut);
        }
        meanwhile(cx).map(|()| Completion::Cancelled)
    })
    .await;
    // A destructor of the handler may panic too, so the future is dropped where a panic is caught.
    match catch_panic(async move { drop(future) }).await {
        Ok(()) => completion,
        Err(panicked) => Completion::Finished(Err(panicked)),
    }
}

/// Runs `hook`, either `#[on(connect)]` or `#[on(disconnect)]`, with the deadline `WS_HANDLER_TIMEOUT`.
///
/// # Errors
/// The hook's own error, or an error that closes the connection when the hook panics, times out or is cancelled.
pub(super) async fn run_hook(
    manager: &ConnectionManager,
    hook: &str,
    future: HandlerFuture<'_>,
    run: HandlerRun<'_>,
    meanwhile: impl FnMut(&mut Context<'_>) -> Poll<()>,
) -> Result<Reply> {
    match run_handler(future, run, manager.settings().ws_handler_timeout, meanwhile).await {
        Completion::Finished(Ok(output)) => output,
        Completion::Finished(Err(Panic(text))) => {
            Err(Error::internal(format!("`{hook}` panicked: {text}")).with_close(CloseCode::Error))
        }
        Completion::TimedOut => Err(Error::timeout(format!("`{hook}` took too long")).with_close(CloseCode::Error)),
        Completion::Cancelled => Err(manager.cancelled(hook)),
    }
}

/// Returns the work beside a handler: reading ahead, and closing at once when this is requested. It is ready when the
/// handler must be cancelled; a peer that vanishes cancels nothing.
pub(super) fn read_while_running<'c>(
    connection: &'c Connection,
    mut read_ahead: ReadAhead<'c>,
) -> impl FnMut(&mut Context<'_>) -> Poll<()> + 'c {
    move |cx| {
        match connection.poll_urgent(cx) {
            Poll::Ready(Urgent::Cancel) => return Poll::Ready(()),
            Poll::Ready(Urgent::Close(Closing::Frame(reason))) => {
                // Nothing more reaches the client; the handler still runs to its end. A repeated call has no effect.
                connection.shard().finish(connection.slot(), Some(close_frame(&reason)));
            }
            Poll::Ready(Urgent::Close(_)) | Poll::Pending => {}
        }
        read_ahead.poll(cx);
        Poll::Pending
    }
}
