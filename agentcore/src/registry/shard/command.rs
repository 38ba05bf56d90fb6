//! Commands from senders and members to a shard.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::resync::{Affected, LossReason};
use crate::id::GroupName;
use crate::message::{EncodedMessage, Except, Overflow};

/// A change or a delivery that a shard carries out.
#[derive(Debug)]
pub(crate) enum Command {
    /// Adds a connection to a group.
    Join(SlotId, GroupName),
    /// Removes a connection from a group.
    Leave(SlotId, GroupName),
    /// Delivers a message. With a receipt, the sender receives the number of connections that took it.
    Send(Target, Arc<EncodedMessage>, Except, Option<Receipt>),
    /// Sends a frame to one connection, in its codec.
    SendFrame(SlotId, Bytes, Overflow),
    /// The members of groups, or all connections, may have missed messages.
    Resync(Affected, LossReason),
    /// One connection may have missed messages.
    ResyncSlot(SlotId, Affected, LossReason),
}

/// Address of a slot. The serial number tells whether the slot still belongs to the same connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotId {
    pub(super) index: u32,
    pub(super) serial: u64,
}

/// Recipients of a message in one shard.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    Slot(SlotId),
    Group(GroupName),
    Everyone,
}

/// Reports how many connections took a message. Each shard has a clone; the sender stops waiting when the last is
/// dropped.
#[derive(Debug, Clone)]
pub(crate) struct Receipt(mpsc::UnboundedSender<usize>);

impl Receipt {
    /// Creates a receipt and the receiver of its counts.
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<usize>) {
        let (sender, counts) = mpsc::unbounded_channel();
        (Self(sender), counts)
    }

    pub(super) fn report(&self, taken: usize) {
        // Fails only if the sender of the message no longer waits.
        let _ = self.0.send(taken);
    }
}
