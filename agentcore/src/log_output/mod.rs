//! The log of a program that `#[agentcore::main]` starts: one thread writes it to stderr.
//!
//! Nothing else writes to stderr, so no other thread waits for the reader of the log: a pipe that nobody reads, or a
//! disk that is full, costs lines and nothing else.

mod panic_line;
mod queue;

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use self::queue::LineQueue;
use crate::panic::log_anyway;
use crate::settings::Settings;

/// How long the end of the process waits for the last lines.
const END_WAIT: Duration = Duration::from_secs(1);
/// How long a thread that panics waits for its line, because the panic may abort the process.
const PANIC_WAIT: Duration = Duration::from_millis(100);

/// The lines that wait to be written to stderr. There is one stderr, so there is one queue.
static LINES: LineQueue = LineQueue::new();
/// Whether the thread that writes [`LINES`] runs.
static STARTED: AtomicBool = AtomicBool::new(false);

/// The log of this process. Dropping it waits for the last lines, if somebody reads them.
#[derive(Debug)]
pub(crate) struct LogOutput(());

impl LogOutput {
    /// Starts the thread that writes to stderr, and passes the lines of panics to it.
    ///
    /// # Errors
    /// The operating system cannot create a thread.
    pub(crate) fn start() -> io::Result<Self> {
        thread::Builder::new().name("agentcore-log".to_owned()).spawn(|| {
            LINES.write_to(io::stderr(), |dropped| {
                log_anyway(|| tracing::warn!(dropped, "log lines were dropped, because nobody read them"));
            });
        })?;
        STARTED.store(true, Ordering::Relaxed);
        std::panic::set_hook(Box::new(|info| {
            LINES.push(panic_line::text(info).as_bytes());
            LINES.wait_written(PANIC_WAIT);
        }));
        Ok(Self(()))
    }

    /// Writes one line, after those that wait.
    pub(crate) fn print(&self, line: impl Display) {
        // Makes room for the line.
        LINES.wait_written(END_WAIT);
        LINES.push(format!("{line}\n").as_bytes());
    }
}

impl Drop for LogOutput {
    fn drop(&mut self) {
        LINES.wait_written(END_WAIT);
    }
}

/// Installs the subscriber that logs to stderr with the level `LOG_LEVEL`, unless the program has installed its own.
/// Does nothing in programs that do not use `#[agentcore::main]`.
pub(crate) fn install_subscriber() {
    static ONCE: Once = Once::new();
    if !STARTED.load(Ordering::Relaxed) {
        return;
    }
    ONCE.call_once(|| {
        // `from_env` reports an invalid setting; until then the default level applies.
        let level = Settings::from_env().unwrap_or_default().log_level;
        let _ = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_writer(|| QueueWriter)
            .with_ansi(io::stderr().is_terminal())
            .try_init();
    });
}

/// Returns how many lines were dropped since the start, because nobody read them or they could not be written.
#[cfg(feature = "metrics")]
pub(crate) fn dropped_lines() -> u64 {
    LINES.dropped()
}

/// Adds each event, which is one write, to the queue.
struct QueueWriter;

impl Write for QueueWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        LINES.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
