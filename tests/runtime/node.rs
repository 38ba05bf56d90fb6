//! The server of tests about whole processes: its handlers block and panic, and its log may be its own.

#![expect(clippy::panic, reason = "a handler panics on purpose")]

use std::io::{self, Write};

use agentcore::prelude::*;

/// Blocks the thread of its handler for good.
#[message("block")]
struct Block {}

/// Panics.
#[message("panic")]
struct Panic {}

#[consumer(path = "/ws")]
struct Faulty;

#[consumer]
impl Faulty {
    #[on("block")]
    async fn block(&mut self, _: Block) {
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "blocked").and_then(|()| out.flush());
        drop(out);
        loop {
            std::thread::park();
        }
    }

    #[on("panic")]
    async fn panic(&mut self, _: Panic) {
        panic!("the handler panicked");
    }
}

#[agentcore::main]
async fn main() -> Result<()> {
    if std::env::var_os("OWN_LOG").is_some() {
        // Without a time, which distinguishes it from the log of the framework.
        tracing_subscriber::fmt().without_time().with_ansi(false).with_writer(io::stderr).init();
        tracing::info!("the log is its own");
    }
    AgentCore::from_env()?.consumer::<Faulty>().serve().await
}
