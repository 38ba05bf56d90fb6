//! A thread that owns a connection, and how async code hands it work.

use std::{
    error, fmt, io,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use agentcore::tokio::sync::{mpsc, oneshot};
use rusqlite::{Connection, TransactionBehavior};

use super::schema::OpenError;
use crate::store::StoreError;

/// How many calls may wait; further ones wait to wait, and their clients are not read from meanwhile.
const QUEUE: usize = 1024;

/// How long a transaction takes in new writes before it is committed.
const BATCH_TIME: Duration = Duration::from_millis(5);

/// The handle of the thread; when the last clone is dropped, the thread does what was handed to it and ends.
#[derive(Clone, Debug)]
pub(super) struct Worker {
    jobs: mpsc::Sender<Job>,
}

impl Worker {
    /// Starts the thread and opens its connection there.
    pub(super) async fn start(
        name: &str,
        path: &Path,
        open: fn(&Path) -> Result<Connection, OpenError>,
    ) -> Result<Self, StoreError> {
        let place = path.display().to_string();
        let path = path.to_owned();
        let (jobs, queue) = mpsc::channel(QUEUE);
        let (opened, outcome) = oneshot::channel();
        let spawned = thread::Builder::new().name(name.to_owned()).spawn(move || match open(&path) {
            Ok(db) => {
                if opened.send(Ok(())).is_ok() {
                    run(db, queue);
                }
            }
            // Nobody waits for the answer if `start` was dropped.
            Err(error) => drop(opened.send(Err(error))),
        });
        match spawned.map(|_detached| outcome) {
            Ok(outcome) => match outcome.await {
                Ok(Ok(())) => Ok(Self { jobs }),
                Ok(Err(error)) => Err(StoreError::Open { place, source: Arc::new(error) }),
                Err(_gone) => Err(StoreError::Open { place, source: Arc::new(Ended) }),
            },
            Err(error) => Err(StoreError::Open { place, source: Arc::<io::Error>::new(error) }),
        }
    }

    /// Runs `work` in a transaction, with other writes; what it returns comes back once all of it is committed.
    ///
    /// Work that returns [`StoreError::NoSuchRoom`] must have changed nothing; any other error undoes the transaction.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, outcome) = oneshot::channel();
        let job = Job::Write(Box::new(Pending { work, done: None, reply }));
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
            // A caller that has gone needs no answer, and 1,000 rows are not read for it.
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

/// A write and the caller who waits for it.
trait Write: Send {
    /// Does the work and keeps its result. An error is for the whole transaction.
    fn run(&mut self, db: &Connection) -> Result<(), StoreError>;

    /// Answers the caller: with the kept result if the transaction was committed, else with why it was not.
    fn settle(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Pending<T, F> {
    work: F,
    done: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Write for Pending<T, F>
where
    T: Send,
    F: FnMut(&Connection) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, db: &Connection) -> Result<(), StoreError> {
        match (self.work)(db) {
            Err(error) if !matches!(error, StoreError::NoSuchRoom(_)) => Err(error),
            result => {
                self.done = Some(result);
                Ok(())
            }
        }
    }

    fn settle(self: Box<Self>, committed: Result<(), StoreError>) {
        let Self { done, reply, .. } = *self;
        let answer = committed.and_then(|()| done.unwrap_or_else(|| Err(ended())));
        // A caller that has gone is not told.
        drop(reply.send(answer));
    }
}

fn run(mut db: Connection, mut queue: mpsc::Receiver<Job>) {
    while let Some(job) = queue.blocking_recv() {
        match job {
            Job::Read(read) => read(&db),
            Job::Write(write) => {
                let mut batch = Batch { writes: vec![write], read: None };
                let committed = batch.commit(&mut db, &mut queue);
                for write in batch.writes {
                    write.settle(committed.clone());
                }
                if let Some(read) = batch.read {
                    read(&db);
                }
            }
        }
    }
}

/// The writes of one transaction, in the order of their calls.
struct Batch {
    writes: Vec<Box<dyn Write>>,
    /// A read ends the batch, because it must not see what is not committed; it runs next.
    read: Option<Read>,
}

impl Batch {
    fn commit(&mut self, db: &mut Connection, queue: &mut mpsc::Receiver<Job>) -> Result<(), StoreError> {
        // Immediate: the lock is taken, or waited for, here, and not between two statements.
        let transaction = match db.transaction_with_behavior(TransactionBehavior::Immediate) {
            Ok(transaction) => transaction,
            Err(error) => {
                // Whoever waited meanwhile gets the same answer, rather than one timeout after the other.
                while self.take_next(queue) {}
                return Err(error.into());
            }
        };
        let begun = Instant::now();
        let mut done = 0;
        // Does not wait for more writes: what comes during the commit is in the next batch.
        while let Some(write) = self.writes.get_mut(done) {
            write.run(&transaction)?;
            done += 1;
            if begun.elapsed() < BATCH_TIME {
                self.take_next(queue);
            }
        }
        // Dropping the transaction, here or at the `?` above, undoes it.
        Ok(transaction.commit()?)
    }

    /// Adds what waits in the queue, one job; false if there is no further write to add.
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

/// The cause when there is nobody to do the work.
#[derive(Debug)]
struct Ended;

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the thread of the store has ended")
    }
}

impl error::Error for Ended {}

fn ended() -> StoreError {
    StoreError::Failed(Arc::new(Ended))
}
