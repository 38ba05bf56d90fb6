//! A connection as its task, the application and the connection manager see it.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use serde::Serialize;
use tokio::task::JoinSet;

use super::handle::{Closing, ConnectionHandle, Urgent};
use super::shard::{Shard, Sink, SlotId, WriteFailure};
use super::{ConnectionInfo, Metadata};
use crate::auth::{Access, Identity};
use crate::error::Result;
use crate::id::{ConnectionId, GroupName, UserId};
use crate::message::Codec;
use crate::metrics::Meter;
use crate::sync::{Mutex, lock};
use crate::time::Timestamp;

/// One connection of this node.
#[derive(Debug)]
pub struct Connection {
    handle: Arc<ConnectionHandle>,
    access: Access,
    connected_at: Timestamp,
    shard: Arc<Shard>,
    slot: SlotId,
    /// The groups that the connection is in, `None` once it has ended and can join no more. The lock is held while the
    /// directory and the shard are notified, so that a join and a leave of one connection reach both in the same order.
    groups: Mutex<Option<Vec<Membership>>>,
    /// Serial number of the last request that was answered, see [`Connection::answer_once`].
    answered: AtomicU64,
    messages_in: AtomicU64,
    bytes_in: AtomicU64,
    meter: Meter,
    /// `None` until the application sets a value.
    metadata: Mutex<Option<Box<Metadata>>>,
    /// Tasks that end with the connection, `None` until the first one starts.
    tasks: Mutex<Option<Box<JoinSet<()>>>>,
}

/// A group that a connection is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Membership {
    pub(crate) group: GroupName,
    /// Whether the connection makes its user present in the group.
    pub(crate) present: bool,
}

impl Connection {
    /// Opens a connection on `shard`, which writes its messages to `sink`.
    pub(crate) fn open(
        id: ConnectionId,
        access: Access,
        codec: Codec,
        shard: &Arc<Shard>,
        sink: Sink,
        meter: Meter,
    ) -> Arc<Self> {
        let handle = Arc::new(ConnectionHandle::new(id, access.identity().user().clone(), codec));
        let slot = shard.open(handle.clone(), sink);
        Arc::new(Self {
            handle,
            access,
            connected_at: Timestamp::now(),
            shard: shard.clone(),
            slot,
            groups: Mutex::new(Some(Vec::new())),
            answered: AtomicU64::new(0),
            messages_in: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            meter,
            metadata: Mutex::new(None),
            tasks: Mutex::new(None),
        })
    }

    /// Returns the id of the connection, unique across all nodes.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.handle.id()
    }

    /// Returns the user of the connection. It never changes.
    #[must_use]
    pub fn user_id(&self) -> &UserId {
        self.handle.user_id()
    }

    /// Returns the identity that the authenticator returned last: the user, the claims and when they expire.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.access.identity()
    }

    /// Returns the address of the client, even behind a proxy listed in `TRUSTED_PROXIES`.
    ///
    /// It is `None` if the server that accepted the connection does not pass addresses on, see
    /// [`App::into_router`](crate::App::into_router).
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.access.ip()
    }

    /// Returns the message format that the client chose.
    #[must_use]
    pub fn codec(&self) -> Codec {
        self.handle.codec()
    }

    /// Returns the time at which the connection was opened.
    #[must_use]
    pub fn connected_at(&self) -> Timestamp {
        self.connected_at
    }

    /// Returns a snapshot of the connection: identity, counters, groups and metadata.
    #[must_use]
    pub fn info(&self) -> ConnectionInfo {
        let (sent, silent) = self.shard.activity(self.slot).unwrap_or_default();
        ConnectionInfo {
            id: self.id(),
            user_id: self.user_id().clone(),
            identity: self.identity(),
            ip: self.ip(),
            codec: self.codec(),
            connected_at: self.connected_at,
            last_activity: Timestamp::now().before(silent).max(self.connected_at),
            messages_in: self.messages_in.load(Ordering::Relaxed),
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            messages_out: sent.messages,
            bytes_out: sent.bytes,
            groups: self.groups(),
            metadata: self.metadata(),
        }
    }

    /// Returns a copy of the values that the application has set.
    #[must_use]
    pub fn metadata(&self) -> Metadata {
        lock(&self.metadata).as_deref().cloned().unwrap_or_default()
    }

    /// Stores `value` under `name` and replaces an earlier value of that name. Values stay on this node and are dropped
    /// with the connection.
    ///
    /// # Errors
    /// Returns `INTERNAL_ERROR` if the value cannot be serialized.
    pub fn set_metadata<T: Serialize>(&self, name: &str, value: &T) -> Result<()> {
        lock(&self.metadata).get_or_insert_default().set(name, value)
    }

    /// Removes the value stored under `name`, if any.
    pub fn remove_metadata(&self, name: &str) {
        if let Some(metadata) = lock(&self.metadata).as_mut() {
            metadata.remove(name);
        }
    }

    /// Returns the groups that the connection is in, in the order in which it joined them.
    #[must_use]
    pub fn groups(&self) -> Vec<GroupName> {
        lock(&self.groups).iter().flatten().map(|membership| membership.group.clone()).collect()
    }

    /// Returns whether the connection is in `group`.
    #[must_use]
    pub fn is_in(&self, group: &str) -> bool {
        lock(&self.groups).iter().flatten().any(|membership| membership.group.as_str() == group)
    }

    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// Counts a message that was received.
    pub(crate) fn record_message(&self, bytes: usize) {
        self.messages_in.fetch_add(1, Ordering::Relaxed);
        self.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// The metrics of the connection's worker and consumer.
    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Whether the connection has ended: it is in no group and can join none.
    pub(crate) fn has_ended(&self) -> bool {
        lock(&self.groups).is_none()
    }

    pub(crate) fn shard(&self) -> &Arc<Shard> {
        &self.shard
    }

    /// Address of the connection's slot in its shard.
    pub(crate) fn slot(&self) -> SlotId {
        self.slot
    }

    /// Runs `change` on the groups under their lock; `None` once the connection has ended.
    pub(crate) fn with_groups<T>(&self, change: impl FnOnce(&mut Vec<Membership>) -> T) -> Option<T> {
        lock(&self.groups).as_mut().map(change)
    }

    /// Removes the connection from all groups and lets it join no more. Runs `leave` for each under the lock.
    pub(crate) fn end_groups(&self, mut leave: impl FnMut(&Membership)) -> Vec<Membership> {
        let mut groups = lock(&self.groups);
        let left = groups.take().unwrap_or_default();
        left.iter().for_each(&mut leave);
        left
    }

    /// Returns true the first time it is called for a request, so that each request is answered at most once.
    pub(crate) fn answer_once(&self, serial: u64) -> bool {
        self.answered.fetch_max(serial, Ordering::Relaxed) < serial
    }

    /// Runs a task on the connection's worker until the task or the connection ends.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // A task that is not spawned is dropped after the locks: its destructor belongs to the application and may call
        // `groups`.
        let mut task = Some(task);
        // Holding the groups keeps the connection from ending in between.
        self.with_groups(|_| {
            let Some(runtime) = self.shard.runtime() else { return };
            let mut tasks = lock(&self.tasks);
            let tasks = tasks.get_or_insert_default();
            while tasks.try_join_next().is_some() {}
            if let Some(task) = task.take() {
                tasks.spawn_on(task, runtime);
            }
        });
    }

    /// Aborts the connection's tasks.
    pub(crate) fn abort_tasks(&self) {
        lock(&self.tasks).take();
    }

    /// Asks the connection's task to close. The first request wins unless a later one is more urgent.
    pub(crate) fn close(&self, closing: Closing) {
        self.handle.close(closing);
    }

    /// The request to close, if there is one.
    pub(crate) fn close_request(&self) -> Option<Closing> {
        self.handle.close_request()
    }

    /// The writer task of a stream has written a portion, or failed.
    pub(crate) fn written(&self, result: std::io::Result<()>) {
        let result = result.map_err(|error| match error.kind() {
            std::io::ErrorKind::TimedOut => WriteFailure::TimedOut,
            _ => WriteFailure::Lost,
        });
        self.shard.write_ready(self.slot, result);
    }

    /// Waits for a request to close. Only the connection's task may poll it.
    pub(crate) fn poll_close(&self, cx: &Context<'_>) -> Poll<Closing> {
        self.handle.poll_close(cx)
    }

    /// Waits for an event that cannot wait for the running handler. The task is woken for later requests too. Only the
    /// connection's task may poll it.
    pub(crate) fn poll_urgent(&self, cx: &Context<'_>) -> Poll<Urgent> {
        self.handle.poll_urgent(cx)
    }

    /// Waits until the shard has written the whole outbox. Only the connection's task may poll it.
    pub(crate) fn poll_flushed(&self, cx: &Context<'_>) -> Poll<()> {
        self.handle.poll_flushed(cx)
    }
}
