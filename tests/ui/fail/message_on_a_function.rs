use agentcore::prelude::*;

#[message("say")]
fn say() {}

fn main() {}
