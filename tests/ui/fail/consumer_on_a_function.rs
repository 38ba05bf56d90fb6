use agentcore::prelude::*;

#[consumer]
fn chat() {}

fn main() {}
