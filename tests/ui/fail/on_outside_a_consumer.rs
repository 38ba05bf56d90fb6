use agentcore::prelude::*;

struct Chat;

impl Chat {
    #[on("say")]
    async fn say(&mut self) {}
}

fn main() {}
