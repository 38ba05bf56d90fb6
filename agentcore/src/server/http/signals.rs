//! The signals that stop the process.

use std::future::pending;
use std::io;
use std::pin::pin;
use std::process;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::sleep;
use tracing::Dispatch;

/// Time beyond `SHUTDOWN_TIMEOUT` after which the process is ended, because its shutdown stands.
const OVERRUN: Duration = Duration::from_secs(1);
/// Time that the process has to end by itself after a second signal.
const GRACE: Duration = Duration::from_secs(1);

/// The signals to stop: Ctrl-C, and SIGTERM on Unix.
///
/// A thread of its own receives them, so they end the process even if a handler blocks every other thread.
#[derive(Debug)]
pub(in crate::server) struct ShutdownSignals {
    first: oneshot::Receiver<()>,
    second: oneshot::Receiver<()>,
    /// Dropped when the application is no longer served.
    _served: oneshot::Sender<()>,
}

impl ShutdownSignals {
    /// Starts to listen. After the first signal, the application is expected to end within `timeout`; after the second,
    /// the process ends in any case.
    ///
    /// # Errors
    /// The operating system cannot create a thread or its runtime.
    pub(in crate::server) fn listen(timeout: Duration) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let signals = {
            let _context = runtime.enter();
            Signals::listen()
        };
        let (on_first, first) = oneshot::channel();
        let (on_second, second) = oneshot::channel();
        let (served, no_longer_served) = oneshot::channel();
        // The thread logs to the subscriber of the caller, which may not be the global one.
        let log = tracing::dispatcher::get_default(Clone::clone);
        thread::Builder::new().name("agentcore-stop".to_owned()).spawn(move || {
            runtime.block_on(stop(signals, on_first, on_second, no_longer_served, timeout, log));
        })?;
        Ok(Self { first, second, _served: served })
    }

    /// Splits this into two futures, one for each signal, and a guard. Drop the guard when the application is no longer
    /// served.
    pub(in crate::server) fn split(self) -> (impl Future<Output = ()>, impl Future<Output = ()>, impl Sized) {
        (received(self.first), received(self.second), self._served)
    }
}

async fn received(signal: oneshot::Receiver<()>) {
    if signal.await.is_err() {
        pending::<()>().await;
    }
}

/// Reports both signals, and then ends the process if it has not ended by itself.
async fn stop(
    mut signals: Signals,
    on_first: oneshot::Sender<()>,
    on_second: oneshot::Sender<()>,
    no_longer_served: oneshot::Receiver<()>,
    timeout: Duration,
    log: Dispatch,
) {
    let mut no_longer_served = pin!(no_longer_served);
    tokio::select! {
        () = signals.next() => {}
        _ = no_longer_served.as_mut() => return,
    }
    let _ = on_first.send(());
    let overrun = async {
        tokio::select! {
            () = sleep(timeout.saturating_add(OVERRUN)) => {}
            // What the program does after that may take any time, unless a second signal arrives.
            _ = no_longer_served => pending().await,
        }
    };
    tokio::select! {
        () = signals.next() => {
            let _ = on_second.send(());
            explain(log, "second signal: the node ends at once and drops its remaining connections");
        }
        () = overrun => explain(log, "the node has not ended within SHUTDOWN_TIMEOUT; the process ends without it"),
    }
    sleep(GRACE).await;
    process::exit(0);
}

/// Logs on another thread, because the log of the application may stand too.
fn explain(log: Dispatch, text: &'static str) {
    let explain = move || tracing::dispatcher::with_default(&log, || tracing::warn!("{text}"));
    let _ = thread::Builder::new().name("agentcore-stop".to_owned()).spawn(explain);
}

struct Signals {
    #[cfg(unix)]
    terminate: Option<tokio::signal::unix::Signal>,
    #[cfg(unix)]
    interrupt: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    /// Starts to listen, so that no signal between two calls of [`next`](Self::next) is missed.
    fn listen() -> Self {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            Self { terminate: signal(SignalKind::terminate()).ok(), interrupt: signal(SignalKind::interrupt()).ok() }
        }
        #[cfg(not(unix))]
        Self {}
    }

    /// Waits for the next signal.
    #[cfg(unix)]
    async fn next(&mut self) {
        tokio::select! {
            () = next_of(&mut self.terminate) => {}
            () = next_of(&mut self.interrupt) => {}
        }
    }

    /// Waits for the next signal.
    #[cfg(not(unix))]
    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            pending::<()>().await;
        }
    }
}

#[cfg(unix)]
async fn next_of(signal: &mut Option<tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => pending().await,
    }
}
