//! One worker's part of the registry: the queue in front of it, and the task that writes.

mod batch;
mod context;
mod deliver;
mod flush;
mod flush_queue;
#[cfg(all(test, feature = "model"))]
mod model;
mod outbox;
mod resync;
mod sink;
mod slot;
mod state;
mod stats;

pub(crate) use resync::{Affected, LossReason};
pub(crate) use sink::Sink;
pub(crate) use stats::ShardStats;

use std::cell::Cell;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use self::state::ShardState;
use self::stats::SentCounts;
use super::heartbeat::{Heartbeat, tick};
use super::{Closing, Connection};
use crate::auth::Access;
use crate::id::{ConnectionId, GroupName};
use crate::message::{Codec, EncodedMessage, Except, Overflow};
use crate::metrics::Meter;
use crate::sync::{Mutex, lock};

/// Commands of other threads that may wait; their senders wait beyond it.
const QUEUE: usize = 1024;
/// How many of them one turn takes before it writes.
const TURN: usize = 256;
/// How many connections of each kind are written before new commands are taken: under load, reading then interleaves
/// with writing, and connections not yet reached get more frames per system call. Measured on one core, 1,000 members,
/// CPU per delivery: 34 ns at 32, 38 ns at 64, 45 ns at 128; in 200 rooms of five it makes no difference.
const SLICE: usize = 32;

/// What a shard is asked to do by a sender or a member.
#[derive(Debug)]
pub(crate) enum Command {
    /// A connection enters a group.
    Join(SlotId, GroupName),
    /// A connection leaves a group.
    Leave(SlotId, GroupName),
    /// A message; its sender may want to know how many took it.
    Send(Target, Arc<EncodedMessage>, Except, Option<Receipt>),
    /// A frame for one connection, in its codec.
    SendFrame(SlotId, Bytes, Overflow),
    /// The members of groups, or everyone, may have missed something.
    Resync(Affected, LossReason),
    /// One connection may have.
    ResyncSlot(SlotId, Affected, LossReason),
}

/// Whom a message is for.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    Slot(SlotId),
    Group(GroupName),
    Everyone,
}

/// Says how many connections took a message; each shard has a clone, and the last to go ends the waiting.
#[derive(Debug, Clone)]
pub(crate) struct Receipt(mpsc::UnboundedSender<usize>);

impl Receipt {
    /// A receipt, and the numbers that come in on it.
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<usize>) {
        let (sender, numbers) = mpsc::unbounded_channel();
        (Self(sender), numbers)
    }

    pub(super) fn note(&self, taken: usize) {
        // Who asked may have stopped waiting.
        let _ = self.0.send(taken);
    }
}

/// A connection as its shard knows it: the serial number shows that the place was not given to another one since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotId {
    pub(crate) index: u32,
    pub(crate) serial: u64,
}

/// How outboxes are bounded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OutboxLimits {
    /// The bound of one outbox in bytes.
    pub(crate) max_bytes: usize,
    /// How long a socket may take nothing.
    pub(crate) write_timeout: Duration,
}

/// What a shard is told of the settings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ShardSettings {
    pub(crate) outbox: OutboxLimits,
    /// `None` when it is switched off.
    pub(crate) heartbeat: Option<Heartbeat>,
}

thread_local! {
    /// The shard whose worker this thread is.
    static HERE: Cell<usize> = const { Cell::new(0) };
}

/// The connections of one worker.
///
/// Its own thread changes it directly; other threads go through a bounded queue. A direct change first takes what
/// waits in the queue, so that one sender's messages keep their order whichever way they go. The lock is there because
/// with `WORKERS=0` the caller's runtime may move tasks between threads; on a worker it is never contended
/// (about 10 ns a turn).
#[derive(Debug)]
pub(crate) struct Shard {
    index: u16,
    /// Unique in the process, 0 for none.
    token: usize,
    /// With no thread of its own, every thread changes it directly.
    embedded: bool,
    load: AtomicUsize,
    settings: ShardSettings,
    /// The runtime of its worker; `None` in model checks, which have none.
    runtime: Option<Handle>,
    queue: mpsc::Sender<Command>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    waiting: mpsc::Receiver<Command>,
    book: ShardState,
    /// The task of [`Shard::run`], when it sleeps.
    waker: Option<std::task::Waker>,
}

impl State {
    /// Applies what other threads sent before.
    fn catch_up(&mut self) {
        while let Ok(command) = self.waiting.try_recv() {
            self.book.apply(command);
        }
    }

    fn wake(&mut self) {
        if self.book.has_work()
            && let Some(waker) = self.waker.take()
        {
            waker.wake();
        }
    }
}

/// A connection's place on a shard, from the choice of the worker to the end of its socket: a worker that is held up
/// is not given everybody who comes meanwhile.
#[derive(Debug)]
pub(crate) struct LoadGuard(Arc<Shard>);

impl Drop for LoadGuard {
    fn drop(&mut self) {
        self.0.load.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shard {
    pub(crate) fn new(index: u16, runtime: Option<Handle>, embedded: bool, settings: ShardSettings) -> Arc<Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let (queue, waiting) = mpsc::channel(QUEUE);
        Arc::new_cyclic(|this| Self {
            index,
            token: NEXT.fetch_add(1, Ordering::Relaxed),
            embedded,
            load: AtomicUsize::new(0),
            settings,
            runtime,
            queue,
            state: Mutex::new(State { waiting, book: ShardState::new(this.clone(), settings), waker: None }),
        })
    }

    /// Makes the current thread the shard's own.
    pub(crate) fn claim_thread(&self) {
        HERE.set(self.token);
    }

    /// Takes a place for a connection that is on its way.
    pub(crate) fn load_guard(self: &Arc<Self>) -> LoadGuard {
        self.load.fetch_add(1, Ordering::Relaxed);
        LoadGuard(self.clone())
    }

    /// How many connections it has, those on their way too.
    pub(crate) fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    fn is_here(&self) -> bool {
        self.embedded || HERE.get() == self.token
    }

    /// Changes the state at once, after what waits in the queue, and wakes the writer.
    fn direct<T>(&self, change: impl FnOnce(&mut ShardState) -> T) -> T {
        let mut state = lock(&self.state);
        state.catch_up();
        let result = change(&mut state.book);
        state.wake();
        result
    }

    /// Gives a connection its outbox.
    pub(crate) fn open(
        self: &Arc<Self>,
        id: ConnectionId,
        access: Access,
        codec: Codec,
        sink: Sink,
        meter: Meter,
    ) -> Arc<Connection> {
        self.direct(|book| {
            book.open(sink, |index| {
                let member = SlotId { index, serial: id.serial };
                Arc::new(Connection::new(id, access, codec, self.clone(), member, meter))
            })
        })
    }

    /// Takes the outbox away; what it held is dropped and the writing end closes.
    pub(crate) fn remove(&self, member: SlotId) {
        self.direct(|book| book.remove(member));
    }

    /// Takes an ended connection out of all its groups; its outbox stays until what it holds is written.
    pub(crate) fn leave_all(&self, member: SlotId) {
        self.direct(|book| book.leave_all(member));
    }

    /// Appends the last frame; nothing is accepted after it, and the connection hears when all is written.
    pub(crate) fn finish(&self, member: SlotId, last: Option<Bytes>) {
        self.direct(|book| book.finish(member, last));
    }

    /// Something was read from a connection.
    pub(crate) fn mark_active(&self, member: SlotId) {
        self.direct(|book| book.mark_active(member));
    }

    /// Nothing is read from a connection, or again something may be: its silence meanwhile does not count.
    pub(crate) fn pause_heartbeat(&self, member: SlotId, held: bool) {
        self.direct(|book| book.pause_heartbeat(member, held));
    }

    /// What a connection was sent so far, and how long nothing was read from it.
    pub(crate) fn activity(&self, member: SlotId) -> Option<(SentCounts, Duration)> {
        self.direct(|book| book.activity(member))
    }

    /// What its connections were sent, and what they were not.
    pub(crate) fn stats(&self) -> ShardStats {
        self.direct(|book| book.stats())
    }

    /// Answers a ping: at most one pong waits, for the newest ping.
    pub(crate) fn pong(&self, member: SlotId, frame: Bytes) {
        self.direct(|book| book.pong(member, frame));
    }

    /// The sink of a connection takes more, or has failed.
    pub(super) fn ready(&self, member: SlotId, result: Result<(), Closing>) {
        self.direct(|book| book.ready(member, result));
    }

    /// Its connections in `group`.
    pub(crate) fn members(&self, group: &GroupName, into: &mut Vec<Arc<Connection>>) {
        self.direct(|book| book.members(group, into));
    }

    /// Does or queues `command`.
    ///
    /// # Errors
    /// The command itself when the queue is full; [`Shard::submit`] with it then.
    pub(crate) fn try_submit(&self, command: Command) -> Result<(), Command> {
        if self.is_here() {
            self.direct(|book| book.apply(command));
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

    /// Waits until the queue has room for one more command, without sending it.
    pub(crate) async fn reserve(&self) -> Option<mpsc::Permit<'_, Command>> {
        if self.is_here() { None } else { self.queue.reserve().await.ok() }
    }

    /// As [`Shard::try_submit`], with a place that [`Shard::reserve`] gave.
    pub(crate) fn submit_reserved(&self, permit: Option<mpsc::Permit<'_, Command>>, command: Command) {
        match permit {
            Some(permit) => permit.send(command),
            None => self.direct(|book| book.apply(command)),
        }
    }

    /// Takes commands and writes, until the end of its worker.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut batch = Vec::new();
        let mut timer = tokio::time::interval(tick(self.settings.heartbeat));
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            poll_fn(|cx| {
                while timer.poll_tick(cx).is_ready() {
                    lock(&self.state).book.tick();
                }
                self.poll_work(cx, &mut batch)
            })
            .await;
            let more = {
                let mut state = lock(&self.state);
                state.book.settle();
                state.book.flush(SLICE);
                state.book.has_work()
            };
            if more {
                tokio::task::yield_now().await;
            }
        }
    }

    fn poll_work(&self, cx: &mut Context<'_>, batch: &mut Vec<Command>) -> Poll<()> {
        let mut state = lock(&self.state);
        let received = state.waiting.poll_recv_many(cx, batch, TURN);
        // Under the same lock: another thread that asks for members takes what waits behind these.
        batch.drain(..).for_each(|command| state.book.apply(command));
        if received.is_ready() || state.book.has_work() {
            return Poll::Ready(());
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Does something with every connection.
    pub(crate) fn for_each(&self, act: impl Fn(&Connection)) {
        self.direct(|book| book.for_each(act));
    }

    pub(crate) fn index(&self) -> u16 {
        self.index
    }

    /// The runtime of its worker, for tasks that any thread starts there.
    pub(crate) fn runtime(&self) -> Option<&Handle> {
        self.runtime.as_ref()
    }

    pub(crate) fn limits(&self) -> OutboxLimits {
        self.settings.outbox
    }

    #[cfg(all(test, feature = "model"))]
    pub(super) fn turn(&self) {
        let mut state = lock(&self.state);
        state.catch_up();
        state.book.settle();
        state.book.flush(SLICE);
    }
}
