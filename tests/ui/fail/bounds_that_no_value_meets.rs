use agentcore::prelude::*;

#[message("say")]
struct Say {
    #[validate(length(min = 5, max = 1))]
    text: String,
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
