use agentcore::prelude::*;

#[message("say")]
struct Say {
    #[validate(lenght(min = 1))]
    text: String,
    #[validate(length(min = 1))]
    room: String,
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
