//! What one HTTP connection waits for, and until when.
//!
//! All of it is written and read by the task of the connection: its socket, its service and the bodies of its responses
//! run there. Only [`Progress::stalled_since`] is read by others.

use std::time::Duration;

use tokio::time::Instant;

use crate::settings::Settings;
use crate::sync::{Mutex, lock};

/// Time a client may take from the first byte of a request to the last byte of its headers. A new connection has the
/// same time until its first request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// The same for a response that nobody reads while the node stops: the other clients wait for it.
const STOPPING_WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// The slowest reading of a response, in bytes per second, after the first `WS_WRITE_TIMEOUT`. A client that takes a
/// byte now and then makes progress, but holds the response for ever.
const SLOWEST_READER: u64 = 1024;

/// How long the parts of a request and its response may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// Between two requests.
    idle: Duration,
    /// From the headers of a request to the end of its body.
    pub(super) body: Duration,
    /// While the socket accepts no bytes.
    write: Duration,
}

impl Timeouts {
    pub(super) fn new(settings: &Settings) -> Self {
        Self { idle: settings.http_idle_timeout, body: settings.http_body_timeout, write: settings.ws_write_timeout }
    }
}

/// What a connection waits for, shared by its socket, its requests and its responses.
#[derive(Debug)]
pub(super) struct Progress {
    timeouts: Timeouts,
    waiting: Mutex<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    phase: Phase,
    /// Since when the socket has accepted nothing.
    blocked_since: Option<Instant>,
    /// How long it has accepted nothing during this response, before `blocked_since`.
    blocked: Duration,
    /// Bytes of this response that it has accepted.
    written: u64,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// No byte of the next request has arrived.
    Idle { since: Instant, timeout: Duration },
    /// A part of the headers has arrived.
    Head { since: Instant },
    /// A request is being answered.
    Request,
    /// The response is complete, and a part of it may not be written yet.
    Responded,
}

impl Progress {
    /// Begins with a connection that has just been accepted.
    pub(super) fn new(timeouts: Timeouts) -> Self {
        let phase = Phase::Idle { since: Instant::now(), timeout: HEAD_TIMEOUT };
        Self {
            timeouts,
            waiting: Mutex::new(Waiting { phase, blocked_since: None, blocked: Duration::ZERO, written: 0 }),
        }
    }

    /// Notes that bytes have arrived.
    pub(super) fn read(&self) {
        let mut waiting = lock(&self.waiting);
        if matches!(waiting.phase, Phase::Idle { .. }) {
            waiting.phase = Phase::Head { since: Instant::now() };
        }
    }

    /// Notes that the headers of a request are complete.
    pub(super) fn requested(&self) {
        let mut waiting = lock(&self.waiting);
        waiting.phase = Phase::Request;
        (waiting.blocked, waiting.written) = (Duration::ZERO, 0);
    }

    /// Notes that a response is complete.
    pub(super) fn responded(&self) {
        lock(&self.waiting).phase = Phase::Responded;
    }

    /// Notes that the socket has accepted bytes.
    pub(super) fn wrote(&self, bytes: usize) {
        let mut waiting = lock(&self.waiting);
        waiting.written = waiting.written.saturating_add(bytes as u64);
        if let Some(since) = waiting.blocked_since.take() {
            waiting.blocked += since.elapsed();
        }
    }

    /// Notes that the socket accepts nothing.
    pub(super) fn blocked(&self) {
        lock(&self.waiting).blocked_since.get_or_insert_with(Instant::now);
    }

    /// Notes that everything is written.
    pub(super) fn flushed(&self) {
        let mut waiting = lock(&self.waiting);
        waiting.blocked_since = None;
        if matches!(waiting.phase, Phase::Responded) {
            waiting.phase = Phase::Idle { since: Instant::now(), timeout: self.timeouts.idle };
        }
    }

    /// Returns when the connection must end if nothing happens until then; `None` while a request is being answered.
    pub(super) fn deadline(&self, stopping: bool) -> Option<Instant> {
        let waiting = lock(&self.waiting);
        let for_request = match waiting.phase {
            Phase::Idle { since, timeout } => Some(since + timeout),
            Phase::Head { since } => Some(since + HEAD_TIMEOUT),
            Phase::Request | Phase::Responded => None,
        };
        let for_reader = waiting.blocked_since.map(|since| {
            let limit = if stopping { self.timeouts.write.min(STOPPING_WRITE_TIMEOUT) } else { self.timeouts.write };
            let allowed = limit + Duration::from_secs(waiting.written / SLOWEST_READER);
            since + limit.min(allowed.saturating_sub(waiting.blocked))
        });
        [for_request, for_reader].into_iter().flatten().min()
    }

    /// Returns since when the connection has waited for its client; `None` while it is busy.
    pub(super) fn stalled_since(&self) -> Option<Instant> {
        let waiting = lock(&self.waiting);
        match waiting.phase {
            Phase::Idle { since, .. } | Phase::Head { since } => Some(since),
            Phase::Request | Phase::Responded => waiting.blocked_since,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops where it fails")]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn progress() -> Progress {
        Progress::new(Timeouts { idle: 75 * SECOND, body: 10 * SECOND, write: 10 * SECOND })
    }

    /// Returns how long the connection may still wait.
    fn left(progress: &Progress) -> Option<Duration> {
        progress.deadline(false).map(|deadline| deadline - Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_waits_for_a_request_that_has_begun_and_longer_between_two() {
        let progress = progress();
        assert_eq!(left(&progress), Some(5 * SECOND), "until the first request");
        advance(3 * SECOND).await;
        progress.read();
        progress.read();
        assert_eq!(left(&progress), Some(5 * SECOND), "from its first byte");
        advance(SECOND).await;
        progress.read();
        assert_eq!(left(&progress), Some(4 * SECOND), "further bytes do not extend it");
        progress.requested();
        progress.flushed();
        assert_eq!((left(&progress), progress.stalled_since()), (None, None), "while it is answered");
        progress.responded();
        assert_eq!(left(&progress), None, "while it is written");
        progress.wrote(100);
        progress.flushed();
        assert_eq!(left(&progress), Some(75 * SECOND), "until the next request");
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_must_make_progress() {
        let progress = progress();
        progress.requested();
        progress.blocked();
        advance(4 * SECOND).await;
        progress.blocked();
        assert_eq!(left(&progress), Some(6 * SECOND), "since it was blocked first");
        assert_eq!(progress.deadline(true).unwrap(), Instant::now() - 3 * SECOND, "1 s while the node stops");
        assert_eq!(progress.stalled_since().unwrap(), Instant::now() - 4 * SECOND);
        progress.wrote(64 * 1024);
        assert_eq!((left(&progress), progress.stalled_since()), (None, None));
        progress.blocked();
        assert_eq!(left(&progress), Some(10 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_a_byte_now_and_then_has_no_more_time_than_one_that_takes_nothing() {
        let progress = progress();
        progress.requested();
        for second in 0..10 {
            progress.blocked();
            assert_eq!(left(&progress), Some((10 - second) * SECOND));
            advance(SECOND).await;
            progress.wrote(1);
        }
        progress.blocked();
        assert_eq!(left(&progress), Some(Duration::ZERO));
        progress.wrote(5 * 1024);
        progress.blocked();
        assert_eq!(left(&progress), Some(5 * SECOND), "a second for each KiB");
        progress.requested();
        progress.blocked();
        assert_eq!(left(&progress), Some(10 * SECOND), "each response has its own time");
    }
}
