//! What is logged while a test runs.

use std::cell::RefCell;
use std::io::Write;
use std::sync::{Arc, Mutex, Once, PoisonError};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

thread_local! {
    /// Who listens on this thread, and from which level on.
    static LISTENING: RefCell<Option<(Level, Log)>> = const { RefCell::new(None) };
}

/// The lines of the log, as the usual subscriber writes them.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

/// Listens while it lives.
#[derive(Debug)]
pub struct Listening(());

impl Drop for Listening {
    fn drop(&mut self) {
        LISTENING.take();
    }
}

impl Log {
    /// Captures what this thread logs while the guard lives: of a server, only one with `workers = 0`.
    ///
    /// There is one subscriber for all tests of a process: with one for each, tracing would remember of an event whether
    /// somebody wanted it a moment ago.
    #[must_use]
    pub fn capture(level: Level) -> (Self, Listening) {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let subscriber = tracing_subscriber::fmt().with_max_level(Level::TRACE).with_ansi(false).without_time();
            subscriber.with_writer(Listeners).init();
        });
        let log = Self::default();
        LISTENING.set(Some((level, log.clone())));
        (log, Listening(()))
    }

    /// The lines that have a text in them.
    #[must_use]
    pub fn lines_with(&self, text: &str) -> Vec<String> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        String::from_utf8_lossy(&bytes).lines().filter(|line| line.contains(text)).map(ToOwned::to_owned).collect()
    }
}

/// Where one event goes.
struct Listener(Option<Log>);

impl Write for Listener {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if let Some(Log(lines)) = &self.0 {
            lines.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct Listeners;

impl MakeWriter<'_> for Listeners {
    type Writer = Listener;

    fn make_writer(&self) -> Listener {
        Listener(None)
    }

    fn make_writer_for(&self, event: &Metadata<'_>) -> Listener {
        LISTENING.with_borrow(|listening| {
            let wanted = listening.as_ref().filter(|(level, _)| event.level() <= level);
            Listener(wanted.map(|(_, log)| log.clone()))
        })
    }
}
