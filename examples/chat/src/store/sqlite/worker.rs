//! A thread that owns a database connection and runs jobs for async code.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{error, fmt, io, thread};

use agentcore::Supervisor;
use agentcore::tokio::sync::{Mutex, mpsc, oneshot};
use rusqlite::{Connection, TransactionBehavior};

use super::schema::OpenError;
use crate::store::StoreError;

/// Capacity of the job queue. Callers wait while it is full, and their clients are not read meanwhile.
const QUEUE_CAPACITY: usize = 1024;

/// How long a transaction accepts further writes before it commits.
const BATCH_TIME: Duration = Duration::from_millis(5);

/// A handle of the thread. When the last clone is dropped, the thread finishes the queued jobs and ends.
///
/// A job that panics fails alone, or with the other writes of its transaction, and the thread goes on.
#[derive(Clone, Debug)]
pub(super) struct Worker {
    name: &'static str,
    jobs: mpsc::Sender<Job>,
    /// The panics of jobs, for the task of [`supervise`](Self::supervise).
    panics: Arc<Mutex<mpsc::Receiver<Panic>>>,
}

/// What a job panicked with.
type Panic = Box<dyn Any + Send>;

impl Worker {
    /// Starts the thread and opens its connection there.
    pub(super) async fn start(
        name: &'static str,
        path: &Path,
        open: fn(&Path) -> Result<Connection, OpenError>,
    ) -> Result<Self, StoreError> {
        let location = path.display().to_string();
        let path = path.to_owned();
        let (jobs, queue) = mpsc::channel(QUEUE_CAPACITY);
        let (panicked, panics) = mpsc::channel(1);
        let (opened, outcome) = oneshot::channel();
        let spawned = thread::Builder::new().name(name.to_owned()).spawn(move || match open(&path) {
            Ok(db) => {
                if opened.send(Ok(())).is_ok() {
                    run(db, queue, &panicked);
                }
            }
            // The receiver is gone if the future of `start` was dropped.
            Err(error) => drop(opened.send(Err(error))),
        });
        match spawned.map(|_detached| outcome) {
            Ok(outcome) => match outcome.await {
                Ok(Ok(())) => Ok(Self { name, jobs, panics: Arc::new(Mutex::new(panics)) }),
                Ok(Err(error)) => Err(StoreError::Open { location, source: Arc::new(error) }),
                Err(_closed) => Err(StoreError::Open { location, source: Arc::new(WorkerEnded) }),
            },
            Err(error) => Err(StoreError::Open { location, source: Arc::<io::Error>::new(error) }),
        }
    }

    /// Lists the thread among the tasks of the node, as a task that panics whenever a job does: the panic is logged and
    /// counted, and `/health` shows it.
    pub(super) fn supervise(&self, supervisor: &Supervisor) {
        let panics = self.panics.clone();
        supervisor.spawn(self.name, move || {
            let panics = panics.clone();
            async move {
                // The channel is closed when the thread has ended.
                if let Some(panic) = panics.lock().await.recv().await {
                    resume_unwind(panic);
                }
            }
        });
    }

    /// Returns whether both are handles of one thread.
    pub(super) fn is_same_thread(&self, other: &Self) -> bool {
        self.jobs.same_channel(&other.jobs)
    }

    /// Runs `work` in a transaction, possibly with other writes, and returns its result after the commit.
    ///
    /// Work that returns [`StoreError::NoSuchRoom`] must have changed nothing. Any other error rolls the transaction
    /// back.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, outcome) = oneshot::channel();
        let job = Job::Write(Box::new(PendingWrite { work, result: None, reply }));
        self.jobs.send(job).await.map_err(|_closed| ended())?;
        outcome.await.map_err(|_dropped| ended())?
    }

    /// Runs `work` outside a transaction.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, outcome) = oneshot::channel::<Result<T, StoreError>>();
        let job = Job::Read(Box::new(move |db| {
            // A caller that has dropped its future needs no answer, so its rows are not read.
            if !reply.is_closed() {
                drop(reply.send(work(db)));
            }
        }));
        self.jobs.send(job).await.map_err(|_closed| ended())?;
        outcome.await.map_err(|_dropped| ended())?
    }
}

enum Job {
    Read(Read),
    Write(Box<dyn Write>),
}

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// A write with the caller that waits for it.
trait Write: Send {
    /// Does the work and keeps its result. An error fails the whole transaction.
    fn run(&mut self, db: &Connection) -> Result<(), StoreError>;

    /// Answers the caller, with the kept result if the transaction was committed, else with its error.
    fn settle(self: Box<Self>, committed: Result<(), StoreError>);
}

struct PendingWrite<T, F> {
    work: F,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Write for PendingWrite<T, F>
where
    T: Send,
    F: FnMut(&Connection) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, db: &Connection) -> Result<(), StoreError> {
        match (self.work)(db) {
            Err(error) if !matches!(error, StoreError::NoSuchRoom(_)) => Err(error),
            result => {
                self.result = Some(result);
                Ok(())
            }
        }
    }

    fn settle(self: Box<Self>, committed: Result<(), StoreError>) {
        let Self { result, reply, .. } = *self;
        let answer = committed.and_then(|()| result.unwrap_or_else(|| Err(ended())));
        // The receiver is gone if the caller dropped its future.
        drop(reply.send(answer));
    }
}

fn run(mut db: Connection, mut queue: mpsc::Receiver<Job>, panicked: &mpsc::Sender<Panic>) {
    while let Some(job) = queue.blocking_recv() {
        // The unwinding drops the transaction, which rolls it back, and the replies, which fails the callers.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run_job(job, &mut db, &mut queue))) {
            // A full channel has an earlier panic that is not logged yet; one of them is enough.
            drop(panicked.try_send(panic));
        }
    }
}

fn run_job(job: Job, db: &mut Connection, queue: &mut mpsc::Receiver<Job>) {
    match job {
        Job::Read(read) => read(db),
        Job::Write(write) => {
            let mut batch = Batch { writes: vec![write], read: None };
            let committed = batch.commit(db, queue);
            for write in batch.writes {
                write.settle(committed.clone());
            }
            if let Some(read) = batch.read {
                read(db);
            }
        }
    }
}

/// The writes of one transaction, in the order of their calls.
struct Batch {
    writes: Vec<Box<dyn Write>>,
    /// A read from the queue ends the batch and runs after the commit: it must not see uncommitted data.
    read: Option<Read>,
}

impl Batch {
    fn commit(&mut self, db: &mut Connection, queue: &mut mpsc::Receiver<Job>) -> Result<(), StoreError> {
        // An immediate transaction takes the lock here and not between two statements.
        let transaction = match db.transaction_with_behavior(TransactionBehavior::Immediate) {
            Ok(transaction) => transaction,
            Err(error) => {
                // All waiting writes fail with this error; otherwise each would wait for a timeout of its own.
                while self.take_next(queue) {}
                return Err(error.into());
            }
        };
        let begun = Instant::now();
        let mut executed = 0;
        // Takes only writes that are already queued; those that arrive during the commit form the next batch.
        while let Some(write) = self.writes.get_mut(executed) {
            write.run(&transaction)?;
            executed += 1;
            if begun.elapsed() < BATCH_TIME {
                self.take_next(queue);
            }
        }
        // A transaction that is dropped, as by the `?` above, is rolled back.
        Ok(transaction.commit()?)
    }

    /// Adds one job from the queue; returns false if no further write can be added.
    fn take_next(&mut self, queue: &mut mpsc::Receiver<Job>) -> bool {
        if self.read.is_some() {
            return false;
        }
        match queue.try_recv() {
            Ok(Job::Write(write)) => self.writes.push(write),
            Ok(Job::Read(read)) => self.read = Some(read),
            Err(_empty_or_closed) => return false,
        }
        self.read.is_none()
    }
}

/// The cause of an error when a job was dropped without an answer.
#[derive(Debug)]
struct WorkerEnded;

impl fmt::Display for WorkerEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the thread of the store has panicked or ended")
    }
}

impl error::Error for WorkerEnded {}

/// Nothing was stored. The job may have been in a transaction with another one that panicked, so it may succeed later.
fn ended() -> StoreError {
    StoreError::Unavailable(Arc::new(WorkerEnded))
}
