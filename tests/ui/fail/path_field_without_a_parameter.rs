use agentcore::prelude::*;

#[message("say")]
struct Say {
    text: String,
}

#[consumer(path = "/ws")]
struct Chat {
    #[path]
    room: String,
}

#[consumer]
impl Chat {
    #[on("say")]
    async fn say(&mut self, cx: &Context<Self>, msg: Say) -> Result<()> {
        let _ = (cx, msg);
        Ok(())
    }
}

fn main() {}
