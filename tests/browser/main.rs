//! The page of the chat, in real browsers.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test stops where it fails"
)]

mod hostile;
mod keyboard;
mod narrow;
mod page;
mod payloads;
mod returning;
mod rooms;
mod talking;
mod tokens;

use tests::browser::{Driver, missing};
use tokio::sync::{Mutex, MutexGuard};

const NOTHING: &[&str] = &[];
const MESSAGES: &str = "#messages .message .text";
const MEMBERS: &str = "#members .name";

/// Browsers, if there are any; one test at a time, because they are heavy.
async fn browsers() -> Option<(Driver, MutexGuard<'static, ()>)> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
    if let Some(reason) = missing() {
        assert!(std::env::var_os("CI").is_none(), "the page cannot be tested: {reason}");
        println!("SKIPPED: {reason}");
        return None;
    }
    let guard = ONE_AT_A_TIME.lock().await;
    Some((Driver::start(), guard))
}
