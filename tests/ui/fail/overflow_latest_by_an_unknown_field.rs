use agentcore::prelude::*;

#[message("cursor", overflow = latest(user))]
struct Cursor {
    user_id: UserId,
    x: u32,
}

fn main() {}
