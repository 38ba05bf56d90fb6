//! The bodies of an HTTP connection: a request's has a deadline, a response's reports its end.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::progress::Progress;

/// Why the rest of a request's body is not awaited any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// The client took too long to send it.
    TooSlow,
    /// The node stops.
    Stopping,
}

/// Tells the service of a request how its body ended.
#[derive(Debug, Clone, Default)]
pub(super) struct BodyEnd(Arc<AtomicU8>);

impl BodyEnd {
    /// Returns why the body was cut; `None` when it was not.
    pub(super) fn cut(&self) -> Option<Cut> {
        match self.0.load(Ordering::Relaxed) {
            1 => Some(Cut::TooSlow),
            2 => Some(Cut::Stopping),
            _ => None,
        }
    }

    fn set(&self, cut: Cut) {
        self.0.store(if cut == Cut::TooSlow { 1 } else { 2 }, Ordering::Relaxed);
    }
}

/// The error of a body that is cut.
#[derive(Debug, thiserror::Error)]
#[error("the rest of the body did not arrive in time")]
struct CutError;

/// The body of a request, which is cut at a deadline, and when the node stops.
pub(super) struct RequestBody {
    inner: Incoming,
    /// Armed while a part of the body is missing.
    deadline: Pin<Box<Sleep>>,
    stopping: Pin<Box<WaitForCancellationFutureOwned>>,
    end: BodyEnd,
}

impl RequestBody {
    /// Wraps a body that has not ended.
    pub(super) fn new(inner: Incoming, limit: Duration, stopping: CancellationToken, end: BodyEnd) -> Self {
        Self { inner, deadline: Box::pin(sleep(limit)), stopping: Box::pin(stopping.cancelled_owned()), end }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(axum::Error::new)));
        }
        let cut = match (self.stopping.as_mut().poll(cx), self.deadline.as_mut().poll(cx)) {
            (Poll::Ready(()), _) => Cut::Stopping,
            (_, Poll::Ready(())) => Cut::TooSlow,
            _ => return Poll::Pending,
        };
        self.end.set(cut);
        Poll::Ready(Some(Err(axum::Error::new(CutError))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The body of a response, which reports when hyper has all of it.
pub(super) struct ResponseBody {
    inner: Body,
    progress: Arc<Progress>,
}

impl ResponseBody {
    pub(super) fn new(inner: Body, progress: Arc<Progress>) -> Self {
        Self { inner, progress }
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        self.progress.responded();
    }
}
