//! Routing of a message to the backend and to the shards of this node.

use std::sync::Arc;

use super::inner::{ConnectionManager, ManagerInner};
use crate::backend::{Async, Publish};
use crate::error::Result;
use crate::message::{OutboundMessage, Recipient};
use crate::registry::{Command, Receipt, Shard, Target};

/// Result of routing a message.
pub(super) enum Routed {
    Done(Result<()>),
    /// A queue is full. The future completes when the message is in all queues.
    Wait(Async<'static, Result<()>>),
}

/// Commands that did not fit into the queues of their shards.
pub(super) type UnsentCommands = Vec<(Arc<Shard>, Command)>;

impl ConnectionManager {
    /// Publishes a message to other nodes, then delivers it on this one. An error means that no connection has received
    /// it.
    pub(super) fn route(&self, message: &OutboundMessage) -> Routed {
        match self.inner.backend.publish(message) {
            Publish::Done(Ok(())) => {
                let unsent = self.inner.deliver(message, None);
                if unsent.is_empty() {
                    return Routed::Done(Ok(()));
                }
                Routed::Wait(Box::pin(async move {
                    submit_all(unsent).await;
                    Ok(())
                }))
            }
            Publish::Done(Err(error)) => Routed::Done(Err(error)),
            Publish::Wait(published) => {
                let (inner, message) = (self.inner.clone(), message.clone());
                Routed::Wait(Box::pin(async move {
                    published.await?;
                    submit_all(inner.deliver(&message, None)).await;
                    Ok(())
                }))
            }
        }
    }
}

impl ManagerInner {
    /// Delivers a message on this node. Returns the commands that did not fit into a queue. The receipt gets the number
    /// of connections that take the message.
    pub(super) fn deliver(&self, message: &OutboundMessage, receipt: Option<&Receipt>) -> UnsentCommands {
        let mut unsent = UnsentCommands::new();
        self.for_each_target(message, |shard, target| {
            let command = Command::Send(target, message.body().clone(), message.except.clone(), receipt.cloned());
            if let Err(command) = shard.try_submit(command) {
                unsent.push((shard.clone(), command));
            }
        });
        unsent
    }

    /// Calls `act` with each shard that has recipients of a message, and the recipients there.
    fn for_each_target(&self, message: &OutboundMessage, mut act: impl FnMut(&Arc<Shard>, Target)) {
        // Collects the shards or connections first: `act` may write to sockets, and must not hold a lock of the
        // registry.
        let connections = match &message.to {
            Recipient::Group(group) => {
                let shards = self.registry.directory().shards(group).into_iter();
                let shards = shards.filter_map(|index| self.registry.shard(index));
                return shards.for_each(|shard| act(shard, Target::Group(group.clone())));
            }
            Recipient::Everyone => {
                return self.registry.shards().iter().for_each(|shard| act(shard, Target::Everyone));
            }
            Recipient::User(user) => self.registry.user_connections(user),
            Recipient::Connection(id) => self.registry.connection(*id).into_iter().collect(),
        };
        for connection in connections {
            if !message.except.covers(connection.id(), connection.user_id()) {
                act(connection.shard(), Target::Slot(connection.slot()));
            }
        }
    }
}

/// Waits for room in the queues.
pub(super) async fn submit_all(unsent: UnsentCommands) {
    for (shard, command) in unsent {
        shard.submit(command).await;
    }
}
