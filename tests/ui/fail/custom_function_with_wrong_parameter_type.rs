use agentcore::prelude::*;

fn check(number: &u32) -> std::result::Result<(), String> {
    Err(number.to_string())
}

#[message("say")]
struct Say {
    #[validate(custom(function = check))]
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
