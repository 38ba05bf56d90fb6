#[agentcore::main]
fn main() {}
