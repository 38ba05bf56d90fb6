//! Messages between nodes.

mod loss_tracker;
mod payload;
mod publish_task;
mod receive_task;
mod send_queue;
mod sequence;
mod subscriptions;

pub(crate) use payload::{MAX_OUTSIDE, Talk, loose};
pub(crate) use publish_task::Outbound;
pub(crate) use receive_task::Reader;
pub(crate) use subscriptions::Hearing;
