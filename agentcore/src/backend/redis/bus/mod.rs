//! Messages between nodes.

mod loss_tracker;
mod payload;
mod publish_task;
mod receive_task;
mod send_queue;
mod sequence;
mod subscriptions;

pub(crate) use payload::{Control, MAX_EXTERNAL, unsequenced};
pub(crate) use publish_task::BusSender;
pub(crate) use receive_task::BusReceiver;
pub(crate) use subscriptions::Subscriptions;
