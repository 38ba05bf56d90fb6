//! Background tasks that outlive a panic: each is started again after a pause, and shows in `/health`.
//!
//! Owned here: the pause, the log, and what is known of each task. Not here: tasks of one connection, which end with it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::panic::{Panic, catch_panic};
use crate::time::Timestamp;

/// The pause after a first panic.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A task that ran this long without a panic counts as sound again.
const SOUND: Duration = Duration::from_secs(60);

/// Runs the background tasks of one node.
///
/// A task that panics is started again: after 100 ms, then after twice as long each time, at most 30 s. A run of a minute
/// puts the pause back to its start. Each panic is logged as an error with an id. A clone is the same supervisor.
///
/// A backend is given the one of its node in [`backend::Node`](crate::backend::Node).
#[derive(Clone, Default)]
pub struct Supervisor {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    stopped: CancellationToken,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    next: u64,
    tasks: BTreeMap<u64, Entry>,
    /// Restarts of all tasks, by name, also of those that have ended.
    restarts: BTreeMap<Cow<'static, str>, u64>,
}

struct Entry {
    name: Cow<'static, str>,
    restarts: u64,
    running: bool,
    last_panic: Option<(Instant, Timestamp)>,
}

impl Entry {
    fn is_sound(&self) -> bool {
        self.running && self.last_panic.is_none_or(|(at, _)| at.elapsed() >= SOUND)
    }
}

/// A background task as `/health` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TaskStatus {
    /// Its name.
    pub name: Cow<'static, str>,
    /// How often it was started again.
    pub restarts: u64,
    /// Whether it runs.
    pub state: TaskState,
    /// When it panicked last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_panic: Option<Timestamp>,
}

/// Whether a background task runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TaskState {
    /// It runs, and has not panicked within the last minute.
    Running,
    /// It runs, and has panicked within the last minute.
    Recovering,
    /// It has panicked and waits for its next start.
    Waiting,
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor").field("tasks", &self.tasks()).finish()
    }
}

impl Inner {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Supervisor {
    /// A supervisor without tasks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task on the runtime that calls this. `task` is called for each start; when its future ends, the task has
    /// ended for good.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let supervisor = agentcore::Supervisor::new();
    /// let (told, mut hears) = agentcore::tokio::sync::mpsc::channel(1);
    /// let task = supervisor.spawn("ticker", move || {
    ///     let told = told.clone();
    ///     async move {
    ///         let _ = told.send("a tick").await;
    ///     }
    /// });
    /// assert_eq!(hears.recv().await, Some("a tick"));
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

    /// Starts a task on a runtime; see [`spawn`](Self::spawn).
    pub fn spawn_on<F>(
        &self,
        runtime: &Handle,
        name: impl Into<Cow<'static, str>>,
        task: impl FnMut() -> F + Send + 'static,
    ) -> SupervisedTask
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listed = self.list(name.into());
        let stop = self.inner.stopped.child_token();
        let stopped = stop.clone();
        runtime.spawn(async move {
            stopped.run_until_cancelled_owned(run(listed, task)).await;
        });
        SupervisedTask(stop)
    }

    fn list(&self, name: Cow<'static, str>) -> Listed {
        let mut book = self.inner.book();
        let number = book.next;
        book.next += 1;
        book.restarts.entry(name.clone()).or_default();
        book.tasks.insert(number, Entry { name, restarts: 0, running: true, last_panic: None });
        Listed { inner: self.inner.clone(), number }
    }

    /// The tasks that have not ended, in the order of their start.
    #[must_use]
    pub fn tasks(&self) -> Vec<TaskStatus> {
        let status = |entry: &Entry| TaskStatus {
            name: entry.name.clone(),
            restarts: entry.restarts,
            state: match (entry.running, entry.is_sound()) {
                (false, _) => TaskState::Waiting,
                (true, false) => TaskState::Recovering,
                (true, true) => TaskState::Running,
            },
            last_panic: entry.last_panic.map(|(_, at)| at),
        };
        self.inner.book().tasks.values().map(status).collect()
    }

    /// Whether every task runs and has done so for a minute since its last panic.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.inner.book().tasks.values().all(Entry::is_sound)
    }

    /// How often tasks were started again, by name; also those that have ended since.
    #[must_use]
    pub fn restarts(&self) -> Vec<(Cow<'static, str>, u64)> {
        self.inner.book().restarts.iter().map(|(name, count)| (name.clone(), *count)).collect()
    }

    /// Ends all tasks, each dropped at an await, and those that are started later at once.
    pub fn stop(&self) {
        self.inner.stopped.cancel();
    }
}

/// A task that a [`Supervisor`] runs. Dropping this changes nothing.
#[derive(Debug, Clone)]
pub struct SupervisedTask(CancellationToken);

impl SupervisedTask {
    /// Ends the task, dropped at an await.
    pub fn stop(&self) {
        self.0.cancel();
    }
}

/// A task's place in the book, given back however the task ends.
struct Listed {
    inner: Arc<Inner>,
    number: u64,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.inner.book().tasks.remove(&self.number);
    }
}

impl Listed {
    fn note_panic(&self, text: &str, pause: Duration) {
        let error_id = Uuid::new_v4();
        let mut book = self.inner.book();
        let Some(entry) = book.tasks.get_mut(&self.number) else { return };
        entry.restarts += 1;
        entry.running = false;
        entry.last_panic = Some((Instant::now(), Timestamp::now()));
        let (name, restarts) = (entry.name.clone(), entry.restarts);
        *book.restarts.entry(name.clone()).or_default() += 1;
        drop(book);
        // One event is one line: the text of a panic may have more.
        let text = text.replace('\n', "\\n").replace('\r', "\\r");
        tracing::error!(%error_id, task = %name, restarts, ?pause, "a background task panicked: {text}");
    }

    fn note_start(&self) {
        if let Some(entry) = self.inner.book().tasks.get_mut(&self.number) {
            entry.running = true;
        }
    }
}

async fn run<F: Future<Output = ()>>(listed: Listed, mut task: impl FnMut() -> F) {
    let mut backoff = Backoff::default();
    loop {
        let started = Instant::now();
        // Called inside, so that a panic before the first await is one of the task's too.
        let Err(Panic(text)) = catch_panic(async { task().await }).await else { return };
        let pause = backoff.after(started.elapsed());
        listed.note_panic(&text, pause);
        tokio::time::sleep(pause).await;
        listed.note_start();
    }
}

/// How long to wait before the next start.
#[derive(Debug)]
struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: FIRST_PAUSE }
    }
}

impl Backoff {
    /// The pause after a run of `ran`.
    fn after(&mut self, ran: Duration) -> Duration {
        if ran >= SOUND {
            self.next = FIRST_PAUSE;
        }
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST_PAUSE);
        pause
    }
}

#[cfg(test)]
mod tests;
