//! A node of these tests in a process of its own, to be killed, frozen and drained. The environment has all it
//! needs to know.

mod application;

use agentcore::AgentCore;

#[agentcore::main]
async fn main() -> agentcore::Result<()> {
    AgentCore::from_env()?.consumer::<application::Hall>().serve().await
}
