use agentcore::prelude::*;

#[message("say")]
struct Say {
    text: String,
}

#[consumer(path = "/ws")]
struct Chat;

#[consumer]
impl Chat {
    #[on(connect)]
    async fn hello(&mut self) {}

    #[on(connect)]
    async fn welcome(&mut self) {}
}

fn main() {}
