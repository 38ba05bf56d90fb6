#[consumer(path = "/ws")]
struct Echo;
