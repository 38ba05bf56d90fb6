use agentcore::prelude::*;

#[message("say")]
struct Say {
    text: String,
}

#[consumer(path = "/ws")]
struct Chat;

#[consumer]
impl Chat {
    #[on("say")]
    async fn say(&mut self, cx: &Context<Self>, msg: Say) -> Result<()> {
        let _ = (cx, msg);
        Ok(())
    }

    #[on(connect)]
    async fn hello(&mut self, msg: Say) {
        let _ = msg;
    }
}

fn main() {
    use agentcore::__private::ConsumerHandlers as _;
    let _ = (Chat::find("say"), Chat::HANDLERS.len());
}
