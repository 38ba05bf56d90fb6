use agentcore::prelude::*;

#[consumer(path = "/ws")]
struct Chat;

#[consumer(crat = ::agentcore)]
impl Chat {}

fn main() {}
