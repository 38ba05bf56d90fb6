use agentcore::prelude::*;

#[consumer(path = "/ws")]
struct Chat;

#[consumer]
impl Chat {
    #[on(disconnect)]
    async fn bye(&mut self, reason: String) {
        drop(reason);
    }
}

fn main() {}
