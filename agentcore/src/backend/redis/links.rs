//! The link for commands: opened, watched by PING, opened again; and how soon any link is.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

use super::driver::{Commands, Driver};
use super::figures::Figures;
use crate::error::{Error, Result};
use crate::log_throttle::LogThrottle;

/// How often a link is asked whether it still lives; with the second that an answer may take, a dead one is noticed
/// within three.
pub(super) const PING_EVERY: Duration = Duration::from_millis(1_500);
/// Between two tries to open a link, at first and at last.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));
/// A link that lived for less than this is not followed by another at once, but after pauses that grow: a server may take
/// every link, and then refuse what it is for.
const SHORTLY: Duration = Duration::from_secs(5);
/// Those pauses, at first and at last.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// What goes on for the same reason is told again after this.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// The current link, for all who use it.
#[derive(Debug)]
pub(super) struct Link {
    current: watch::Sender<Option<Arc<dyn Commands>>>,
    suspected: Notify,
}

impl std::fmt::Debug for dyn Commands {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Commands")
    }
}

impl Link {
    pub(super) fn new(first: Arc<dyn Commands>) -> Self {
        Self { current: watch::Sender::new(Some(first)), suspected: Notify::new() }
    }

    /// The link, while there is one.
    pub(super) fn get(&self) -> Option<Arc<dyn Commands>> {
        self.current.borrow().clone()
    }

    /// As [`get`](Self::get), with the error for who needs one.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE`.
    pub(super) fn get_or_fail(&self) -> Result<Arc<dyn Commands>> {
        self.get().ok_or_else(|| Error::backend("Redis does not answer").with_retry_after(Duration::from_secs(1)))
    }

    /// Sees each change.
    pub(super) fn watch(&self) -> watch::Receiver<Option<Arc<dyn Commands>>> {
        self.current.subscribe()
    }

    /// Something failed on the link: it is looked at now.
    pub(super) fn suspect(&self) {
        self.suspected.notify_one();
    }

    /// Watches the link, and opens another when it is dead.
    pub(super) async fn run(self: Arc<Self>, driver: Arc<dyn Driver>, figures: Arc<Figures>) {
        let mut reopening = Reopening::new("Redis cannot be reached");
        loop {
            let since = Instant::now();
            while let Some(commands) = self.get() {
                let _ = timeout(PING_EVERY, self.suspected.notified()).await;
                if let Err(error) = commands.ping().await {
                    figures.link_lost();
                    if reopening.may_tell_lost(since, &error) {
                        tracing::warn!("the link to Redis is lost; messages reach this node only: {error:?}");
                    }
                    self.current.send_replace(None);
                }
            }
            reopening.rest(since).await;
            // One that answers: a Redis that still reads its file takes links, and refuses every command.
            let commands = reopening
                .open(|| async {
                    let commands = driver.commands().await?;
                    commands.ping().await?;
                    Ok(commands)
                })
                .await;
            if reopening.may_tell_back() {
                tracing::info!("the link to Redis is back");
            }
            self.current.send_replace(Some(commands));
        }
    }
}

/// How one of the links is opened again and again: how soon, and what the log hears of it.
#[derive(Debug)]
pub(super) struct Reopening {
    /// What the log says when there is no link to be had.
    failed: &'static str,
    /// After a link that lived shortly.
    pause: Duration,
    /// Log lines about lost links and about links that cannot be opened, by reason.
    lost: LogThrottle<String>,
    unreachable: LogThrottle<String>,
    /// The log has heard of a failure, and not yet of its end.
    is_owed: bool,
}

impl Reopening {
    pub(super) fn new(failed: &'static str) -> Self {
        // Started again after a panic, the task has not told what was lost; the supervisor has.
        Self {
            failed,
            pause: PAUSE.0,
            lost: LogThrottle::keyed(TELL_EVERY, 1),
            unreachable: LogThrottle::keyed(TELL_EVERY, 1),
            is_owed: true,
        }
    }

    /// Whether the loss of a link that there was `since` then is told: always of one that lived for long, otherwise when
    /// the reason is another one, and once a minute.
    pub(super) fn may_tell_lost(&mut self, since: Instant, reason: &Error) -> bool {
        if since.elapsed() >= SHORTLY {
            self.lost.reset();
            self.unreachable.reset();
        }
        let may = self.lost.permit_key(&*format!("{reason:?}")).is_some();
        self.is_owed |= may;
        may
    }

    /// Whether it is told that there is a link again: once after each failure that was.
    pub(super) fn may_tell_back(&mut self) -> bool {
        std::mem::take(&mut self.is_owed)
    }

    /// Waits before another link is opened than the one that there was `since` then; not at all when it lived for long.
    pub(super) async fn rest(&mut self, since: Instant) {
        if since.elapsed() >= SHORTLY {
            self.pause = PAUSE.0;
            return;
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSE.1);
    }

    /// Tries until it succeeds: quickly, as whoever waits for it hears nothing of the others.
    pub(super) async fn open<T, F: Future<Output = Result<T>>>(&mut self, mut connect: impl FnMut() -> F) -> T {
        let mut pause = RETRY.0;
        loop {
            match connect().await {
                Ok(link) => return link,
                Err(error) => {
                    if self.unreachable.permit_key(&*format!("{error:?}")).is_some() {
                        self.is_owed = true;
                        tracing::warn!("{}: {error:?}", self.failed);
                    }
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(RETRY.1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_link_that_lives_shortly_is_followed_after_longer_and_longer_pauses() {
        let mut reopening = Reopening::new("it fails");
        let mut paused = async |lived| {
            let since = Instant::now();
            sleep(lived).await;
            reopening.rest(since).await;
            (since.elapsed() - lived).as_millis()
        };
        for pause in [50, 100, 200, 400, 800, 1_000, 1_000] {
            assert_eq!(paused(Duration::from_millis(10)).await, pause);
        }
        assert_eq!(paused(SHORTLY).await, 0, "it lived for long");
        assert_eq!(paused(SHORTLY / 2).await, 50);
    }
}
