use agentcore::prelude::*;

#[message("say", crat = ::agentcore)]
struct Say {
    text: String,
}

fn main() {}
