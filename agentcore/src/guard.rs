//! A panic in a user's code ends that code, not the worker.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

/// A caught panic and what it said.
#[derive(Debug)]
pub(crate) struct Panicked(pub(crate) String);

/// Polls once. After a panic the future must not be polled again, only dropped.
pub(crate) fn poll_guarded<F: Future + ?Sized>(
    future: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Poll<Result<F::Output, Panicked>> {
    // What the future was changing is dropped with it: nobody sees it half done.
    match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(panic) => Poll::Ready(Err(Panicked(text(&*panic)))),
    }
}

/// Runs a future to its end or its panic.
pub(crate) async fn guard<F: Future>(future: F) -> Result<F::Output, Panicked> {
    let mut future = pin!(future);
    poll_fn(|cx| poll_guarded(future.as_mut(), cx)).await
}

/// Runs a function to its end or its panic.
pub(crate) fn guard_call<T>(call: impl FnOnce() -> T) -> Result<T, Panicked> {
    // As in `poll_guarded`: what a panic leaves half done is not used again.
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| Panicked(text(&*panic)))
}

fn text(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "a panic without a text".to_owned(),
    }
}
