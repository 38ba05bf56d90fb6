//! Every form of field, handler, parameter and argument.
#![forbid(unsafe_code)]
#![deny(warnings)]

use std::time::Duration;

use agentcore::__private::{ConsumerHandlers, ConsumerStruct};
use agentcore::middleware::HandlerRateLimit;
use agentcore::prelude::*;

#[derive(Clone, Default)]
struct History;

#[message("chat_message")]
struct Say {
    #[validate(length(min = 1, max = 50))]
    room: String,
}

#[message("chat_message")]
struct Said {
    room: String,
}

#[message]
struct RoomRef {
    room: String,
}

#[message("room_users")]
struct RoomUsers {
    room: String,
}

#[message("empty")]
struct Empty;

#[allow(dead_code)]
#[consumer(path = "/ws/{user_id}/{*rest}", sends(Said, RoomUsers))]
struct Chat {
    #[path]
    #[user]
    user_id: UserId,
    #[path("rest")]
    tail: String,
    #[query]
    version: Option<u32>,
    #[query("token")]
    secret: Option<String>,
    #[state]
    history: History,
    #[default(7)]
    lives: u32,
    lines: u32,
    #[cfg(any())]
    never: Missing,
}

#[consumer]
impl Chat {
    const MOST: u32 = 100;

    /// A method without `#[on]` stays as it is.
    fn count(&mut self) -> u32 {
        self.lines = (self.lines + 1).min(Self::MOST);
        self.lines
    }

    #[on("chat_message")]
    async fn say(&mut self, cx: &Context<Self>, msg: Say) -> Result<()> {
        self.count();
        cx.send(&Said { room: msg.room }).await
    }

    #[on("typing_start", rate_limit = exempt)]
    async fn typing(&mut self, _: &Context<Self>, RoomRef { room: _ }: RoomRef) {}

    #[on("get_room_users", timeout = "500ms", cancel_safe, rate_limit = "10/1m")]
    async fn users(&mut self, msg: RoomRef) -> Result<RoomUsers> {
        Ok(RoomUsers { room: msg.room })
    }

    #[on("first", rate_limit = "10/s", timeout = "5s")]
    async fn payload_first(&mut self, _msg: RoomRef, _cx: &Context<Self>) {}

    #[agentcore::on("neither")]
    async fn neither(&mut self) {}

    #[on("empty")]
    async fn with_lifetimes<'a>(&'a mut self, _cx: &'a Context<Chat>, _: Empty) {}

    // Handlers whose names could collide with names in generated code.
    #[on("data")]
    async fn data(&mut self, data: RoomRef) -> Option<Said> {
        Some(Said { room: data.room })
    }

    #[on("index")]
    async fn index(&mut self, _: RoomRef) {}

    #[on("r_type")]
    async fn r#type(&mut self, _: RoomRef) {}

    #[cfg(any())]
    #[on("gone")]
    async fn gone(&mut self, _: Missing) {}

    #[on("last")]
    async fn last(&mut self) {}

    #[on(connect)]
    async fn hello(&mut self, cx: &Context<Self>) -> Result<()> {
        cx.send(&Said { room: String::new() }).await
    }

    #[on(disconnect)]
    async fn bye(&mut self, _cx: &Context<Self>, _reason: CloseReason) {}
}

#[consumer(path = "/unit")]
struct Unit;

#[consumer]
impl Unit {}

#[consumer(path = "/braces", sends())]
struct Braces {
    #[user]
    user: Option<UserId>,
}

#[consumer]
impl Braces {
    #[on(connect)]
    async fn hello(&mut self) {}

    #[on(disconnect)]
    async fn bye(&mut self) {}
}

fn main() {
    assert_eq!(<Chat as ConsumerStruct>::PATH, "/ws/{user_id}/{*rest}");
    assert_eq!(<Chat as ConsumerStruct>::NAME, "Chat");
    assert_eq!(Chat::required().len(), 1);
    let sent: Vec<_> = Chat::sends().iter().map(|sent| sent.name).collect();
    assert_eq!(sent, [Some("chat_message"), Some("room_users")]);

    for (number, handler) in Chat::HANDLERS.iter().enumerate() {
        assert_eq!(Chat::find(handler.message_type), Some(number), "{}", handler.message_type);
    }
    assert_eq!(Chat::find("gone"), None);
    assert_eq!(Chat::find("connect"), None);
    let handler = |name: &str| Chat::HANDLERS[Chat::find(name).unwrap()];
    assert_eq!(handler("typing_start").rate_limit, HandlerRateLimit::Exempt);
    assert_eq!(handler("chat_message").rate_limit, HandlerRateLimit::Shared);
    let minute = HandlerRateLimit::Own { messages: 10, window: Duration::from_secs(60) };
    assert_eq!(handler("get_room_users").rate_limit, minute);
    assert_eq!(handler("get_room_users").timeout, Some(Duration::from_millis(500)));
    assert!(handler("get_room_users").cancel_safe);
    assert_eq!(handler("get_room_users").returns.unwrap().name, Some("room_users"));
    assert_eq!(handler("get_room_users").receives.unwrap().name, None);
    assert_eq!(handler("chat_message").receives.unwrap().name, Some("chat_message"));
    assert!(handler("chat_message").returns.is_none());
    assert!(handler("neither").receives.is_none());
    assert!(Unit::HANDLERS.is_empty());
}
