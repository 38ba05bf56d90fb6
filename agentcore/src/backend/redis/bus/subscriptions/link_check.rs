//! Finds out whether both connections of this node are at the same server.
//!
//! After a failover behind one address, a connection that was not cut may stay at the old server, which lives on and
//! answers. Then this node hears nothing of what is published at the new one, and no ping tells. The check runs whenever
//! one of the connections has been opened; an open connection does not change its server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::backend::redis::bus::payload::Control;
use crate::backend::redis::command_link::CommandLink;
use crate::backend::redis::driver::{Commands, Subscription};
use crate::backend::redis::keys::Channel;
use crate::error::{Error, Result};

/// The check of one subscriber connection against each command connection.
pub(super) struct LinkCheck {
    incarnation: u64,
    subscription: Arc<dyn Subscription>,
    /// The run id of the server of the subscriber connection.
    run_id: Option<String>,
    /// Number of the last probe that arrived.
    last_probe: Arc<AtomicU64>,
}

impl LinkCheck {
    pub(super) fn new(
        incarnation: u64,
        subscription: &Arc<dyn Subscription>,
        run_id: Option<String>,
        last_probe: Arc<AtomicU64>,
    ) -> Self {
        Self { incarnation, subscription: subscription.clone(), run_id, last_probe }
    }

    /// Checks now and after each reconnect of the command connection. The older connection is opened again when they are
    /// at different servers. Returns the reason when that is the subscriber connection.
    pub(super) async fn run(self, link: &CommandLink) -> Error {
        let mut changes = link.watch();
        let (mut is_command_older, mut probe) = (true, 0);
        loop {
            let commands = changes.borrow_and_update().clone();
            if let Some(commands) = commands {
                probe += 1;
                match self.is_same_server(&*commands, link, probe).await {
                    Ok(true) => {}
                    Ok(false) if is_command_older => {
                        tracing::warn!(
                            "the two connections to Redis are at different servers; the older one is opened again"
                        );
                        link.give_up(&commands);
                    }
                    Ok(false) => return Error::backend("the command connection is at another server"),
                    Err(error) => return error,
                }
            }
            if changes.changed().await.is_err() {
                return std::future::pending().await;
            }
            is_command_older = false;
        }
    }

    /// Compares the servers by their run ids. When one is unknown, publishes a probe and waits for it instead.
    ///
    /// # Errors
    /// When the subscriber connection fails.
    async fn is_same_server(&self, commands: &dyn Commands, link: &CommandLink, probe: u64) -> Result<bool> {
        if let (Some(publishes), Some(hears)) = (commands.run_id(), &self.run_id) {
            return Ok(publishes == hears);
        }
        let payload = Control::Probe(probe).write(self.incarnation);
        if commands.publish(vec![(Channel::Node(self.incarnation), payload)]).await.is_err() {
            // The next connection is checked.
            link.suspect();
            return Ok(true);
        }
        // Redis has sent the probe before it receives this ping, so the probe arrives before the answer.
        self.subscription.ping().await?;
        Ok(self.last_probe.load(Ordering::Acquire) == probe)
    }
}
