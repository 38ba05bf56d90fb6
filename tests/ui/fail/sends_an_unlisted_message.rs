use agentcore::prelude::*;

#[message("say")]
struct Say {
    text: String,
}

#[message("said")]
struct Said {}

#[message("heard")]
struct Heard {}

#[consumer(path = "/ws", sends(Heard))]
struct Chat;

#[consumer]
impl Chat {
    #[on("say")]
    async fn say(&mut self, cx: &Context<Self>, msg: Say) -> Result<()> {
        let _ = (cx, msg);
        Ok(())
    }

    #[on("typing")]
    async fn typing(&mut self, cx: &Context<Self>) -> Result<()> {
        cx.send(&Said {}).await
    }
}

fn main() {
    use agentcore::__private::ConsumerHandlers as _;
    let _ = (Chat::find("say"), Chat::HANDLERS.len());
}
