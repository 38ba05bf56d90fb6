#[message("chat_message")]
#[serde(rename_all = "camelCase")]
struct Say {
    #[validate(length(min = 1, max = 50, message = "must name a room"), regex = "^[a-z]+$")]
    room_name: String,
    text: String,
}
