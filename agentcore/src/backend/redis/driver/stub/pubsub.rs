//! Who hears which channels, and what is on its way to them.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use super::super::Event;
use super::DELAY;
use crate::backend::redis::keys::Channel;

/// What comes to a receiving link, and when it arrives.
pub(super) type Inbox = UnboundedReceiver<(Instant, Event)>;

/// The receiving links.
#[derive(Default)]
pub(super) struct Post {
    next: u64,
    ears: HashMap<u64, Ear>,
}

struct Ear {
    channels: HashSet<Channel>,
    inbox: UnboundedSender<(Instant, Event)>,
}

impl Post {
    /// Another link.
    pub(super) fn open(&mut self) -> (u64, Inbox) {
        let (inbox, received) = unbounded_channel();
        self.next += 1;
        self.ears.insert(self.next, Ear { channels: HashSet::new(), inbox });
        (self.next, received)
    }

    /// Whether the link is there still.
    pub(super) fn has(&self, id: u64) -> bool {
        self.ears.contains_key(&id)
    }

    /// From now on the link hears these.
    pub(super) fn subscribe(&mut self, id: u64, channels: Vec<Channel>) {
        if let Some(ear) = self.ears.get_mut(&id) {
            ear.channels.extend(channels);
        }
    }

    /// From now on it does not.
    pub(super) fn unsubscribe(&mut self, id: u64, channels: Vec<Channel>) {
        if let Some(ear) = self.ears.get_mut(&id) {
            for channel in channels {
                ear.channels.remove(&channel);
                ear.tell(Event::Unsubscribed(channel));
            }
        }
    }

    /// The link has ended from its own side.
    pub(super) fn close(&mut self, id: u64) {
        self.ears.remove(&id);
    }

    /// Ends all links.
    pub(super) fn cut(&mut self) {
        for (_, ear) in self.ears.drain() {
            ear.tell(Event::Lost);
        }
    }

    /// Sends a message to whoever hears the channel.
    pub(super) fn send(&self, channel: &Channel, payload: &Bytes) {
        for ear in self.ears.values().filter(|ear| ear.channels.contains(channel)) {
            ear.tell(Event::Message(channel.clone(), payload.clone()));
        }
    }
}

impl Ear {
    fn tell(&self, event: Event) {
        // Nobody receives any more: then nobody misses it.
        drop(self.inbox.send((Instant::now() + DELAY / 2, event)));
    }
}
