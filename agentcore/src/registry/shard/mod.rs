//! One worker's part of the registry: its connections, their outboxes and their groups.
//!
//! [`Shard`] is the lock, the queue of commands in front of it, and the task that delivers and writes. The state behind
//! the lock is [`ShardState`].

mod batch;
mod command;
mod context;
mod deliver;
mod flush;
mod flush_queue;
mod group;
mod membership;
#[cfg(all(test, feature = "model"))]
mod model;
mod outbox;
mod resync;
mod send_resync;
mod sink;
mod slot;
mod state;
mod stats;
mod tick;
mod write_waiter;

pub(crate) use command::{Command, Receipt, SlotId, Target};
pub(crate) use outbox::OutboxLimits;
pub(crate) use resync::{Affected, LossReason};
pub(crate) use sink::Sink;
pub(crate) use state::ShardSettings;
pub(crate) use stats::ShardStats;
pub(super) use write_waiter::WriteFailure;

use std::cell::Cell;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use self::state::ShardState;
use self::stats::SentCounts;
use self::write_waiter::{WriteReady, WriteWaiter};
use super::ConnectionHandle;
use super::heartbeat::tick_period;
use crate::id::GroupName;
use crate::sync::{Mutex, lock};

/// Number of commands from other threads that a shard queues. Senders wait when the queue is full.
const QUEUE: usize = 1024;
/// Largest number of commands that a turn applies before it writes.
const COMMANDS_PER_TURN: usize = 256;
/// Largest number of slots of each priority that a turn flushes before new commands are applied: under load, reading
/// then interleaves with writing, and connections not yet reached get more frames per system call. Measured on one
/// core, 1,000 members, CPU per delivery: 34 ns at 32, 38 ns at 64, 45 ns at 128; in 200 groups of five it makes no
/// difference.
const SLOTS_PER_TURN: usize = 32;

thread_local! {
    /// Token of the shard whose worker this thread is, 0 for none.
    static CURRENT: Cell<usize> = const { Cell::new(0) };
}

/// The connections of one worker.
///
/// The worker's own thread changes the state directly; other threads go through a bounded queue. A direct change first
/// applies the queued commands, so that one sender's messages keep their order on either way. The lock exists for
/// `WORKERS=0`, where the caller's runtime may move tasks between threads, and for queries of other threads, such as
/// statistics. On a worker it is rarely contended and costs about 10 ns a turn.
#[derive(Debug)]
pub(crate) struct Shard {
    index: u16,
    /// Unique in the process and never 0.
    token: usize,
    /// The shard has no thread of its own, so every thread changes it directly.
    embedded: bool,
    load: AtomicUsize,
    settings: ShardSettings,
    /// The runtime of its worker; `None` in model checks, which have none.
    runtime: Option<Handle>,
    queue: mpsc::Sender<Command>,
    state: Mutex<ShardState>,
}

/// One unit of a shard's load. A connection holds it from the choice of the worker to the end of its socket, so that a
/// busy worker does not get all connections that arrive meanwhile.
#[derive(Debug)]
pub(crate) struct LoadGuard(Arc<Shard>);

impl Drop for LoadGuard {
    fn drop(&mut self) {
        self.0.load.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shard {
    pub(crate) fn new(index: u16, runtime: Option<Handle>, embedded: bool, settings: ShardSettings) -> Arc<Self> {
        static NEXT_TOKEN: AtomicUsize = AtomicUsize::new(1);
        let (queue, commands) = mpsc::channel(QUEUE);
        Arc::new_cyclic(|this: &Weak<Self>| {
            let waiter = WriteWaiter::new(this.clone(), runtime.clone(), settings.outbox.write_timeout);
            Self {
                index,
                token: NEXT_TOKEN.fetch_add(1, Ordering::Relaxed),
                embedded,
                load: AtomicUsize::new(0),
                settings,
                runtime,
                queue,
                state: Mutex::new(ShardState::new(settings, commands, waiter)),
            }
        })
    }

    /// Makes the current thread the shard's own.
    pub(crate) fn claim_thread(&self) {
        CURRENT.set(self.token);
    }

    /// Adds one to the shard's load until the guard is dropped.
    pub(crate) fn load_guard(self: &Arc<Self>) -> LoadGuard {
        self.load.fetch_add(1, Ordering::Relaxed);
        LoadGuard(self.clone())
    }

    /// Number of connections, including those on their way to the worker.
    pub(crate) fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    pub(crate) fn index(&self) -> u16 {
        self.index
    }

    /// The runtime of the worker, for tasks that any thread starts there.
    pub(crate) fn runtime(&self) -> Option<&Handle> {
        self.runtime.as_ref()
    }

    /// Gives a connection its slot.
    pub(super) fn open(&self, handle: Arc<ConnectionHandle>, sink: Sink) -> SlotId {
        self.with_state(|state| state.open(handle, sink))
    }

    /// Removes a connection's slot. The outbox is dropped and the socket's writing half closes.
    pub(crate) fn remove(&self, id: SlotId) {
        self.with_state(|state| state.remove(id));
    }

    /// Removes an ended connection from all its groups. Its slot stays until the outbox is written.
    pub(crate) fn leave_all(&self, id: SlotId) {
        self.with_state(|state| state.leave_all(id));
    }

    /// Appends the last frame, after which nothing is accepted. The connection's task is notified when all is written.
    pub(crate) fn finish(&self, id: SlotId, last: Option<Bytes>) {
        self.with_state(|state| state.finish(id, last));
    }

    /// Records that data was read from a connection.
    pub(crate) fn mark_active(&self, id: SlotId) {
        self.with_state(|state| state.mark_active(id));
    }

    /// Sets whether the silence of a connection counts: it does not while the connection is not read.
    pub(crate) fn pause_heartbeat(&self, id: SlotId, paused: bool) {
        self.with_state(|state| state.pause_heartbeat(id, paused));
    }

    /// Answers a ping. Only the pong for the newest ping is sent.
    pub(crate) fn pong(&self, id: SlotId, frame: Bytes) {
        self.with_state(|state| state.pong(id, frame));
    }

    /// The sink of a slot takes bytes again, or has failed.
    pub(super) fn write_ready(&self, id: SlotId, result: Result<(), WriteFailure>) {
        self.with_state(|state| state.write_ready(id, result));
    }

    /// Messages that a connection was sent, and the time since data was last read from it.
    pub(super) fn activity(&self, id: SlotId) -> Option<(SentCounts, Duration)> {
        self.with_state(|state| state.activity(id))
    }

    pub(crate) fn stats(&self) -> ShardStats {
        self.with_state(|state| state.stats())
    }

    /// Appends the shard's members of `group` to `into`.
    pub(super) fn members(&self, group: &GroupName, into: &mut Vec<Arc<ConnectionHandle>>) {
        self.with_state(|state| state.members(group, into));
    }

    /// Calls `act` for every connection.
    pub(crate) fn for_each(&self, act: impl Fn(&ConnectionHandle)) {
        self.with_state(|state| state.for_each(act));
    }

    /// Applies `command` on the shard's own thread, or queues it on another.
    ///
    /// # Errors
    /// Returns the command if the queue is full. [`Shard::submit`] waits for room.
    pub(crate) fn try_submit(&self, command: Command) -> Result<(), Command> {
        if self.is_current() {
            self.with_state(|state| state.apply(command));
            return Ok(());
        }
        self.queue.try_send(command).map_err(|error| match error {
            mpsc::error::TrySendError::Full(command) | mpsc::error::TrySendError::Closed(command) => command,
        })
    }

    /// Queues `command` as soon as there is room.
    pub(crate) async fn submit(&self, command: Command) {
        // The receiver lives as long as the shard, so sending cannot fail.
        let _ = self.queue.send(command).await;
    }

    /// Waits until the queue has room for one more command, and reserves it.
    pub(crate) async fn reserve(&self) -> Option<mpsc::Permit<'_, Command>> {
        if self.is_current() { None } else { self.queue.reserve().await.ok() }
    }

    /// Submits a command with the result of [`Shard::reserve`].
    pub(crate) fn submit_reserved(&self, permit: Option<mpsc::Permit<'_, Command>>, command: Command) {
        match permit {
            Some(permit) => permit.send(command),
            None => self.with_state(|state| state.apply(command)),
        }
    }

    /// Applies commands, delivers and writes until the worker stops.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut batch = Vec::new();
        let mut timer = tokio::time::interval(tick_period(self.settings.heartbeat));
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            poll_fn(|cx| {
                while timer.poll_tick(cx).is_ready() {
                    lock(&self.state).tick();
                }
                self.poll_work(cx, &mut batch)
            })
            .await;
            if self.write() {
                tokio::task::yield_now().await;
            }
        }
    }

    fn is_current(&self) -> bool {
        self.embedded || CURRENT.get() == self.token
    }

    /// Changes the state after applying the queued commands, and wakes [`Shard::run`] if that makes work for it.
    fn with_state<T>(&self, change: impl FnOnce(&mut ShardState) -> T) -> T {
        let mut state = lock(&self.state);
        state.catch_up();
        let result = change(&mut state);
        state.wake();
        result
    }

    fn poll_work(&self, cx: &mut Context<'_>, batch: &mut Vec<Command>) -> Poll<()> {
        let mut state = lock(&self.state);
        let received = state.commands.poll_recv_many(cx, batch, COMMANDS_PER_TURN);
        // Under the same lock: a direct change on another thread must not apply later commands before these.
        batch.drain(..).for_each(|command| state.apply(command));
        if received.is_ready() || state.has_work() {
            return Poll::Ready(());
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Delivers and flushes once; true if there is more to do.
    fn write(&self) -> bool {
        let mut state = lock(&self.state);
        state.deliver_batches();
        state.flush(SLOTS_PER_TURN);
        state.has_work()
    }

    /// One turn of [`Shard::run`].
    #[cfg(all(test, feature = "model"))]
    fn run_once(&self) {
        lock(&self.state).catch_up();
        self.write();
    }
}

impl WriteReady for Shard {
    fn on_write_ready(&self, id: SlotId, result: Result<(), WriteFailure>) {
        self.write_ready(id, result);
    }
}
