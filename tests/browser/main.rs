//! Tests of the chat's page in Chromium.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test stops where it fails"
)]

mod composing;
mod conversations;
mod escaping;
mod keyboard;
mod names;
mod narrow;
mod page;
mod payloads;
mod reconnecting;
mod rooms;
mod storage;
mod tokens;

use tests::browser::{Driver, missing};
use tokio::sync::{Semaphore, SemaphorePermit};

const NOTHING: &[&str] = &[];
const MESSAGES: &str = "#messages .message .text";
const MEMBERS: &str = "#members .name";
/// A page cannot read why a server refuses it, so it lists the possible reasons.
const CONNECTION_REFUSED: &str = "The server refuses the connection. It may be full, it may not allow the address of this page \
                                  (ALLOWED_ORIGINS), or it may need a token, which a link to this page can include. The \
                                  log of the server has the reason.";

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
