#[consumer(path = "/ws", sends(Said))]
struct Chat<S: Store>
where
    S: Send,
{
    #[state]
    store: S,
}
