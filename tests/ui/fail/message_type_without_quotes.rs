use agentcore::prelude::*;

#[message(chat_message)]
struct Say {
    text: String,
}

fn main() {}
