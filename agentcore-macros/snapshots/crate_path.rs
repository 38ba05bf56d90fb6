#[message("say", crate = crate::framework)]
struct Say {
    text: String,
}
