#[consumer(path = "/ws/{user_id}", sends(Said, RoomUsers))]
struct Chat {
    #[path]
    #[user]
    user_id: UserId,
    #[query("token")]
    secret: Option<String>,
    #[state]
    history: History,
    #[default(3 + 4)]
    lives: u32,
    lines: u32,
}
