use agentcore::prelude::*;

#[message("say")]
struct Say {
    text: String,
}

#[consumer(path = "/ws", sends(Say))]
struct Chat;

fn main() {
    let _ = AgentCore::new(Settings::default()).consumer::<Chat>();
}
