//! Who hears which channels, and what is on its way to them.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use super::super::SubscriptionEvent;
use super::DELAY;
use crate::backend::redis::keys::Channel;

/// What comes to a receiving link, and when it arrives.
pub(super) type Inbox = UnboundedReceiver<(Instant, SubscriptionEvent)>;

/// The receiving links.
#[derive(Default)]
pub(super) struct StubPubSub {
    next: u64,
    subscribers: HashMap<u64, StubSubscriber>,
}

struct StubSubscriber {
    channels: HashSet<Channel>,
    inbox: UnboundedSender<(Instant, SubscriptionEvent)>,
}

impl StubPubSub {
    /// Another link.
    pub(super) fn open(&mut self) -> (u64, Inbox) {
        let (inbox, received) = unbounded_channel();
        self.next += 1;
        self.subscribers.insert(self.next, StubSubscriber { channels: HashSet::new(), inbox });
        (self.next, received)
    }

    /// Whether the link is there still.
    pub(super) fn has(&self, id: u64) -> bool {
        self.subscribers.contains_key(&id)
    }

    /// From now on the link hears these.
    pub(super) fn subscribe(&mut self, id: u64, channels: Vec<Channel>) {
        if let Some(subscriber) = self.subscribers.get_mut(&id) {
            subscriber.channels.extend(channels);
        }
    }

    /// From now on it does not.
    pub(super) fn unsubscribe(&mut self, id: u64, channels: Vec<Channel>) {
        if let Some(subscriber) = self.subscribers.get_mut(&id) {
            for channel in channels {
                subscriber.channels.remove(&channel);
                subscriber.tell(SubscriptionEvent::Unsubscribed(channel));
            }
        }
    }

    /// The link has ended from its own side.
    pub(super) fn close(&mut self, id: u64) {
        self.subscribers.remove(&id);
    }

    /// Ends all links.
    pub(super) fn cut(&mut self) {
        for (_, subscriber) in self.subscribers.drain() {
            subscriber.tell(SubscriptionEvent::Lost);
        }
    }

    /// Sends a message to whoever hears the channel.
    pub(super) fn send(&self, channel: &Channel, payload: &Bytes) {
        for subscriber in self.subscribers.values().filter(|subscriber| subscriber.channels.contains(channel)) {
            subscriber.tell(SubscriptionEvent::Message(channel.clone(), payload.clone()));
        }
    }
}

impl StubSubscriber {
    fn tell(&self, event: SubscriptionEvent) {
        // Nobody receives any more: then nobody misses it.
        drop(self.inbox.send((Instant::now() + DELAY / 2, event)));
    }
}
