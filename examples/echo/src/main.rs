//! The smallest application: it says back what it is told.
//!
//! `cargo run -p echo`, then open a WebSocket to `ws://127.0.0.1:8000/ws` and send
//! `{"type": "echo", "data": {"text": "hello"}}`.

use agentcore::prelude::*;

/// What a client says, and what it hears.
#[message("echo")]
struct Echo {
    #[validate(length(min = 1, max = 1000))]
    text: String,
}

/// One connection.
#[consumer(path = "/ws")]
struct Parrot;

#[consumer]
impl Parrot {
    /// A message that a handler returns is its answer.
    #[on("echo")]
    async fn echo(&mut self, heard: Echo) -> Echo {
        heard
    }
}

#[agentcore::main]
async fn main() -> Result<()> {
    AgentCore::from_env()?.consumer::<Parrot>().serve().await
}
