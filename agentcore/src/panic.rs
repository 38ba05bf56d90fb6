//! Catches panics of application code, so they end that code and not the worker. The callers decide what ends with it,
//! such as the connection of a handler (`server/session/in_flight.rs`).

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

/// The message of a caught panic.
#[derive(Debug)]
pub(crate) struct Panic(pub(crate) String);

/// Polls once. After a panic the future must not be polled again, only dropped.
pub(crate) fn poll_catching_panic<F: Future + ?Sized>(
    future: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Poll<Result<F::Output, Panic>> {
    // The future is not used again after a panic, so a value that it left inconsistent cannot be observed.
    match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(panic) => Poll::Ready(Err(Panic(text(&*panic)))),
    }
}

/// Runs a future until it completes or panics.
pub(crate) async fn catch_panic<F: Future>(future: F) -> Result<F::Output, Panic> {
    let mut future = pin!(future);
    poll_fn(|cx| poll_catching_panic(future.as_mut(), cx)).await
}

/// Runs a function until it returns or panics.
pub(crate) fn catch_panic_sync<T>(call: impl FnOnce() -> T) -> Result<T, Panic> {
    // As in `poll_catching_panic`, what the function changed is not used again after a panic.
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| Panic(text(&*panic)))
}

/// Writes a line of the log in code that must go on: the subscriber may be the application's, and may panic.
pub(crate) fn log_anyway(line: impl FnOnce()) {
    let _ = catch_panic_sync(line);
}

fn text(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "a panic without a message".to_owned(),
    }
}
