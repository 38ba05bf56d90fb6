//! Pauses between attempts to open a connection, and which of its failures are logged.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::error::{Error, Result};
use crate::log_throttle::LogThrottle;

/// First and longest pause between attempts to open a connection.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));
/// Lifetime below which a connection counts as short-lived. A growing pause follows it, because a server may accept
/// every connection and then refuse the commands on it.
const SHORT_LIFETIME: Duration = Duration::from_secs(5);
/// First and longest pause after a short-lived connection.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// Time after which the log repeats a failure with the same reason.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// The state of opening one of the two connections again and again.
#[derive(Debug)]
pub(super) struct Reconnect {
    /// Log text for a connection that cannot be opened.
    unreachable_text: &'static str,
    /// Pause after the next short-lived connection.
    pause: Duration,
    /// Log lines about lost connections and about connections that cannot be opened, by reason.
    lost: LogThrottle<String>,
    unreachable: LogThrottle<String>,
    /// Whether the log has a failure whose recovery it has not reported yet.
    recovery_pending: bool,
}

impl Reconnect {
    pub(super) fn new(unreachable_text: &'static str) -> Self {
        Self {
            unreachable_text,
            pause: BACK_OFF.0,
            lost: LogThrottle::keyed(LOG_EVERY, 1),
            unreachable: LogThrottle::keyed(LOG_EVERY, 1),
            // After a panic the task starts with a new state, and the supervisor has logged the failure.
            recovery_pending: true,
        }
    }

    /// Returns whether to log the loss of a connection that was opened at `since`. The loss of a long-lived connection
    /// is always logged; otherwise each reason is logged once a minute.
    pub(super) fn should_log_loss(&mut self, since: Instant, reason: &Error) -> bool {
        if since.elapsed() >= SHORT_LIFETIME {
            self.lost.reset();
            self.unreachable.reset();
        }
        let permitted = self.lost.permit_key(&*format!("{reason:?}")).is_some();
        self.recovery_pending |= permitted;
        permitted
    }

    /// Returns whether to log that there is a connection again: once after each logged failure.
    pub(super) fn should_log_recovery(&mut self) -> bool {
        std::mem::take(&mut self.recovery_pending)
    }

    /// Waits after the end of a connection that was opened at `since`; not at all when it was long-lived.
    pub(super) async fn back_off(&mut self, since: Instant) {
        if since.elapsed() >= SHORT_LIFETIME {
            self.pause = BACK_OFF.0;
            return;
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(BACK_OFF.1);
    }

    /// Tries to open a connection until it succeeds. The pauses are short, because the node is cut off meanwhile.
    pub(super) async fn connect<T, F: Future<Output = Result<T>>>(&mut self, mut open: impl FnMut() -> F) -> T {
        let mut pause = RETRY.0;
        loop {
            match open().await {
                Ok(connection) => return connection,
                Err(error) => {
                    if self.unreachable.permit_key(&*format!("{error:?}")).is_some() {
                        self.recovery_pending = true;
                        tracing::warn!("{}: {error:?}", self.unreachable_text);
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
    async fn pauses_grow_after_short_lived_connections() {
        let mut reconnect = Reconnect::new("it fails");
        let mut pause_after = async |lifetime| {
            let since = Instant::now();
            sleep(lifetime).await;
            reconnect.back_off(since).await;
            (since.elapsed() - lifetime).as_millis()
        };
        for pause in [50, 100, 200, 400, 800, 1_000, 1_000] {
            assert_eq!(pause_after(Duration::from_millis(10)).await, pause);
        }
        assert_eq!(pause_after(SHORT_LIFETIME).await, 0, "a long-lived connection needs no pause");
        assert_eq!(pause_after(SHORT_LIFETIME / 2).await, 50);
    }
}
