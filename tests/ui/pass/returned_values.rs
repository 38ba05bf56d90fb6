//! Every return type of a handler.
#![deny(warnings)]

use agentcore::prelude::*;

#[message("done")]
struct Done;

#[derive(Debug)]
enum Mine {
    Full,
}

impl From<Mine> for Error {
    fn from(error: Mine) -> Self {
        match error {
            Mine::Full => Error::authorization("the room is full"),
        }
    }
}

type Answer = Result<Option<Done>, Mine>;

#[consumer(path = "/ws")]
struct Chat;

#[consumer]
impl Chat {
    #[on("nothing")]
    async fn nothing(&mut self) {}

    #[on("unit")]
    async fn unit(&mut self) -> () {}

    #[on("message")]
    async fn message(&mut self) -> Done {
        Done
    }

    #[on("option")]
    async fn option(&mut self) -> Option<Done> {
        None
    }

    #[on("result_of_unit")]
    async fn result_of_unit(&mut self) -> Result<()> {
        Err(Mine::Full)?
    }

    #[on("result_of_message")]
    async fn result_of_message(&mut self) -> Result<Done> {
        let _: u8 = "256".parse::<u8>().internal()?;
        Ok(Done)
    }

    #[on("alias")]
    async fn alias(&mut self) -> Answer {
        Err(Mine::Full)
    }
}

fn main() {
    use agentcore::__private::ConsumerHandlers as _;
    let returned: Vec<_> = Chat::HANDLERS.iter().map(|handler| handler.returns.and_then(|known| known.name)).collect();
    assert_eq!(returned, [None, None, Some("done"), Some("done"), None, Some("done"), Some("done")]);
}
