use agentcore::prelude::*;

#[message("Say")]
struct Say {
    #[validate(lenght(min = 1), email(text = "no"))]
    text: String,
}

#[consumer(path = "/ws/{room}", sends(Say), limit = 3)]
struct Chat {
    #[path]
    #[user]
    user_id: UserId,
}

#[consumer]
impl Chat {
    #[on("say", timout = "5s", rate_limit = "0/s")]
    async fn say(&mut self, msg: Say) {
        let _ = msg;
    }

    #[on(connect)]
    fn hello(&self) {}
}

fn main() {}
