use agentcore::prelude::*;

#[message("say")]
struct Say {
    text: String,
}

#[consumer(path = "/ws")]
struct Chat;

#[consumer]
impl Chat {
    #[on("say", rate_limit = exmpt)]
    async fn say(&mut self, msg: Say) {
        let _ = msg;
    }
}

fn main() {}
