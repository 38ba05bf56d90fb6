use agentcore::prelude::*;

#[consumer(path = "/ws")]
struct Chat;

#[consumer]
impl Chat {
    #[on("one")]
    async fn one(&mut self) {}
}

#[consumer]
impl Chat {
    #[on("two")]
    async fn two(&mut self) {}
}

fn main() {}
