//! The program: the chat of `lib.rs`, on the settings of the environment.

use agentcore::Result;

// A message is a few short-lived allocations on each of many threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[agentcore::main]
async fn main() -> Result<()> {
    chat::from_env().await?.serve().await
}
