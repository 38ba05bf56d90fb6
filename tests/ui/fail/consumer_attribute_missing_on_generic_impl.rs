use agentcore::prelude::*;

#[consumer(path = "/ws")]
struct Chat<T: Default + Send + 'static> {
    value: T,
}

fn main() {}
