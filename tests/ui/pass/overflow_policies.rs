//! Every overflow policy.

use agentcore::prelude::*;
use agentcore::message::{Message, Overflow};

#[message("line", overflow = disconnect)]
struct Line {
    text: String,
}

#[message("tick", overflow = drop_oldest)]
struct Tick {}

#[message("sample", overflow = drop_newest)]
struct Sample;

#[message("cursor", overflow = latest(room, user_id))]
struct Cursor {
    room: String,
    user_id: UserId,
    x: f64,
}

#[message("price", overflow = latest)]
struct Price {
    cents: u64,
}

#[message("plain")]
struct Plain {}

fn cursor(room: &str, user: &str, x: f64) -> Overflow {
    Cursor { room: room.to_owned(), user_id: UserId::new(user).unwrap(), x }.overflow()
}

fn main() {
    assert_eq!(Line { text: String::new() }.overflow(), Overflow::Disconnect);
    assert_eq!(Plain {}.overflow(), Overflow::Disconnect);
    assert_eq!(Tick {}.overflow(), Overflow::DropOldest);
    assert_eq!(Sample.overflow(), Overflow::DropNewest);
    assert_eq!(cursor("a", "b", 1.0), cursor("a", "b", 2.0));
    assert_ne!(cursor("a", "b", 1.0), cursor("a", "c", 1.0));
    assert_ne!(cursor("a", "bc", 1.0), cursor("ab", "c", 1.0));
    assert_eq!(Price { cents: 1 }.overflow(), Price { cents: 2 }.overflow());
}
