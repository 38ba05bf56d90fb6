//! One run of a handler or a hook: measured, watched, and caught.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::metrics::{Kind, Meter};
use crate::panic::{Panic, poll_catching_panic};

/// Counts one run of the application's code, from its first poll to its end; being dropped is an end too.
#[derive(Debug)]
pub(crate) struct HandlerRun<'m> {
    meter: &'m Meter,
    kind: Kind,
    started: Option<Instant>,
}

impl<'m> HandlerRun<'m> {
    /// A run that has not begun.
    pub(crate) fn new(meter: &'m Meter, kind: Kind) -> Self {
        Self { meter, kind, started: None }
    }

    /// Polls once. After a panic the future must not be polled again, only dropped.
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
