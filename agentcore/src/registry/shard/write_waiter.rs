//! Waiting for blocked sockets, and closing clients that take nothing for `WS_WRITE_TIMEOUT`.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::net::tcp::OwnedWriteHalf;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::command::SlotId;

/// Waits for blocked sockets in tasks of their own, so that a socket never holds up the rest of its group.
#[derive(Debug)]
pub(super) struct WriteWaiter {
    shard: Weak<dyn WriteReady>,
    runtime: Option<Handle>,
    write_timeout: Duration,
}

/// The reason why a socket takes no more bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::registry) enum WriteFailure {
    /// The client took no bytes for `WS_WRITE_TIMEOUT`.
    TimedOut,
    /// The socket is dead.
    Lost,
}

/// Receives the result of a wait. The shard implements it; it is called once for each time that a socket was blocked.
pub(super) trait WriteReady: Send + Sync {
    /// The sink of a slot takes bytes again, or has failed.
    fn on_write_ready(&self, id: SlotId, result: Result<(), WriteFailure>);
}

impl WriteWaiter {
    pub(super) fn new(shard: Weak<dyn WriteReady>, runtime: Option<Handle>, write_timeout: Duration) -> Self {
        Self { shard, runtime, write_timeout }
    }

    /// Starts waiting until `socket` takes bytes; `None` if the shard has no runtime or is about to be dropped.
    pub(super) fn wait(&self, socket: Arc<OwnedWriteHalf>, id: SlotId) -> Option<AbortHandle> {
        let (shard, runtime) = (self.shard.upgrade()?, self.runtime.as_ref()?);
        let write_timeout = self.write_timeout;
        let task = runtime.spawn(async move {
            let result = match tokio::time::timeout(write_timeout, socket.writable()).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(WriteFailure::Lost),
                Err(_) => Err(WriteFailure::TimedOut),
            };
            shard.on_write_ready(id, result);
        });
        Some(task.abort_handle())
    }
}
