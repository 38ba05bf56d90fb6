//! A chat: rooms, private messages, history, and a page to use it with.

mod store;

fn main() {}
