#[message("history")]
struct History {
    #[validate(range(min = 1, exclusive_max = 100))]
    limit: u8,
}
