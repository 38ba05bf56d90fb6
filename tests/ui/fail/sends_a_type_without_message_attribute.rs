use agentcore::prelude::*;

#[message("say")]
struct Say {
    text: String,
}

struct Part;

#[consumer(path = "/ws", sends(Part))]
struct Chat;

#[consumer]
impl Chat {
    #[on("say")]
    async fn say(&mut self, cx: &Context<Self>, msg: Say) -> Result<()> {
        let _ = (cx, msg);
        Ok(())
    }
}

fn main() {}
