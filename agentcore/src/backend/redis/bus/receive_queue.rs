//! The queue between the subscriber connection, which fills it, and the receive task, which empties it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::payload::{BusPayload, Control};
use crate::backend::redis::driver::{EventSink, SubscriptionEvent};
use crate::backend::redis::keys::Channel;
use crate::sync::{Mutex, lock};

/// Bytes of payloads above which the queue drops new ones. A payload is accepted while the queue is at most this long.
const MAX_QUEUED_BYTES: usize = 16 << 20;

/// The events of one subscriber connection that have not been read yet.
#[derive(Debug)]
pub(super) struct ReceiveQueue {
    backlog: Arc<Backlog>,
    events: mpsc::UnboundedReceiver<SubscriptionEvent>,
}

#[derive(Debug, Default)]
struct Backlog {
    bytes: AtomicUsize,
    /// Channels with payloads that were dropped because the queue was full.
    overrun: Mutex<HashSet<Channel>>,
    /// Number of the last probe that arrived. The connection writes it, not the receive task, so the answer to a ping
    /// says that all earlier probes have been counted.
    last_probe: Arc<AtomicU64>,
}

impl ReceiveQueue {
    /// Creates a queue, and the callback by which a connection fills it. `incarnation` is the incarnation of this node.
    pub(super) fn new(incarnation: u64) -> (EventSink, Self) {
        let backlog = Arc::new(Backlog::default());
        let (sender, events) = mpsc::unbounded_channel();
        let filled = backlog.clone();
        let fill = move |event: SubscriptionEvent| {
            if let SubscriptionEvent::Message(channel, payload) = &event {
                if let Some(number) = probe(incarnation, channel, payload) {
                    filled.last_probe.store(number, Ordering::Release);
                    return;
                }
                if filled.bytes.load(Ordering::Relaxed) > MAX_QUEUED_BYTES {
                    lock(&filled.overrun).insert(channel.clone());
                    return;
                }
                filled.bytes.fetch_add(payload.len(), Ordering::Relaxed);
            }
            let _ = sender.send(event);
        };
        (Arc::new(fill), Self { backlog, events })
    }

    /// Takes the next event; `None` when the connection is gone.
    ///
    /// # Cancel safety
    /// No event is lost if the future is dropped.
    pub(super) async fn next(&mut self) -> Option<SubscriptionEvent> {
        let event = self.events.recv().await;
        if let Some(SubscriptionEvent::Message(_, payload)) = &event {
            self.backlog.bytes.fetch_sub(payload.len(), Ordering::Relaxed);
        }
        event
    }

    /// Returns the number of the last probe that arrived; the connection updates it.
    pub(super) fn last_probe(&self) -> Arc<AtomicU64> {
        self.backlog.last_probe.clone()
    }

    /// Takes the channels with payloads that were dropped since the last call.
    pub(super) fn take_overrun(&self) -> HashSet<Channel> {
        std::mem::take(&mut *lock(&self.backlog.overrun))
    }
}

/// Returns the number of a probe of this node.
fn probe(incarnation: u64, channel: &Channel, payload: &Bytes) -> Option<u64> {
    if *channel != Channel::Node(incarnation) {
        return None;
    }
    match BusPayload::read(channel, payload) {
        Ok(BusPayload::Control(from, Control::Probe(number))) if from == incarnation => Some(number),
        _ => None,
    }
}
