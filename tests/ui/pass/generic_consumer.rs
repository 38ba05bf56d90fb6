//! A consumer with type parameters.
#![deny(warnings)]

use std::marker::PhantomData;

use agentcore::__private::{ConsumerHandlers, ConsumerStruct};
use agentcore::consumer::Consumer;
use agentcore::prelude::*;

trait Store: Clone + Send + Sync + 'static {
    fn get(&self) -> String;
}

#[derive(Clone)]
struct Memory;

impl Store for Memory {
    fn get(&self) -> String {
        String::new()
    }
}

#[message("get")]
struct Get {
    key: String,
}

#[message("got")]
struct Got {
    value: String,
}

#[allow(dead_code)]
#[consumer(path = "/ws/{room}", sends(Got))]
struct Room<S: Store, const N: usize>
where
    S: Send,
{
    #[path]
    room: String,
    #[state]
    store: S,
    more: PhantomData<fn() -> S>,
}

#[consumer]
impl<S: Store, const N: usize> Room<S, N>
where
    S: Send,
{
    #[on("get")]
    async fn get(&mut self, cx: &Context<Self>, msg: Get) -> Result<Got> {
        let _ = (N, msg.key);
        cx.send(&Got { value: self.store.get() }).await?;
        Ok(Got { value: self.store.get() })
    }
}

fn is_consumer<C: Consumer>() -> &'static str {
    <C as ConsumerStruct>::PATH
}

fn main() {
    assert_eq!(is_consumer::<Room<Memory, 3>>(), "/ws/{room}");
    assert_eq!(Room::<Memory, 3>::find("get"), Some(0));
    assert_eq!(<Room<Memory, 3>>::sends()[0].name, Some("got"));
}
