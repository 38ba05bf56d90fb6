use agentcore::prelude::*;

#[consumer(path = "/ws")]
struct Chat;

#[consumer]
impl Chat {}

#[consumer]
impl Clone for Chat {
    fn clone(&self) -> Self {
        Self
    }
}

fn main() {}
