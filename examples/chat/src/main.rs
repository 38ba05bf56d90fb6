//! A chat: rooms, history, and a page to use it with.
//!
//! `cargo run --release -p chat`, then open <http://127.0.0.1:8000> in two windows. Read on in `consumer`, which says
//! what happens to a message; `messages` are the messages themselves.

mod consumer;
mod errors;
mod headers;
mod lists;
mod messages;
mod names;
mod page;
mod rest;
mod rooms;
mod settings;
mod store;

use std::sync::Arc;

use agentcore::prelude::*;

use consumer::Chat;
use settings::ChatSettings;
use store::{Sqlite, Store};

// A message is a few short-lived allocations on each of many threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[agentcore::main]
async fn main() -> Result<()> {
    let app = AgentCore::from_env()?;
    let settings = ChatSettings::load()?;
    let store: Store = Arc::new(Sqlite::open(&settings.db).await?);
    tracing::warn!("open mode: whoever opens /ws/alice is alice; this is for trying out");
    app.state(store).consumer::<Chat>().routes(page::routes()).routes(rest::routes()).serve().await
}
