use agentcore::prelude::*;

#[agentcore::main]
async fn main() -> Result<()> {
    7
}
