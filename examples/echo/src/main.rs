//! The smallest application: it replies with the message that it receives.
//!
//! `cargo run -p echo`, then open a WebSocket to `ws://127.0.0.1:8000/ws` and send
//! `{"type": "echo", "data": {"text": "hello"}}`.

use agentcore::prelude::*;

/// The request and its reply.
#[message("echo")]
struct Echo {
    #[validate(length(min = 1, max = 1000))]
    text: String,
}

/// One connection.
#[consumer(path = "/ws")]
struct EchoConsumer;

#[consumer]
impl EchoConsumer {
    /// A message that a handler returns is the reply.
    #[on("echo")]
    async fn echo(&mut self, message: Echo) -> Echo {
        message
    }
}

#[agentcore::main]
async fn main() -> Result<()> {
    AgentCore::from_env()?.consumer::<EchoConsumer>().serve().await
}
