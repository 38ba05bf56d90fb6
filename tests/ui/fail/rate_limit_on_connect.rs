use agentcore::prelude::*;

#[message("say")]
struct Say {
    text: String,
}

#[consumer(path = "/ws")]
struct Chat;

#[consumer]
impl Chat {
    #[on(connect, rate_limit = exempt)]
    async fn hello(&mut self) {}
}

fn main() {}
