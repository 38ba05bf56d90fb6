//! Worker threads: each has a current-thread runtime and the connections of one shard.
//!
//! A worker does all the work of its connections: reading, handlers, outboxes and timers. The application's own runtime
//! accepts connections, serves HTTP and moves each upgraded socket to a worker.
//!
//! A shared multi-thread runtime is not used, because its injection queue starves tasks as soon as more than 256 are
//! ready at once. Measured on one core with 200 groups of 5 busy members: 850 k deliveries/s at a p99 of 7 ms here,
//! 280 k deliveries/s at 160 ms there.

mod handler_run;

pub(crate) use handler_run::HandlerRun;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::error::{CloseCode, CloseReason, Error, ErrorCategory};
use crate::registry::{Closing, Shard, ShardSettings};
use crate::supervise::{SupervisedTask, Supervisor};

/// Time that the end of a node waits for worker threads. A handler that blocks its worker may need longer.
const JOIN_TIMEOUT: Duration = Duration::from_secs(1);

/// The workers of a node.
#[derive(Debug)]
pub(crate) struct Workers {
    workers: Vec<Worker>,
}

#[derive(Debug)]
struct Worker {
    shard: Arc<Shard>,
    /// Ends the thread when dropped; `None` on the caller's runtime.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// The task that writes the shard's outboxes.
    writer: SupervisedTask,
}

impl Workers {
    /// Starts `count` workers; with 0, one shard on the caller's runtime.
    ///
    /// # Errors
    /// When a thread or its runtime cannot be created.
    pub(crate) fn start(count: usize, settings: ShardSettings, supervisor: &Supervisor) -> io::Result<Self> {
        if count == 0 {
            let shard = Shard::new(0, Some(Handle::current()), true, settings);
            let writer = start_writer(&shard, &Handle::current(), supervisor, Shard::run);
            let worker = Worker { shard, stop: None, thread: None, writer };
            return Ok(Self { workers: vec![worker] });
        }
        let workers = (0..count).map(|index| start_thread(index, settings, supervisor)).collect::<io::Result<_>>()?;
        Ok(Self { workers })
    }

    pub(crate) fn shards(&self) -> Vec<Arc<Shard>> {
        self.workers.iter().map(|worker| worker.shard.clone()).collect()
    }
}

fn start_thread(index: usize, settings: ShardSettings, supervisor: &Supervisor) -> io::Result<Worker> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let shard = Shard::new(u16::try_from(index).unwrap_or(u16::MAX), Some(handle.clone()), false, settings);
    let writer = start_writer(&shard, &handle, supervisor, Shard::run);
    let (stop, stopped) = oneshot::channel::<()>();
    let own = shard.clone();
    let thread = std::thread::Builder::new().name(format!("agentcore-{index}")).spawn(move || {
        own.claim_thread();
        // Runs until the sender is dropped.
        runtime.block_on(async move { drop(stopped.await) });
    })?;
    Ok(Worker { shard, stop: Some(stop), thread: Some(thread), writer })
}

/// Starts the task that writes the shard's outboxes. If it panics, the bytes it was writing may be lost, so all
/// connections of the shard are asked to reconnect, and the task is restarted.
fn start_writer<F: Future<Output = ()> + Send + 'static>(
    shard: &Arc<Shard>,
    runtime: &Handle,
    supervisor: &Supervisor,
    write: impl Fn(Arc<Shard>) -> F + Send + 'static,
) -> SupervisedTask {
    let (shard, mut panicked) = (shard.clone(), false);
    supervisor.spawn_on(runtime, format!("writer.{}", shard.index()), move || {
        if std::mem::replace(&mut panicked, true) {
            let error = Error::new(ErrorCategory::Connection, "RESTARTING", "the worker is restarting");
            let error = error.with_retry_after(Duration::from_secs(1)).with_close(CloseCode::Restart);
            let closing = Closing::Frame(CloseReason::of(&error));
            shard.for_each(|connection| connection.close(closing.clone()));
        }
        write(shard.clone())
    })
}

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            // Stopped before its runtime ends, which would lose it.
            worker.writer.stop();
            worker.stop = None;
        }
        let deadline = Instant::now() + JOIN_TIMEOUT;
        for worker in &mut self.workers {
            // The last owner may be a task of a worker, which cannot join its own thread.
            let Some(thread) =
                worker.thread.take().filter(|thread| thread.thread().id() != std::thread::current().id())
            else {
                continue;
            };
            while !thread.is_finished() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(1));
            }
            if thread.is_finished() {
                let _ = thread.join();
            } else {
                tracing::warn!(worker = worker.shard.index(), "a handler blocks its worker thread, which is abandoned");
            }
        }
    }
}

#[cfg(all(test, not(feature = "model")))]
mod tests;
