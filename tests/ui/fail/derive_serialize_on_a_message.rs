use agentcore::prelude::*;

#[message("say")]
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Say {
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
