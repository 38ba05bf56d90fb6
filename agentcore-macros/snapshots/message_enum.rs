#[message]
enum Target {
    Room {
        #[validate(length(min = 1))]
        room: String,
    },
    User(#[validate(email)] String),
    Everyone,
}
