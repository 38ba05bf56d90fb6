use agentcore::prelude::*;

#[message("cursor", overflow = "drop_oldest")]
struct Cursor {
    x: u32,
}

fn main() {}
