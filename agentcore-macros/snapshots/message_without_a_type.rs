#[message]
struct RoomRef {
    #[validate(length(min = 1))]
    room: String,
}
