//! Delivery that reports how many connections took a message.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use super::inner::{ConnectionManager, ManagerInner};
use super::route::submit_all;
use crate::backend::Question;
use crate::error::Result;
use crate::message::OutboundMessage;
use crate::registry::Receipt;

/// Result of [`To::send_confirmed`](super::To::send_confirmed).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmed {
    /// Number of connections that took the message, 0 if the user is offline or the group is empty.
    pub delivered: usize,
    /// Whether every node and worker answered in time. If not, more connections may have taken the message.
    pub complete: bool,
}

impl ConnectionManager {
    /// Delivers a message on all nodes and waits for the counts.
    pub(super) async fn confirm(&self, message: OutboundMessage, within: Duration) -> Result<Confirmed> {
        // Concurrently, so that delivery on other nodes does not wait for this one.
        let ((here, here_complete), (elsewhere, elsewhere_complete)) = tokio::join!(
            async { sum(self.inner.deliver_confirmed(&message).await, within).await },
            self.count_elsewhere(Question::Deliver(message.clone()), within)
        );
        Ok(Confirmed { delivered: here.saturating_add(elsewhere), complete: here_complete && elsewhere_complete })
    }
}

impl ManagerInner {
    /// Delivers a message on this node. The receiver gets the count of each shard when its worker has delivered.
    pub(super) async fn deliver_confirmed(&self, message: &OutboundMessage) -> UnboundedReceiver<usize> {
        let (receipt, counts) = Receipt::new();
        submit_all(self.deliver(message, Some(&receipt))).await;
        counts
    }
}

/// Adds up the counts, and returns whether all arrived in time.
pub(super) async fn sum(mut counts: UnboundedReceiver<usize>, within: Duration) -> (usize, bool) {
    let mut delivered = 0;
    let adding = async {
        while let Some(count) = counts.recv().await {
            delivered += count;
        }
    };
    let complete = tokio::time::timeout(within, adding).await.is_ok();
    (delivered, complete)
}
