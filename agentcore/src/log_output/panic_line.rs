//! The text that a panic writes to stderr, as std's own hook writes it.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt::Write;
use std::panic::PanicHookInfo;
use std::thread;

/// Returns the thread, the place and the message of a panic, and the backtrace if `RUST_BACKTRACE` asks for it.
pub(super) fn text(info: &PanicHookInfo<'_>) -> String {
    let thread = thread::current();
    let mut text = format!("\nthread '{}' panicked", thread.name().unwrap_or("<unnamed>"));
    // Writing to a string cannot fail.
    if let Some(location) = info.location() {
        let _ = write!(text, " at {location}");
    }
    let _ = writeln!(text, ":\n{}", info.payload_as_str().unwrap_or("a panic without a message"));
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        let _ = writeln!(text, "stack backtrace:\n{backtrace}");
    }
    text
}
