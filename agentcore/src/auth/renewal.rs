//! Renewal of a connection's identity with fresh tokens, and its rate limit.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedMutexGuard, watch};
use tokio::time::Instant;

use super::AnyAuthenticator;
use crate::sync::{Mutex, lock};

/// The tokens that a client may send in one [`WINDOW`].
const MAX_ATTEMPTS: u32 = 10;
/// The window of the rate limit on tokens.
const WINDOW: Duration = Duration::from_secs(60);

/// Renews the identity of one connection.
pub(crate) struct Renewal {
    authenticator: Arc<dyn AnyAuthenticator>,
    /// The start of the window, and the attempts since then.
    attempts: Mutex<(Instant, u32)>,
    /// Held while a token is verified, so that tokens are verified one at a time.
    busy: Arc<tokio::sync::Mutex<()>>,
    /// Notified of each change of the identity.
    renewed: watch::Sender<()>,
    /// Whether a task watches the expiry of the identity.
    watched: AtomicBool,
}

impl fmt::Debug for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewal").field("attempts", &self.attempts).finish_non_exhaustive()
    }
}

impl Renewal {
    pub(crate) fn new(authenticator: Arc<dyn AnyAuthenticator>) -> Self {
        Self {
            authenticator,
            attempts: Mutex::new((Instant::now(), 0)),
            busy: Arc::default(),
            renewed: watch::Sender::new(()),
            watched: AtomicBool::new(false),
        }
    }

    pub(crate) fn authenticator(&self) -> &dyn AnyAuthenticator {
        &*self.authenticator
    }

    /// Starts an attempt, which lasts until the guard is dropped.
    ///
    /// # Errors
    /// The time to wait, if there were too many attempts or another one is in progress.
    pub(crate) fn attempt(&self) -> Result<OwnedMutexGuard<()>, Duration> {
        let attempt = self.busy.clone().try_lock_owned().map_err(|_| Duration::from_secs(1))?;
        let mut attempts = lock(&self.attempts);
        let (since, count) = &mut *attempts;
        let now = Instant::now();
        if now >= *since + WINDOW {
            (*since, *count) = (now, 0);
        }
        if *count >= MAX_ATTEMPTS {
            return Err(*since + WINDOW - now);
        }
        *count += 1;
        Ok(attempt)
    }

    /// Waits until no attempt is in progress.
    pub(crate) async fn settled(&self) {
        drop(self.busy.lock().await);
    }

    /// Notifies the receivers of [`changes`](Self::changes) that the identity has changed.
    pub(crate) fn notify(&self) {
        self.renewed.send_replace(());
    }

    /// Returns a receiver of changes of the identity.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.renewed.subscribe()
    }

    /// Returns true for the first caller only, which then watches the expiry of the identity.
    pub(crate) fn claim_watch(&self) -> bool {
        !self.watched.swap(true, Ordering::Relaxed)
    }
}
