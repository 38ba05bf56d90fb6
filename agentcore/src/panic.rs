//! A panic in a user's code ends that code, not the worker.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

/// A caught panic and what it said.
#[derive(Debug)]
pub(crate) struct Panic(pub(crate) String);

/// Polls once. After a panic the future must not be polled again, only dropped.
pub(crate) fn poll_catching_panic<F: Future + ?Sized>(
    future: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Poll<Result<F::Output, Panic>> {
    // What the future was changing is dropped with it: nobody sees it half done.
    match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(panic) => Poll::Ready(Err(Panic(text(&*panic)))),
    }
}

/// Runs a future to its end or its panic.
pub(crate) async fn catch_panic<F: Future>(future: F) -> Result<F::Output, Panic> {
    let mut future = pin!(future);
    poll_fn(|cx| poll_catching_panic(future.as_mut(), cx)).await
}

/// Runs a function to its end or its panic.
pub(crate) fn catch_panic_sync<T>(call: impl FnOnce() -> T) -> Result<T, Panic> {
    // As in `poll_catching_panic`: what a panic leaves half done is not used again.
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| Panic(text(&*panic)))
}

fn text(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "a panic without a text".to_owned(),
    }
}
