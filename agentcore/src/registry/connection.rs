//! What is known of one connection, shared by its task, its shard and everybody who sends to it.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use serde::Serialize;
use tokio::task::JoinSet;

use crate::auth::{Access, Identity};
use crate::error::{CloseReason, Error, Result};
use crate::id::{ConnectionId, GroupName, UserId};
use crate::message::Codec;
use crate::metrics::Meter;
use crate::sync::{Mutex, lock};
use crate::time::Timestamp;

use super::{ConnectionInfo, Metadata, Shard, SlotId};

/// One connection of this node.
#[derive(Debug)]
pub struct Connection {
    id: ConnectionId,
    user: UserId,
    access: Access,
    codec: Codec,
    connected_at: Timestamp,
    shard: Arc<Shard>,
    member: SlotId,
    /// The groups it is in, `None` once it has ended: then nothing can join any more. The lock is held while directory
    /// and shard are told, so that a join and a leave of one connection reach them in the same order.
    groups: Mutex<Option<Vec<Membership>>>,
    ending: Mutex<CloseState>,
    /// The serial number of the last request that was answered; see [`Connection::answer_once`].
    answered: AtomicU64,
    activity: Activity,
    meter: Meter,
    /// `None` while nothing was noted.
    metadata: Mutex<Option<Box<Metadata>>>,
    /// Tasks that end with it; `None` while there were none.
    tasks: Mutex<Option<Box<JoinSet<()>>>>,
}

/// A group that a connection is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Membership {
    pub(crate) group: GroupName,
    /// The connection makes its user present there.
    pub(crate) present: bool,
}

/// What came in, written by the connection's task, read by anybody.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    messages_in: AtomicU64,
    bytes_in: AtomicU64,
}

impl Activity {
    /// A message came in.
    pub(crate) fn record_message(&self, bytes: usize) {
        self.messages_in.fetch_add(1, Ordering::Relaxed);
        self.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Messages that came in, and their bytes.
    pub(super) fn received(&self) -> (u64, u64) {
        (self.messages_in.load(Ordering::Relaxed), self.bytes_in.load(Ordering::Relaxed))
    }
}

/// How far the end of a connection has come.
#[derive(Debug, Default)]
struct CloseState {
    /// Somebody wants it closed.
    wanted: Option<Closing>,
    /// The handler that runs is to be cancelled.
    cancelled: bool,
    /// Its shard wrote all that waited, or gave the socket up.
    drained: bool,
    waker: Option<Waker>,
}

/// A wish to close.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Closing {
    /// With a close frame, at once: also while a handler runs, nothing more is sent.
    Frame(CloseReason),
    /// With a close frame, after the handler that runs: what it sends still goes out.
    AfterHandler(CloseReason),
    /// The node is about to end: no handler starts any more, and the close frame waits for its turn.
    Drain,
    /// The socket is dead; nothing can be sent.
    Lost,
}

/// What a connection's task must hear of while something else runs.
#[derive(Debug)]
pub(crate) enum Urgent {
    /// To drop the handler that runs.
    Cancel,
    /// To close, for another reason than the end of the node.
    Close(Closing),
}

impl Closing {
    /// The connection took nothing for `WS_WRITE_TIMEOUT`.
    pub(super) fn stalled() -> Self {
        Self::Frame(CloseReason::of(&Error::slow_consumer("the connection took nothing for too long")))
    }
}

impl Connection {
    pub(super) fn new(
        id: ConnectionId,
        access: Access,
        codec: Codec,
        shard: Arc<Shard>,
        member: SlotId,
        meter: Meter,
    ) -> Self {
        Self {
            id,
            user: access.identity().user().clone(),
            access,
            codec,
            connected_at: Timestamp::now(),
            shard,
            member,
            groups: Mutex::new(Some(Vec::new())),
            ending: Mutex::default(),
            answered: AtomicU64::new(0),
            activity: Activity::default(),
            meter,
            metadata: Mutex::new(None),
            tasks: Mutex::new(None),
        }
    }

    /// Its id, unique over all nodes.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// Whose it is.
    #[must_use]
    pub fn user_id(&self) -> &UserId {
        &self.user
    }

    /// Who it is, as far as an authenticator has said: the user, the claims, and when that ends.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.access.identity()
    }

    /// The address it comes from: of the client itself, also behind a proxy of `TRUSTED_PROXIES`. `None` when the server
    /// that accepted it hands no addresses on; see `App::into_router`.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.access.ip()
    }

    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// The format that its client chose.
    #[must_use]
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// When it was made.
    #[must_use]
    pub fn connected_at(&self) -> Timestamp {
        self.connected_at
    }

    /// All that is known of it, as a copy.
    #[must_use]
    pub fn info(&self) -> ConnectionInfo {
        ConnectionInfo::of(self)
    }

    /// What the application noted about it.
    #[must_use]
    pub fn metadata(&self) -> Metadata {
        lock(&self.metadata).as_deref().cloned().unwrap_or_default()
    }

    /// Notes a value under a name, in the place of the one that was there. It stays on this node and ends with the
    /// connection.
    ///
    /// # Errors
    /// `INTERNAL_ERROR` when the value cannot be serialized.
    pub fn set_metadata<T: Serialize>(&self, name: &str, value: &T) -> Result<()> {
        lock(&self.metadata).get_or_insert_default().set(name, value)
    }

    /// Forgets the value of this name.
    pub fn remove_metadata(&self, name: &str) {
        if let Some(metadata) = lock(&self.metadata).as_mut() {
            metadata.remove(name);
        }
    }

    pub(crate) fn activity(&self) -> &Activity {
        &self.activity
    }

    /// What its messages are counted with.
    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The groups it is in, in the order of joining.
    #[must_use]
    pub fn groups(&self) -> Vec<GroupName> {
        lock(&self.groups).iter().flatten().map(|membership| membership.group.clone()).collect()
    }

    /// Whether it is in `group`.
    #[must_use]
    pub fn is_in(&self, group: &str) -> bool {
        lock(&self.groups).iter().flatten().any(|membership| membership.group.as_str() == group)
    }

    /// Whether it is in no group any more, for good.
    pub(crate) fn has_ended(&self) -> bool {
        lock(&self.groups).is_none()
    }

    pub(crate) fn shard(&self) -> &Arc<Shard> {
        &self.shard
    }

    /// How its shard knows it.
    pub(crate) fn slot(&self) -> SlotId {
        self.member
    }

    /// Runs `change` on the groups while nobody else can; `None` once the connection has ended.
    pub(crate) fn with_groups<T>(&self, change: impl FnOnce(&mut Vec<Membership>) -> T) -> Option<T> {
        lock(&self.groups).as_mut().map(change)
    }

    /// Takes all groups and lets no more in; `leave` runs for each while the lock is held.
    pub(crate) fn end_groups(&self, mut leave: impl FnMut(&Membership)) -> Vec<Membership> {
        let mut groups = lock(&self.groups);
        let left = groups.take().unwrap_or_default();
        left.iter().for_each(&mut leave);
        left
    }

    /// True once for each request, so that it is answered at most once.
    pub(crate) fn answer_once(&self, serial: u64) -> bool {
        self.answered.fetch_max(serial, Ordering::Relaxed) < serial
    }

    /// Runs a task on the connection's worker, until it ends or the connection does.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // Taken out of the option under the locks, or dropped after them: its destructor is the application's, and may
        // ask for the groups.
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

    /// Ends the tasks of the connection.
    pub(crate) fn abort_tasks(&self) {
        lock(&self.tasks).take();
    }

    /// Asks the connection's task to close; the first wish counts, unless another is more urgent.
    pub(crate) fn close(&self, closing: Closing) {
        let mut ending = lock(&self.ending);
        let more_urgent = match (&ending.wanted, &closing) {
            (None, _) | (_, Closing::Lost) => true,
            (Some(wanted), Closing::AfterHandler(_)) => matches!(wanted, Closing::Drain),
            (Some(wanted), Closing::Frame(_)) => matches!(wanted, Closing::AfterHandler(_) | Closing::Drain),
            (Some(_), Closing::Drain) => false,
        };
        if more_urgent {
            ending.wanted = Some(closing);
        }
        wake(&mut ending);
    }

    /// Asks the connection's task to cancel the handler that runs.
    pub(crate) fn cancel(&self) {
        let mut ending = lock(&self.ending);
        ending.cancelled = true;
        wake(&mut ending);
    }

    /// The wish to close, if there is one.
    pub(crate) fn close_request(&self) -> Option<Closing> {
        lock(&self.ending).wanted.clone()
    }

    /// The writer task of its stream wrote a portion, or failed.
    pub(crate) fn written(&self, result: std::io::Result<()>) {
        let result = result.map_err(|error| match error.kind() {
            std::io::ErrorKind::TimedOut => Closing::stalled(),
            _ => Closing::Lost,
        });
        self.shard.ready(self.member, result);
    }

    /// Tells the connection's task that nothing waits to be written any more.
    pub(super) fn drained(&self) {
        let mut ending = lock(&self.ending);
        ending.drained = true;
        wake(&mut ending);
    }

    /// Waits for a wish to close. To be polled by the connection's task alone.
    pub(crate) fn poll_close(&self, cx: &mut Context<'_>) -> Poll<Closing> {
        let mut ending = lock(&self.ending);
        match ending.wanted.clone() {
            Some(closing) => Poll::Ready(closing),
            None => park(&mut ending, cx),
        }
    }

    /// Waits for what cannot wait until a handler has ended, or the node. To be polled by the connection's task alone,
    /// which hears of each further wish too.
    pub(crate) fn poll_urgent(&self, cx: &mut Context<'_>) -> Poll<Urgent> {
        let mut ending = lock(&self.ending);
        let _: Poll<()> = park(&mut ending, cx);
        match &ending.wanted {
            _ if ending.cancelled => Poll::Ready(Urgent::Cancel),
            None | Some(Closing::Drain) => Poll::Pending,
            Some(closing) => Poll::Ready(Urgent::Close(closing.clone())),
        }
    }

    /// Waits until the shard has written everything. To be polled by the connection's task alone.
    pub(crate) fn poll_drained(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut ending = lock(&self.ending);
        if ending.drained { Poll::Ready(()) } else { park(&mut ending, cx) }
    }
}

fn park<T>(ending: &mut CloseState, cx: &Context<'_>) -> Poll<T> {
    match &ending.waker {
        Some(waker) if waker.will_wake(cx.waker()) => {}
        _ => ending.waker = Some(cx.waker().clone()),
    }
    Poll::Pending
}

fn wake(ending: &mut CloseState) {
    if let Some(waker) = ending.waker.take() {
        waker.wake();
    }
}
