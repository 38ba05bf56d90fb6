//! The subscriber connection: turns pushes of the server into events.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use bytes::Bytes;
use redis::{Client, ErrorKind, PushInfo, PushKind, Value};

use super::super::{EventSink, Subscription, SubscriptionEvent, is_refused};
use super::connection::{self, RedisConnection, failed};
use crate::backend::Async;
use crate::backend::redis::keys::{Channel, Keyspace};
use crate::error::Result;

/// Opens a connection that passes what it receives to `events`.
pub(super) async fn open(client: &Client, keyspace: Keyspace, events: EventSink) -> Result<RealSubscription> {
    let phase = Arc::new(ConnectionPhase::default());
    let pushes = PushReceiver { keyspace: keyspace.clone(), events, phase: phase.clone() };
    // The crate drops the closure when the connection ends, for whatever reason.
    let config = connection::config().set_push_sender(move |push: PushInfo| -> Result<(), ()> {
        pushes.receive(push);
        Ok(())
    });
    let connection = RedisConnection::open(client, &config).await?;
    drop(config);
    if !phase.opened() {
        return Err(failed((ErrorKind::Io, "the connection ended while it was opened")));
    }
    Ok(RealSubscription { connection: Arc::new(connection), keyspace, phase })
}

/// The subscriber connection to a server.
pub(super) struct RealSubscription {
    connection: Arc<RedisConnection>,
    keyspace: Keyspace,
    phase: Arc<ConnectionPhase>,
}

impl Subscription for RealSubscription {
    fn subscribe(&self, channels: Vec<Channel>) -> Async<'static, Result<()>> {
        let (connection, channels) = (self.connection.clone(), self.channel_names(&channels));
        Box::pin(async move {
            match channels.is_empty() {
                true => Ok(()),
                false => connection.subscribe(channels).await,
            }
        })
    }

    fn unsubscribe(&self, channels: Vec<Channel>) -> Async<'static, Result<()>> {
        let (connection, channels) = (self.connection.clone(), self.channel_names(&channels));
        Box::pin(async move {
            match channels.is_empty() {
                // UNSUBSCRIBE without arguments would leave all channels.
                true => Ok(()),
                false => connection.unsubscribe(channels).await,
            }
        })
    }

    fn ping(&self) -> Async<'static, Result<()>> {
        let connection = self.connection.clone();
        Box::pin(async move { connection.ping().await })
    }

    fn run_id(&self) -> Async<'static, Result<Option<String>>> {
        let connection = self.connection.clone();
        Box::pin(async move {
            let info = connection.call(redis::cmd("INFO").arg("server")).await;
            match info {
                Ok(info) => Ok(super::run_id(info)),
                // The server does not permit the command.
                Err(error) if is_refused(&error) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }
}

impl RealSubscription {
    fn channel_names(&self, channels: &[Channel]) -> Vec<String> {
        channels.iter().map(|channel| self.keyspace.channel(channel)).collect()
    }
}

impl Drop for RealSubscription {
    fn drop(&mut self) {
        self.phase.close();
    }
}

/// The phase of a subscriber connection. It lets the end be reported once, and only after the connection was open.
#[derive(Debug, Default)]
struct ConnectionPhase(AtomicU8);

impl ConnectionPhase {
    const OPENING: u8 = 0;
    const OPEN: u8 = 1;
    const CLOSED: u8 = 2;

    /// Marks the connection as open. Returns false when it has ended while it was opened.
    fn opened(&self) -> bool {
        self.0.compare_exchange(Self::OPENING, Self::OPEN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Marks the connection as closed. Returns whether it was open.
    fn close(&self) -> bool {
        self.0.swap(Self::CLOSED, Ordering::AcqRel) == Self::OPEN
    }

    fn is_closed(&self) -> bool {
        self.0.load(Ordering::Acquire) == Self::CLOSED
    }
}

/// Receives every push from the crate, on the task that reads the connection.
struct PushReceiver {
    keyspace: Keyspace,
    events: EventSink,
    phase: Arc<ConnectionPhase>,
}

impl PushReceiver {
    fn receive(&self, push: PushInfo) {
        let mut data = push.data.into_iter();
        match push.kind {
            PushKind::Message => {
                let (Some(channel), Some(Value::BulkString(payload))) = (self.channel(data.next()), data.next()) else {
                    return;
                };
                self.send(SubscriptionEvent::Message(channel, Bytes::from(payload)));
            }
            PushKind::Unsubscribe => {
                if let Some(channel) = self.channel(data.next()) {
                    self.send(SubscriptionEvent::Unsubscribed(channel));
                }
            }
            PushKind::Disconnection => self.end(),
            _ => {}
        }
    }

    fn channel(&self, name: Option<Value>) -> Option<Channel> {
        match name? {
            Value::BulkString(name) => self.keyspace.parse_channel(std::str::from_utf8(&name).ok()?),
            _ => None,
        }
    }

    fn send(&self, event: SubscriptionEvent) {
        if !self.phase.is_closed() {
            (self.events)(event);
        }
    }

    fn end(&self) {
        if self.phase.close() {
            (self.events)(SubscriptionEvent::Lost);
        }
    }
}

impl Drop for PushReceiver {
    fn drop(&mut self) {
        self.end();
    }
}
