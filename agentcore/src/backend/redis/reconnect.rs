//! How soon a link is opened again, and what the log hears of it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::error::{Error, Result};
use crate::log_throttle::LogThrottle;

/// Between two tries to open a link, at first and at last.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));
/// A link that lived for less than this is not followed by another at once, but after pauses that grow: a server may take
/// every link, and then refuse what it is for.
const SHORTLY: Duration = Duration::from_secs(5);
/// Those pauses, at first and at last.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// What goes on for the same reason is told again after this.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// How one of the links is opened again and again: how soon, and what the log hears of it.
#[derive(Debug)]
pub(super) struct Reconnect {
    /// What the log says when there is no link to be had.
    failed: &'static str,
    /// After a link that lived shortly.
    pause: Duration,
    /// Log lines about lost links and about links that cannot be opened, by reason.
    lost: LogThrottle<String>,
    unreachable: LogThrottle<String>,
    /// The log has heard of a failure, and not yet of its end.
    recovery_pending: bool,
}

impl Reconnect {
    pub(super) fn new(failed: &'static str) -> Self {
        // RedisNode again after a panic, the task has not told what was lost; the supervisor has.
        Self {
            failed,
            pause: PAUSE.0,
            lost: LogThrottle::keyed(TELL_EVERY, 1),
            unreachable: LogThrottle::keyed(TELL_EVERY, 1),
            recovery_pending: true,
        }
    }

    /// Whether the loss of a link that there was `since` then is told: always of one that lived for long, otherwise when
    /// the reason is another one, and once a minute.
    pub(super) fn should_log_loss(&mut self, since: Instant, reason: &Error) -> bool {
        if since.elapsed() >= SHORTLY {
            self.lost.reset();
            self.unreachable.reset();
        }
        let may = self.lost.permit_key(&*format!("{reason:?}")).is_some();
        self.recovery_pending |= may;
        may
    }

    /// Whether it is told that there is a link again: once after each failure that was.
    pub(super) fn should_log_recovery(&mut self) -> bool {
        std::mem::take(&mut self.recovery_pending)
    }

    /// Waits before another link is opened than the one that there was `since` then; not at all when it lived for long.
    pub(super) async fn back_off(&mut self, since: Instant) {
        if since.elapsed() >= SHORTLY {
            self.pause = PAUSE.0;
            return;
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSE.1);
    }

    /// Tries until it succeeds: quickly, as whoever waits for it hears nothing of the others.
    pub(super) async fn connect<T, F: Future<Output = Result<T>>>(&mut self, mut open: impl FnMut() -> F) -> T {
        let mut pause = RETRY.0;
        loop {
            match open().await {
                Ok(link) => return link,
                Err(error) => {
                    if self.unreachable.permit_key(&*format!("{error:?}")).is_some() {
                        self.recovery_pending = true;
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
        let mut reconnect = Reconnect::new("it fails");
        let mut paused = async |lived| {
            let since = Instant::now();
            sleep(lived).await;
            reconnect.back_off(since).await;
            (since.elapsed() - lived).as_millis()
        };
        for pause in [50, 100, 200, 400, 800, 1_000, 1_000] {
            assert_eq!(paused(Duration::from_millis(10)).await, pause);
        }
        assert_eq!(paused(SHORTLY).await, 0, "it lived for long");
        assert_eq!(paused(SHORTLY / 2).await, 50);
    }
}
