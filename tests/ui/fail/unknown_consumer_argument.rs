use agentcore::prelude::*;

#[message("say")]
struct Say {
    text: String,
}

#[consumer(path = "/ws", send(Say))]
struct Chat;

#[consumer]
impl Chat {}

fn main() {}
