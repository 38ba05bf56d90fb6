//! Runs the chat of `lib.rs` with the settings of the environment.

use agentcore::Result;

// Messages are short-lived allocations on many threads, which this allocator handles well.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[agentcore::main]
async fn main() -> Result<()> {
    chat::from_env().await?.serve().await
}
