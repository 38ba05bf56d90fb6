use agentcore::prelude::*;

#[message("say")]
struct Say {
    text: String,
}

struct Typing;

#[consumer(path = "/ws")]
struct Chat;

#[consumer]
impl Chat {
    #[on("say")]
    async fn say(&mut self, cx: &Context<Self>, msg: Say) -> Result<()> {
        let _ = (cx, msg);
        Ok(())
    }

    #[on("typing")]
    async fn typing(&mut self, cx: &Context<Self>, msg: Typing) -> Result<()> {
        let _ = (cx, msg);
        Ok(())
    }
}

fn main() {
    use agentcore::__private::ConsumerHandlers as _;
    let _ = (Chat::find("say"), Chat::HANDLERS.len());
}
