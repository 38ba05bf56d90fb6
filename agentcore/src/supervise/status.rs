//! The state of background tasks as `/health` shows it.

use std::borrow::Cow;

use serde::Serialize;

use crate::time::Timestamp;

/// A background task as `/health` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TaskStatus {
    /// The task's name.
    pub name: Cow<'static, str>,
    /// How often the task was started again after a panic.
    pub restarts: u64,
    /// Whether the task runs.
    pub state: TaskState,
    /// The time of the last panic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_panic: Option<Timestamp>,
}

/// Whether a background task runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TaskState {
    /// The task runs and has not panicked within the last minute.
    Running,
    /// The task runs and has panicked within the last minute.
    Recovering,
    /// The task has panicked and waits for its next start.
    Waiting,
    /// The task was dropped before its end, as when its runtime ended, and is not started again.
    Lost,
}
