use agentcore::prelude::*;

struct Chat<T> {
    value: T,
}

#[consumer]
impl<T: Send + 'static> Chat<T> {
    #[on("say")]
    async fn say(&mut self) {
        let _ = &self.value;
    }
}

fn main() {}
