//! The lines that wait to be written, and the loop that writes them.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bytes that may wait to be written. Further lines are dropped.
const MAX_PENDING: usize = 1024 * 1024;
/// Bytes of one write, which is as much as a pipe usually holds.
const WRITE_SIZE: usize = 64 * 1024;

/// A bounded queue of lines with one writer. Adding a line never waits for that writer.
#[derive(Debug)]
pub(super) struct LineQueue {
    state: Mutex<QueueState>,
    /// Notified when lines arrive.
    queued: Condvar,
    /// Notified when lines have been written.
    written: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug)]
struct QueueState {
    pending: Vec<u8>,
    /// Bytes that were queued since the start.
    queued: u64,
    /// Bytes that were written since the start, or could not be.
    done: u64,
    /// Start of the current write.
    writing_since: Option<Instant>,
}

impl LineQueue {
    pub(super) const fn new() -> Self {
        Self {
            state: Mutex::new(QueueState { pending: Vec::new(), queued: 0, done: 0, writing_since: None }),
            queued: Condvar::new(),
            written: Condvar::new(),
            dropped: AtomicU64::new(0),
        }
    }

    /// Adds whole lines, or drops and counts them if they do not fit.
    pub(super) fn push(&self, lines: &[u8]) {
        let mut state = self.lock();
        if state.pending.len() + lines.len() > MAX_PENDING {
            drop(state);
            self.count_dropped(lines);
            return;
        }
        state.pending.extend_from_slice(lines);
        state.queued += lines.len() as u64;
        drop(state);
        self.queued.notify_one();
    }

    /// Returns how many lines were dropped since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits until all lines that were added before have been written, at most for `limit`. Does not wait for a writer
    /// whose current write has lasted that long already, since nobody reads.
    pub(super) fn wait_written(&self, limit: Duration) {
        let called = Instant::now();
        let mut state = self.lock();
        let end = state.queued;
        while state.done < end {
            let since = state.writing_since.map_or(called, |since| since.min(called));
            let left = limit.saturating_sub(since.elapsed());
            if left.is_zero() {
                return;
            }
            state = self.written.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Writes all lines to `out`, for ever. `report` is called with the number of lines dropped since the start, once
    /// lines are written again and the queue has room for one more.
    pub(super) fn write_to(&self, mut out: impl Write, report: impl Fn(u64)) {
        let (mut lines, mut written, mut reported) = (Vec::new(), false, 0);
        let mut report_new = || {
            let dropped = self.dropped();
            if dropped > reported {
                reported = dropped;
                report(dropped);
            }
        };
        loop {
            self.take(&mut lines);
            if written {
                report_new();
            }
            written = self.write(&mut out, &lines);
            lines.clear();
            if written && self.lock().pending.len() < MAX_PENDING / 2 {
                report_new();
            }
        }
    }

    /// Returns whether all lines could be written.
    fn write(&self, out: &mut impl Write, lines: &[u8]) -> bool {
        let mut written = true;
        for portion in lines.chunks(WRITE_SIZE) {
            self.lock().writing_since = Some(Instant::now());
            if out.write_all(portion).and_then(|()| out.flush()).is_err() {
                written = false;
                self.count_dropped(portion);
            }
            let mut state = self.lock();
            state.writing_since = None;
            state.done += portion.len() as u64;
            drop(state);
            self.written.notify_all();
        }
        written
    }

    /// Waits for lines and moves them into `lines`, which is empty.
    fn take(&self, lines: &mut Vec<u8>) {
        let mut state = self.lock();
        while state.pending.is_empty() {
            state = self.queued.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut state.pending, lines);
    }

    fn count_dropped(&self, bytes: &[u8]) {
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        self.dropped.fetch_add(lines as u64, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops where it fails")]
mod tests {
    use std::io;
    use std::sync::mpsc::{self, Receiver, SyncSender};

    use super::*;

    /// A file whose reader takes one write at a time.
    struct Pipe(SyncSender<String>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            if text.contains("fail") {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.0.send(text).map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Starts a writer whose reader is the receiver. Reports of dropped lines become lines.
    fn start() -> (&'static LineQueue, Receiver<String>) {
        let queue: &'static LineQueue = Box::leak(Box::new(LineQueue::new()));
        let (sender, receiver) = mpsc::sync_channel(0);
        std::thread::spawn(move || {
            queue.write_to(Pipe(sender), |dropped| queue.push(format!("dropped {dropped}\n").as_bytes()));
        });
        (queue, receiver)
    }

    #[test]
    fn lines_are_written_in_their_order() {
        let (queue, reader) = start();
        let lines: Vec<_> = (0..1000).map(|number| format!("line {number}\n")).collect();
        lines.iter().for_each(|line| queue.push(line.as_bytes()));
        let mut read = String::new();
        while read.len() < lines.concat().len() {
            read += &reader.recv().unwrap();
        }
        assert_eq!(read, lines.concat());
        assert_eq!(queue.dropped(), 0);
    }

    #[test]
    fn lines_that_do_not_fit_are_counted_and_reported_once_somebody_reads() {
        let (queue, reader) = start();
        let line = format!("{}\n", "x".repeat(1023));
        // The writer may hold as much as the queue does.
        let pushed = 4 * (MAX_PENDING / line.len()) as u64;
        (0..pushed).for_each(|_| queue.push(line.as_bytes()));
        let dropped = queue.dropped();
        assert!(dropped >= pushed / 2, "{dropped} of {pushed}");
        let mut read = String::new();
        while !read.contains("dropped") {
            read += &reader.recv().unwrap();
        }
        assert!(read.ends_with(&format!("dropped {dropped}\n")));
        assert_eq!(read.matches('x').count() as u64, (pushed - dropped) * 1023);
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted_and_reported_with_the_next_ones() {
        let (queue, reader) = start();
        queue.push(b"fail\nfail\n");
        queue.wait_written(Duration::from_secs(60));
        assert_eq!(queue.dropped(), 2);
        queue.push(b"works\n");
        assert_eq!((reader.recv().unwrap(), reader.recv().unwrap()), ("works\n".to_owned(), "dropped 2\n".to_owned()));
    }

    #[test]
    fn the_wait_ends_when_lines_are_written_or_nobody_reads() {
        let (queue, reader) = start();
        queue.push(b"first\n");
        queue.wait_written(Duration::from_millis(1));
        queue.push(b"second\n");
        let read = std::thread::spawn(move || (reader.recv().unwrap(), reader.recv().unwrap(), reader));
        queue.wait_written(Duration::from_secs(60));
        let (first, second, _reader) = read.join().unwrap();
        assert_eq!((first.as_str(), second.as_str()), ("first\n", "second\n"));
    }
}
