use agentcore::prelude::*;

#[message(overflow = drop_oldest)]
struct Point {
    x: u32,
}

fn main() {}
