//! The receiving link: pushes of the server become events.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use bytes::Bytes;
use redis::{Client, ErrorKind, PushInfo, PushKind, Value};

use super::super::{EventSink, Subscription, SubscriptionEvent};
use super::connection::{self, RedisConnection, failed};
use crate::backend::Async;
use crate::backend::redis::keys::{Channel, Keyspace};
use crate::error::Result;

/// Opens a link that hands what it receives to `events`.
pub(super) async fn open(client: &Client, names: Keyspace, events: EventSink) -> Result<RealSubscription> {
    let phase = Arc::new(ConnectionPhase::default());
    let pushes = PushReceiver { names: names.clone(), events, phase: phase.clone() };
    // The crate keeps the closure until the connection ends, however it ends, and then drops it.
    let config = connection::config().set_push_sender(move |push: PushInfo| -> Result<(), ()> {
        pushes.take(push);
        Ok(())
    });
    let link = RedisConnection::open(client, &config).await?;
    drop(config);
    if !phase.opens() {
        return Err(failed((ErrorKind::Io, "the connection ended while it was opened")));
    }
    Ok(RealSubscription { link: Arc::new(link), names, phase })
}

/// The receiving link.
pub(super) struct RealSubscription {
    link: Arc<RedisConnection>,
    names: Keyspace,
    phase: Arc<ConnectionPhase>,
}

impl Subscription for RealSubscription {
    fn subscribe(&self, channels: Vec<Channel>) -> Async<'static, Result<()>> {
        let (link, channels) = (self.link.clone(), self.named(&channels));
        Box::pin(async move {
            match channels.is_empty() {
                true => Ok(()),
                false => link.subscribe(channels).await,
            }
        })
    }

    fn unsubscribe(&self, channels: Vec<Channel>) -> Async<'static, Result<()>> {
        let (link, channels) = (self.link.clone(), self.named(&channels));
        Box::pin(async move {
            match channels.is_empty() {
                // Without a name it would mean all.
                true => Ok(()),
                false => link.unsubscribe(channels).await,
            }
        })
    }

    fn ping(&self) -> Async<'static, Result<()>> {
        let link = self.link.clone();
        Box::pin(async move { link.ping().await })
    }
}

impl RealSubscription {
    fn named(&self, channels: &[Channel]) -> Vec<String> {
        channels.iter().map(|channel| self.names.channel(channel)).collect()
    }
}

impl Drop for RealSubscription {
    fn drop(&mut self) {
        self.phase.0.store(ConnectionPhase::OVER, Ordering::Release);
    }
}

/// Where a receiving link is, so that its end is told once, and only to somebody who has seen its beginning.
#[derive(Debug, Default)]
struct ConnectionPhase(AtomicU8);

impl ConnectionPhase {
    const OPENING: u8 = 0;
    const OPEN: u8 = 1;
    const OVER: u8 = 2;

    /// Whether it has not ended while it was opened.
    fn opens(&self) -> bool {
        self.0.compare_exchange(Self::OPENING, Self::OPEN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// What the crate calls for every push, from the one task that reads the connection.
struct PushReceiver {
    names: Keyspace,
    events: EventSink,
    phase: Arc<ConnectionPhase>,
}

impl PushReceiver {
    fn take(&self, push: PushInfo) {
        let mut data = push.data.into_iter();
        match push.kind {
            PushKind::Message => {
                let (Some(channel), Some(Value::BulkString(payload))) = (self.channel(data.next()), data.next()) else {
                    return;
                };
                self.tell(SubscriptionEvent::Message(channel, Bytes::from(payload)));
            }
            PushKind::Unsubscribe => {
                if let Some(channel) = self.channel(data.next()) {
                    self.tell(SubscriptionEvent::Unsubscribed(channel));
                }
            }
            PushKind::Disconnection => self.end(),
            _ => {}
        }
    }

    fn channel(&self, name: Option<Value>) -> Option<Channel> {
        match name? {
            Value::BulkString(name) => self.names.parse(std::str::from_utf8(&name).ok()?),
            _ => None,
        }
    }

    fn tell(&self, event: SubscriptionEvent) {
        if self.phase.0.load(Ordering::Acquire) != ConnectionPhase::OVER {
            (self.events)(event);
        }
    }

    fn end(&self) {
        if self.phase.0.swap(ConnectionPhase::OVER, Ordering::AcqRel) == ConnectionPhase::OPEN {
            (self.events)(SubscriptionEvent::Lost);
        }
    }
}

impl Drop for PushReceiver {
    fn drop(&mut self) {
        self.end();
    }
}
