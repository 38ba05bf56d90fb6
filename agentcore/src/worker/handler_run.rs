//! One run of a handler or a hook: its time is measured, the watchdog sees it, and its panic is caught.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::metrics::{Meter, Metered};
use crate::panic::{Panic, poll_catching_panic};

/// Measures one run of the application's code, from its first poll until it finishes or this is dropped.
#[derive(Debug)]
pub(crate) struct HandlerRun<'m> {
    meter: &'m Meter,
    kind: Metered,
    started: Option<Instant>,
}

impl<'m> HandlerRun<'m> {
    /// Creates a run that has not begun.
    pub(crate) fn new(meter: &'m Meter, kind: Metered) -> Self {
        Self { meter, kind, started: None }
    }

    /// Polls `future` once. After a panic it must not be polled again, only dropped.
    pub(crate) fn poll<F: Future + ?Sized>(
        &mut self,
        future: Pin<&mut F>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<F::Output, Panic>> {
        let begun = Instant::now();
        let started = *self.started.get_or_insert(begun);
        self.meter.enter(self.kind);
        let polled = poll_catching_panic(future, cx);
        let now = Instant::now();
        self.meter.leave(self.kind, now.duration_since(begun));
        if polled.is_ready() {
            self.started = None;
            self.meter.handled(self.kind, now.duration_since(started));
        }
        polled
    }
}

impl Drop for HandlerRun<'_> {
    fn drop(&mut self) {
        if let Some(started) = self.started {
            self.meter.handled(self.kind, started.elapsed());
        }
    }
}
