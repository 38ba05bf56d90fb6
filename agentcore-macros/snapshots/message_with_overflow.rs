#[message("cursor", overflow = latest(room, user_id))]
struct Cursor {
    room: String,
    user_id: UserId,
    x: f64,
}
