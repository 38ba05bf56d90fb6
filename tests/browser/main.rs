//! Tests of the chat's page in Chromium.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test stops where it fails"
)]

mod conversations;
mod escaping;
mod keyboard;
mod narrow;
mod page;
mod payloads;
mod reconnecting;
mod rooms;
mod tokens;

use tests::browser::{Driver, missing};
use tokio::sync::{Semaphore, SemaphorePermit};

const NOTHING: &[&str] = &[];
const MESSAGES: &str = "#messages .message .text";
const MEMBERS: &str = "#members .name";

/// Starts a driver, unless no browser is installed. At most two tests run at a time, because browsers need much memory.
async fn browsers() -> Option<(Driver, SemaphorePermit<'static>)> {
    static TWO_AT_A_TIME: Semaphore = Semaphore::const_new(2);
    if let Some(reason) = missing() {
        assert!(std::env::var_os("CI").is_none(), "the page cannot be tested: {reason}");
        println!("SKIPPED: {reason}");
        return None;
    }
    let permit = TWO_AT_A_TIME.acquire().await.unwrap();
    Some((Driver::start(), permit))
}
