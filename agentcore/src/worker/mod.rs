//! Worker threads: each has a current-thread runtime and the connections of one shard.
//!
//! A worker owns everything of its connections: reading, handlers, outboxes and timers. The application's own runtime
//! accepts, speaks HTTP and serves REST; after the upgrade a socket moves here. Why not the shared multi-thread runtime:
//! its injection queue starves tasks as soon as more than 256 are ready at once. Measured, one core, 200 rooms of 5 busy
//! members: 850 k deliveries/s at a p99 of 7 ms here, 280 k at 160 ms there.

mod run;

pub(crate) use crate::guard::{Panicked, guard, guard_call, poll_guarded};
pub(crate) use run::Run;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::registry::{Shard, ShardSettings};

/// The workers of a node.
#[derive(Debug)]
pub(crate) struct Workers {
    workers: Vec<Worker>,
}

#[derive(Debug)]
struct Worker {
    shard: Arc<Shard>,
    /// Dropping it ends the thread; `None` on the caller's runtime.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// The shard's task on the caller's runtime.
    task: Option<tokio::task::JoinHandle<()>>,
}

impl Workers {
    /// Starts `count` workers, or one shard on the runtime that calls this when it is 0.
    ///
    /// # Errors
    /// When a thread or its runtime cannot be made.
    pub(crate) fn start(count: usize, settings: ShardSettings) -> io::Result<Self> {
        if count == 0 {
            let shard = Shard::new(0, Some(Handle::current()), true, settings);
            let task = tokio::spawn(shard.clone().run());
            let worker = Worker { shard, stop: None, thread: None, task: Some(task) };
            return Ok(Self { workers: vec![worker] });
        }
        let workers = (0..count).map(|index| start_thread(index, settings)).collect::<io::Result<_>>()?;
        Ok(Self { workers })
    }

    pub(crate) fn shards(&self) -> Vec<Arc<Shard>> {
        self.workers.iter().map(|worker| worker.shard.clone()).collect()
    }
}

fn start_thread(index: usize, settings: ShardSettings) -> io::Result<Worker> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let shard = Shard::new(u16::try_from(index).unwrap_or(u16::MAX), Some(handle), false, settings);
    let (stop, stopped) = oneshot::channel::<()>();
    let own = shard.clone();
    let thread = std::thread::Builder::new().name(format!("agentcore-{index}")).spawn(move || {
        own.claim_thread();
        runtime.block_on(async move {
            let writing = tokio::spawn(own.run());
            // Only the sender's end can end this.
            let _ = stopped.await;
            writing.abort();
        });
    })?;
    Ok(Worker { shard, stop: Some(stop), thread: Some(thread), task: None })
}

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            worker.stop = None;
            if let Some(task) = &worker.task {
                task.abort();
            }
        }
        for worker in &mut self.workers {
            // The last owner may be a task of a worker, which cannot wait for its own thread.
            let Some(thread) = worker.thread.take() else { continue };
            if thread.thread().id() != std::thread::current().id() {
                let _ = thread.join();
            }
        }
    }
}
