//! Who holds a worker: a handler that computes or blocks instead of awaiting keeps everybody else there waiting.
//!
//! A worker measures each poll itself, which is exact and late. A thread looks at all workers, so that a handler that
//! never comes back is named too. Both count a turn once.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::Metrics;
use super::cells::{Cells, Turn};
use super::labels::Slot;

/// How long a handler may hold its worker.
pub(super) const TOO_LONG: Duration = Duration::from_millis(100);
/// How often the thread looks.
const TICK: Duration = Duration::from_millis(50);

impl Metrics {
    /// A turn has held its worker for `time`, and may go on.
    pub(super) fn held(&self, cells: &Cells, turn: Turn, slot: Slot, time: Duration) {
        let Some(labels) = self.labels.received.get(usize::from(slot.0)) else { return };
        if cells.held(turn, slot)
            && let Some(suppressed) = self.held_lines.permit_key(&slot.0)
        {
            tracing::warn!(
                suppressed,
                consumer = labels.consumer,
                handler = labels.method,
                held_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
                "a handler holds its worker: everybody else there waits; move what blocks or computes to \
                 `tokio::task::spawn_blocking`"
            );
        }
    }
}

/// The thread that looks at all workers of a node, until this is dropped.
#[derive(Debug)]
pub(crate) struct Watchdog {
    _stop: Sender<()>,
}

impl Watchdog {
    /// Starts the thread.
    ///
    /// # Errors
    /// When there can be no more threads.
    pub(crate) fn start(metrics: Arc<Metrics>) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        // What it says goes to the log of who starts the node.
        let log = tracing::dispatcher::get_default(Clone::clone);
        std::thread::Builder::new().name("agentcore-watch".to_owned()).spawn(move || {
            let _log = tracing::dispatcher::set_default(&log);
            let mut seen: Vec<_> = metrics.workers.iter().map(|cells| (cells.turn(), Instant::now())).collect();
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                for (cells, seen) in metrics.workers.iter().zip(&mut seen) {
                    look(&metrics, cells, seen);
                }
            }
        })?;
        Ok(Self { _stop: stop })
    }
}

/// Compares a worker's turn with what it was, and since when.
fn look(metrics: &Metrics, cells: &Cells, seen: &mut (Turn, Instant)) {
    let (turn, now) = (cells.turn(), Instant::now());
    if turn != seen.0 {
        *seen = (turn, now);
        return;
    }
    let time = now.duration_since(seen.1);
    if let Some(slot) = turn.slot()
        && time > TOO_LONG
    {
        metrics.held(cells, turn, slot, time);
    }
}
