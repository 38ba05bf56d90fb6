use agentcore::prelude::*;

#[message("say")]
struct Say {
    text: String,
}

#[consumer(path = "/ws/{rooms}")]
struct Chat {
    #[path]
    rooms: Vec<String>,
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
