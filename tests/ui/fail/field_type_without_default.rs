use agentcore::prelude::*;

#[message("say")]
struct Say {
    text: String,
}

struct History;

#[consumer(path = "/ws")]
struct Chat {
    history: History,
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
