use agentcore::prelude::*;

#[message("say")]
enum Say {
    Text(String),
}

#[consumer(path = "/ws")]
struct Chat;

#[consumer]
impl Chat {
    #[on("say")]
    async fn say(&mut self, msg: Say) {
        let _ = msg;
    }
}

fn main() {}
