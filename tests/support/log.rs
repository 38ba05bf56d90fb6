//! Captures the log while a test runs.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

thread_local! {
    /// The capture of this thread, and its lowest level.
    static LISTENING: RefCell<Option<(Level, Log)>> = const { RefCell::new(None) };
}

thread_local! {
    /// Whether each line of this framework panics in this thread.
    static BROKEN: Cell<bool> = const { Cell::new(false) };
}

/// The capture of [`Log::warnings`], once a test has asked for it.
static WARNINGS: OnceLock<Log> = OnceLock::new();

/// The lines of the log, as the usual subscriber writes them.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

/// Captures while it lives.
#[derive(Debug)]
pub struct Listening(());

impl Drop for Listening {
    fn drop(&mut self) {
        LISTENING.take();
        BROKEN.set(false);
    }
}

impl Log {
    /// Captures the log of this thread while the guard lives: of a server, only one with `workers = 0`.
    ///
    /// All tests of a process share one subscriber, because tracing caches per event whether a subscriber wanted it, which
    /// would be wrong for the next test.
    #[must_use]
    pub fn capture(level: Level) -> (Self, Listening) {
        install();
        let log = Self::default();
        LISTENING.set(Some((level, log.clone())));
        (log, Listening(()))
    }

    /// Lets each line that the framework logs in this thread panic while the guard lives.
    #[must_use]
    pub fn broken() -> Listening {
        install();
        BROKEN.set(true);
        Listening(())
    }

    /// Captures warnings and errors of all threads from now on. That includes other tests of the process, so a test must
    /// look for text of its own.
    #[must_use]
    pub fn warnings() -> Self {
        install();
        WARNINGS.get_or_init(Self::default).clone()
    }

    fn write(&self, bytes: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
    }

    /// Returns the lines that contain a text.
    #[must_use]
    pub fn lines_with(&self, text: &str) -> Vec<String> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        String::from_utf8_lossy(&bytes).lines().filter(|line| line.contains(text)).map(ToOwned::to_owned).collect()
    }
}

fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let subscriber = tracing_subscriber::fmt().with_max_level(Level::TRACE).with_ansi(false).without_time();
        subscriber.with_writer(Listeners).init();
    });
}

/// The destination of one event.
struct Listener([Option<Log>; 2]);

impl Write for Listener {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.iter().flatten().for_each(|log| log.write(bytes));
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
        Listener([None, None])
    }

    fn make_writer_for(&self, event: &Metadata<'_>) -> Listener {
        assert!(!BROKEN.get() || !event.target().starts_with("agentcore"), "the log is broken");
        LISTENING.with_borrow(|listening| {
            let wanted = listening.as_ref().filter(|(level, _)| event.level() <= level);
            let warned = WARNINGS.get().filter(|_| *event.level() <= Level::WARN);
            Listener([wanted.map(|(_, log)| log.clone()), warned.cloned()])
        })
    }
}
