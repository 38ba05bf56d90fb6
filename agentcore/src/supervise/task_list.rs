//! The tasks that have not ended, and how often each name was restarted.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::backoff::HEALTHY_AFTER;
use super::status::{TaskState, TaskStatus};
use crate::error::one_line;
use crate::sync::{Mutex, lock};
use crate::time::Timestamp;

/// The tasks of one supervisor. A clone is the same list.
#[derive(Clone, Default)]
pub(super) struct TaskList(Arc<Mutex<Tasks>>);

#[derive(Default)]
struct Tasks {
    next_id: u64,
    running: BTreeMap<u64, TaskRecord>,
    /// Restarts by name, including those of tasks that have ended.
    restarts: BTreeMap<Cow<'static, str>, u64>,
}

struct TaskRecord {
    name: Cow<'static, str>,
    restarts: u64,
    running: bool,
    /// The task was dropped before its end.
    lost: bool,
    last_panic: Option<(Instant, Timestamp)>,
}

impl TaskList {
    /// Adds a task, which stays listed until it ends or is stopped.
    pub(super) fn add(&self, name: Cow<'static, str>, stop: CancellationToken) -> ListedTask {
        let mut tasks = lock(&self.0);
        let id = tasks.next_id;
        tasks.next_id += 1;
        tasks.restarts.entry(name.clone()).or_default();
        tasks.running.insert(id, TaskRecord { name, restarts: 0, running: true, lost: false, last_panic: None });
        ListedTask { list: self.clone(), id, stop, ended: false }
    }

    /// Returns the listed tasks in the order of their start.
    pub(super) fn statuses(&self) -> Vec<TaskStatus> {
        lock(&self.0).running.values().map(TaskRecord::status).collect()
    }

    /// Returns whether every listed task is healthy.
    pub(super) fn all_healthy(&self) -> bool {
        lock(&self.0).running.values().all(|task| task.status().state == TaskState::Running)
    }

    /// Returns the restarts by name.
    pub(super) fn restarts(&self) -> Vec<(Cow<'static, str>, u64)> {
        lock(&self.0).restarts.iter().map(|(name, count)| (name.clone(), *count)).collect()
    }
}

impl TaskRecord {
    fn status(&self) -> TaskStatus {
        let panicked_lately = self.last_panic.is_some_and(|(at, _)| at.elapsed() < HEALTHY_AFTER);
        TaskStatus {
            name: self.name.clone(),
            restarts: self.restarts,
            state: match (self.running, panicked_lately) {
                _ if self.lost => TaskState::Lost,
                (false, _) => TaskState::Waiting,
                (true, true) => TaskState::Recovering,
                (true, false) => TaskState::Running,
            },
            last_panic: self.last_panic.map(|(_, at)| at),
        }
    }
}

/// A task in the list. Dropping this removes a task that has ended or was stopped; any other one is lost.
pub(super) struct ListedTask {
    list: TaskList,
    id: u64,
    stop: CancellationToken,
    ended: bool,
}

impl ListedTask {
    /// Removes the task, because it has ended.
    pub(super) fn end(mut self) {
        self.ended = true;
    }

    /// Counts a panic of the task, which will be started again.
    pub(super) fn record_panic(&self) {
        let mut tasks = lock(&self.list.0);
        let Some(task) = tasks.running.get_mut(&self.id) else { return };
        task.restarts += 1;
        task.running = false;
        task.last_panic = Some((Instant::now(), Timestamp::now()));
        let name = task.name.clone();
        *tasks.restarts.entry(name).or_default() += 1;
    }

    /// Logs a panic of the task, which starts again after `pause`.
    pub(super) fn log_panic(&self, text: &str, pause: Duration) {
        let named = lock(&self.list.0).running.get(&self.id).map(|task| (task.name.clone(), task.restarts));
        let Some((name, restarts)) = named else { return };
        let error_id = Uuid::new_v4();
        // Each log event is one line, and the text of a panic may have several.
        let text = one_line(text);
        tracing::error!(%error_id, task = %name, restarts, ?pause, "a background task panicked: {text}");
    }

    /// Records that the task was started again.
    pub(super) fn record_start(&self) {
        if let Some(task) = lock(&self.list.0).running.get_mut(&self.id) {
            task.running = true;
        }
    }
}

impl Drop for ListedTask {
    fn drop(&mut self) {
        let mut tasks = lock(&self.list.0);
        if self.ended || self.stop.is_cancelled() {
            tasks.running.remove(&self.id);
        } else if let Some(task) = tasks.running.get_mut(&self.id) {
            task.lost = true;
        }
    }
}
