//! Starts tasks, starts them again after a panic, and stops them.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;

use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::status::TaskStatus;
use super::task_list::{ListedTask, TaskList};
use crate::panic::{Panic, catch_panic, log_anyway};

/// Runs the background tasks of one node.
///
/// A task that panics is started again after 100 ms. Each further panic doubles the pause, up to 30 s; a run of one
/// minute resets it. Each panic is logged as an error with an id. A clone is the same supervisor.
///
/// A backend receives the supervisor of its node in [`backend::Node`](crate::backend::Node).
#[derive(Clone, Default)]
pub struct Supervisor {
    stopped: CancellationToken,
    tasks: TaskList,
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor").field("tasks", &self.tasks()).finish()
    }
}

impl Supervisor {
    /// Creates a supervisor without tasks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task on the current runtime. `task` is called for each start; the task ends when its future ends.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let supervisor = agentcore::Supervisor::new();
    /// let (sender, mut receiver) = agentcore::tokio::sync::mpsc::channel(1);
    /// let task = supervisor.spawn("ticker", move || {
    ///     let sender = sender.clone();
    ///     async move {
    ///         let _ = sender.send("tick").await;
    ///     }
    /// });
    /// assert_eq!(receiver.recv().await, Some("tick"));
    /// # task.stop();
    /// # }
    /// ```
    pub fn spawn<F>(
        &self,
        name: impl Into<Cow<'static, str>>,
        task: impl FnMut() -> F + Send + 'static,
    ) -> SupervisedTask
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn_on(&Handle::current(), name, task)
    }

    /// Starts a task on `runtime`; see [`spawn`](Self::spawn).
    pub fn spawn_on<F>(
        &self,
        runtime: &Handle,
        name: impl Into<Cow<'static, str>>,
        task: impl FnMut() -> F + Send + 'static,
    ) -> SupervisedTask
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = self.stopped.child_token();
        let listed = self.tasks.add(name.into(), stop.clone());
        let stopped = stop.clone();
        runtime.spawn(async move {
            stopped.run_until_cancelled_owned(run(listed, task)).await;
        });
        SupervisedTask(stop)
    }

    /// Returns the tasks that have not ended, in the order of their start, and those that are
    /// [`Lost`](super::TaskState::Lost).
    #[must_use]
    pub fn tasks(&self) -> Vec<TaskStatus> {
        self.tasks.statuses()
    }

    /// Returns whether every task is [`Running`](super::TaskState::Running).
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.tasks.all_healthy()
    }

    /// Returns how often tasks were started again, by name, including tasks that have ended.
    #[must_use]
    pub fn restarts(&self) -> Vec<(Cow<'static, str>, u64)> {
        self.tasks.restarts()
    }

    /// Stops all tasks, each at its next await, and every task that is started later.
    pub fn stop(&self) {
        self.stopped.cancel();
    }
}

/// A task that a [`Supervisor`] runs. Dropping this does not stop the task.
#[derive(Debug, Clone)]
pub struct SupervisedTask(CancellationToken);

impl SupervisedTask {
    /// Stops the task at its next await.
    pub fn stop(&self) {
        self.0.cancel();
    }
}

async fn run<F: Future<Output = ()>>(listed: ListedTask, mut task: impl FnMut() -> F) {
    let mut backoff = Backoff::default();
    loop {
        let started = Instant::now();
        // `task` is called inside the future, so a panic before its first await is caught too.
        let Err(Panic(text)) = catch_panic(async { task().await }).await else {
            listed.end();
            return;
        };
        let pause = backoff.after(started.elapsed());
        listed.record_panic();
        log_anyway(|| listed.log_panic(&text, pause));
        tokio::time::sleep(pause).await;
        listed.record_start();
    }
}
