use agentcore::prelude::*;

#[consumer(path = "/ws")]
struct Chat;

#[consumer(path = "/ws")]
impl Chat {}

fn main() {}
