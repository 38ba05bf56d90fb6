#[message("say")]
struct Say {
    #[validate(custom(function = not_admin), nested)]
    author: Option<Author>,
}
