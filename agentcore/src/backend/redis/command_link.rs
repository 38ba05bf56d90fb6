//! The command connection of a node: checked by PING, and opened again when it is dead.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

use super::driver::{Commands, Driver};
use super::metrics::FaultCounters;
use super::reconnect::Reconnect;
use crate::error::{Error, Result};

/// Interval of PING on a connection. A reply may take one second, so a dead connection is noticed within 2.5 s.
pub(super) const PING_EVERY: Duration = Duration::from_millis(1_500);

/// The current command connection, shared by all users of it.
#[derive(Debug)]
pub(super) struct CommandLink {
    current: watch::Sender<Option<Arc<dyn Commands>>>,
    suspected: Notify,
    /// Whether the address of Redis may lead to another server now.
    has_moved: AtomicBool,
}

impl std::fmt::Debug for dyn Commands {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Commands")
    }
}

impl CommandLink {
    pub(super) fn new(first: Arc<dyn Commands>) -> Self {
        Self { current: watch::Sender::new(Some(first)), suspected: Notify::new(), has_moved: AtomicBool::new(false) }
    }

    /// Returns the connection, or `None` while there is none.
    pub(super) fn get(&self) -> Option<Arc<dyn Commands>> {
        self.current.borrow().clone()
    }

    /// Returns the connection.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE` while there is none.
    pub(super) fn get_or_fail(&self) -> Result<Arc<dyn Commands>> {
        self.get().ok_or_else(|| Error::backend("Redis does not answer").with_retry_after(Duration::from_secs(1)))
    }

    /// Returns a receiver that observes every change of the connection.
    pub(super) fn watch(&self) -> watch::Receiver<Option<Arc<dyn Commands>>> {
        self.current.subscribe()
    }

    /// Requests an immediate check, because a call on the connection failed.
    pub(super) fn suspect(&self) {
        self.suspected.notify_one();
    }

    /// Requests a check whether the address of Redis leads to another server now.
    pub(super) fn suspect_address(&self) {
        self.has_moved.store(true, Ordering::Release);
        self.suspect();
    }

    /// Gives a connection up that works and is at the wrong server. Another one is opened.
    pub(super) fn give_up(&self, connection: &Arc<dyn Commands>) {
        self.current.send_if_modified(|current| {
            let is_current = current.as_ref().is_some_and(|current| Arc::ptr_eq(current, connection));
            *current = current.take().filter(|_| !is_current);
            is_current
        });
        self.suspect();
    }

    /// Checks the connection, and opens another one when it is dead.
    pub(super) async fn run(self: Arc<Self>, driver: Arc<dyn Driver>, faults: Arc<FaultCounters>) {
        let mut reconnect = Reconnect::new("Redis cannot be reached");
        loop {
            let since = Instant::now();
            while let Some(commands) = self.get() {
                let _ = timeout(PING_EVERY, self.suspected.notified()).await;
                if self.has_moved.swap(false, Ordering::AcqRel) {
                    self.follow_address(&*driver, &*commands).await;
                    continue;
                }
                if let Err(error) = commands.ping().await {
                    faults.connection_lost();
                    if reconnect.should_log_loss(since, &error) {
                        tracing::warn!(
                            "the command connection to Redis is lost; messages reach this node only: {error:?}"
                        );
                    }
                    self.current.send_replace(None);
                }
            }
            reconnect.back_off(since).await;
            // Requires a PING reply: a Redis that still loads its data accepts connections and refuses every command.
            let commands = reconnect
                .connect(|| async {
                    let commands = driver.commands().await?;
                    commands.ping().await?;
                    Ok(commands)
                })
                .await;
            if reconnect.should_log_recovery() {
                tracing::info!("the command connection to Redis is back");
            }
            self.current.send_replace(Some(commands));
        }
    }

    /// Opens another connection, and uses it if it leads to another server than the current one.
    async fn follow_address(&self, driver: &dyn Driver, current: &dyn Commands) {
        let Ok(commands) = driver.commands().await else { return };
        if commands.run_id() != current.run_id() && commands.ping().await.is_ok() {
            tracing::warn!("the address of Redis leads to another server now; the connections are opened again");
            self.current.send_replace(Some(commands));
        }
    }
}
