//! Background tasks that survive a panic: each is started again after a pause, and is listed in `/health`.
//!
//! This module owns the pause between starts, the log line of a panic, and the state of each task. Tasks of one
//! connection end with it and are not supervised.

mod backoff;
mod status;
mod supervisor;
mod task_list;
#[cfg(test)]
mod tests;

pub use status::{TaskState, TaskStatus};
pub use supervisor::{SupervisedTask, Supervisor};
