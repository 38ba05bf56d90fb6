use agentcore::prelude::*;

#[message("cursor", overflow = drop_oldest(user_id))]
struct Cursor {
    user_id: UserId,
}

fn main() {}
