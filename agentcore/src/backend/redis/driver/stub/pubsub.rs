//! The subscribers of a stub, and the messages on their way to them.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use super::super::SubscriptionEvent;
use super::DELAY;
use crate::backend::redis::keys::Channel;

/// The events for one subscriber, with their times of arrival.
pub(super) type Inbox = UnboundedReceiver<(Instant, SubscriptionEvent)>;

/// The subscribers, by id.
#[derive(Default)]
pub(super) struct StubPubSub {
    last_id: u64,
    subscribers: HashMap<u64, StubSubscriber>,
}

struct StubSubscriber {
    channels: HashSet<Channel>,
    inbox: UnboundedSender<(Instant, SubscriptionEvent)>,
}

impl StubPubSub {
    /// Adds a subscriber. Returns its id and its inbox.
    pub(super) fn connect(&mut self) -> (u64, Inbox) {
        let (inbox, received) = unbounded_channel();
        self.last_id += 1;
        self.subscribers.insert(self.last_id, StubSubscriber { channels: HashSet::new(), inbox });
        (self.last_id, received)
    }

    /// Returns whether a subscriber is connected.
    pub(super) fn is_connected(&self, id: u64) -> bool {
        self.subscribers.contains_key(&id)
    }

    pub(super) fn subscribe(&mut self, id: u64, channels: Vec<Channel>) {
        if let Some(subscriber) = self.subscribers.get_mut(&id) {
            subscriber.channels.extend(channels);
        }
    }

    pub(super) fn unsubscribe(&mut self, id: u64, channels: Vec<Channel>) {
        if let Some(subscriber) = self.subscribers.get_mut(&id) {
            for channel in channels {
                subscriber.channels.remove(&channel);
                subscriber.send(SubscriptionEvent::Unsubscribed(channel));
            }
        }
    }

    /// Removes a subscriber that has closed its connection.
    pub(super) fn disconnect(&mut self, id: u64) {
        self.subscribers.remove(&id);
    }

    /// Closes the connections of all subscribers.
    pub(super) fn disconnect_all(&mut self) {
        for (_, subscriber) in self.subscribers.drain() {
            subscriber.send(SubscriptionEvent::Lost);
        }
    }

    /// Sends a message to all subscribers of a channel.
    pub(super) fn send(&self, channel: &Channel, payload: &Bytes) {
        for subscriber in self.subscribers.values().filter(|subscriber| subscriber.channels.contains(channel)) {
            subscriber.send(SubscriptionEvent::Message(channel.clone(), payload.clone()));
        }
    }
}

impl StubSubscriber {
    fn send(&self, event: SubscriptionEvent) {
        // Fails only if the subscriber has stopped receiving.
        drop(self.inbox.send((Instant::now() + DELAY / 2, event)));
    }
}
