use agentcore::prelude::*;

#[message("cursor", overflow = drop_old)]
struct Cursor {
    x: u32,
}

fn main() {}
