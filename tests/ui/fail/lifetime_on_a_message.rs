use agentcore::prelude::*;

#[message("say")]
struct Say<'a> {
    text: &'a str,
}

fn main() {}
