//! What a connection needs to show fresh tokens: whom to ask, and how often it may.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedMutexGuard, watch};
use tokio::time::Instant;

use super::AnyAuthenticator;
use crate::sync::{Mutex, lock};

/// So many tokens may be shown in one [`WINDOW`].
const ATTEMPTS: u32 = 10;
const WINDOW: Duration = Duration::from_secs(60);

/// The renewal of one connection's identity.
pub(crate) struct Renewal {
    authenticator: Arc<dyn AnyAuthenticator>,
    /// When the window began, and how many attempts there were since.
    attempts: Mutex<(Instant, u32)>,
    /// Held while a token is looked at: one at a time.
    busy: Arc<tokio::sync::Mutex<()>>,
    /// Told of each change of the identity.
    renewed: watch::Sender<()>,
    /// Somebody watches over the identity's end.
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

    /// Begins an attempt, which lasts as long as the guard.
    ///
    /// # Errors
    /// How long to wait when there were too many, or one is under way.
    pub(crate) fn attempt(&self) -> Result<OwnedMutexGuard<()>, Duration> {
        let attempt = self.busy.clone().try_lock_owned().map_err(|_| Duration::from_secs(1))?;
        let mut attempts = lock(&self.attempts);
        let (since, count) = &mut *attempts;
        let now = Instant::now();
        if now >= *since + WINDOW {
            (*since, *count) = (now, 0);
        }
        if *count >= ATTEMPTS {
            return Err(*since + WINDOW - now);
        }
        *count += 1;
        Ok(attempt)
    }

    /// Waits until no attempt is under way.
    pub(crate) async fn settled(&self) {
        drop(self.busy.lock().await);
    }

    /// Says that the identity was changed.
    pub(crate) fn tell(&self) {
        self.renewed.send_replace(());
    }

    /// Hears of changes of the identity.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.renewed.subscribe()
    }

    /// True for the first who asks: that one watches over the identity's end.
    pub(crate) fn takes_watch(&self) -> bool {
        !self.watched.swap(true, Ordering::Relaxed)
    }
}
