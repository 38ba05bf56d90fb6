use agentcore::prelude::*;

#[message("say")]
struct Say<T> {
    text: T,
}

fn main() {}
