//! Messages between nodes over Redis publish/subscribe.
//!
//! Outgoing messages get sequence numbers and are batched in [`send_queue`]; [`publish_task`] publishes them. The
//! subscriber connection ([`subscriptions`]) fills [`receive_queue`]; [`receive_task`] empties it, finds duplicates and
//! gaps with [`sequence`], and turns losses into resyncs ([`loss_tracker`]). [`payload`] defines the bytes.
//!
//! The bus does not store messages: what is lost is reported, never repeated.

mod answer_tasks;
mod due;
mod loss_tracker;
mod payload;
mod publish_task;
mod receive_queue;
mod receive_task;
mod send_queue;
mod sequence;
mod subscriptions;

pub(crate) use payload::{Control, MAX_EXTERNAL, no_messages, unsequenced};
pub(crate) use publish_task::BusSender;
pub(crate) use receive_task::BusReceiver;
pub(crate) use subscriptions::Subscriptions;
