//! The server that the protocol tests use.

use std::time::Duration;

use agentcore::CloseCode;
use agentcore::error::ErrorCategory;
use agentcore::error::ErrorDetail;
use agentcore::prelude::*;
use serde_json::Value;
use tests::server::{Server, settings};
use tests::transport::Transport;

#[message("echo")]
pub(crate) struct Echo {
    #[serde(default)]
    text: String,
}

#[message("note")]
pub(crate) struct Note {
    text: String,
}

#[message("other_note")]
pub(crate) struct OtherNote {
    text: String,
}

#[message("order")]
pub(crate) struct Order {
    #[validate(length(min = 2, max = 5))]
    name: String,
    #[validate(range(min = 1, max = 10))]
    count: u32,
    #[serde(default)]
    #[validate(nested)]
    lines: Vec<Line>,
    #[serde(default)]
    extra: Option<Value>,
}

#[message]
pub(crate) struct Line {
    #[validate(length(max = 3))]
    text: String,
}

#[message("strict")]
#[serde(deny_unknown_fields)]
pub(crate) struct Strict {
    #[serde(default)]
    known: u8,
}

#[message("flags")]
pub(crate) struct Flags {
    of: std::collections::HashMap<bool, u8>,
}

/// Accepts only `{}`.
#[message("nothing")]
pub(crate) struct Nothing;

#[consumer(path = "/probe/{user_id}", sends(Note, OtherNote))]
pub(crate) struct Probe {
    #[path]
    #[user]
    user_id: UserId,
    #[query]
    lives: Option<u32>,
    heard: u32,
}

#[consumer]
impl Probe {
    #[on("echo")]
    async fn echo(&mut self, message: Echo) -> Echo {
        self.heard += 1;
        message
    }

    #[on("unit")]
    async fn unit(&mut self) {}

    #[on("none")]
    async fn none(&mut self) -> Option<Note> {
        None
    }

    #[on("some")]
    async fn some(&mut self) -> Option<Note> {
        Some(note("some"))
    }

    #[on("ok")]
    async fn ok(&mut self) -> Result<Note> {
        Ok(note("ok"))
    }

    #[on("ok_unit")]
    async fn ok_unit(&mut self) -> Result<()> {
        Ok(())
    }

    #[on("ok_none")]
    async fn ok_none(&mut self) -> Result<Option<Note>> {
        Ok(None)
    }

    #[on("nothing")]
    async fn nothing(&mut self, _: Nothing) -> Note {
        note("nothing")
    }

    #[on("order")]
    async fn order(&mut self, message: Order) -> Note {
        let Order { name, count, lines, .. } = message;
        let lines: String = lines.into_iter().map(|line| line.text).collect();
        Note { text: format!("{count} {name} {lines}") }
    }

    #[on("strict")]
    async fn strict(&mut self, message: Strict) -> Note {
        Note { text: message.known.to_string() }
    }

    #[on("flags")]
    async fn flags(&mut self, message: Flags) -> Note {
        Note { text: format!("{:?}", message.of.get(&true)) }
    }

    #[on("heard")]
    async fn heard(&mut self) -> Note {
        Note { text: format!("{} {:?} {}", self.user_id, self.lives, self.heard) }
    }

    #[on("notes_then_answer")]
    async fn notes_then_answer(&mut self, cx: &Context<Self>) -> Result<OtherNote> {
        cx.send(&note("first")).await?;
        cx.send(&note("second")).await?;
        Ok(OtherNote { text: "last".to_owned() })
    }

    #[on("answer_then_note")]
    async fn answer_then_note(&mut self, cx: &Context<Self>) -> Result<()> {
        cx.reply(&OtherNote { text: "first".to_owned() }).await?;
        cx.send(&note("second")).await
    }

    #[on("answer_twice")]
    async fn answer_twice(&mut self, cx: &Context<Self>) -> Result<()> {
        cx.reply(&note("once")).await?;
        let again = cx.reply(&note("twice")).await;
        let text = again.err().map_or("accepted".to_owned(), |error| error.code().to_owned());
        cx.send(&OtherNote { text }).await
    }

    #[on("answer_and_return")]
    async fn answer_and_return(&mut self, cx: &Context<Self>) -> Result<Note> {
        cx.reply(&note("answered")).await?;
        Ok(note("returned"))
    }

    #[on("answer_and_fail")]
    async fn answer_and_fail(&mut self, cx: &Context<Self>) -> Result<()> {
        cx.reply(&note("answered")).await?;
        Err(Error::authorization("but no"))
    }

    /// Replies from a task, after the handler has failed.
    #[on("answer_after_failure")]
    async fn answer_after_failure(&mut self, cx: &Context<Self>) -> Result<()> {
        let late = cx.clone();
        cx.spawn(async move {
            let answered = late.reply(&note("too late")).await;
            let text = answered.err().map_or("accepted".to_owned(), |error| error.code().to_owned());
            let _ = late.send(&OtherNote { text }).await;
        });
        Err(Error::authorization("no"))
    }

    #[on("forbidden")]
    async fn forbidden(&mut self) -> Result<()> {
        Err(Error::authorization("not for you"))
    }

    #[on("internal")]
    async fn internal(&mut self) -> Result<Note> {
        Err(Error::internal("the secret password is 1234"))
    }

    #[on("own_error")]
    async fn own_error(&mut self) -> Result<()> {
        let detail =
            ErrorDetail { field: "room".to_owned(), rule: "capacity".into(), message: "has no seat".to_owned() };
        Err(Error::new(ErrorCategory::Connection, "ROOM_IS_FULL", "no seat is free")
            .with_retry_after(Duration::from_micros(1_500_001))
            .with_details(vec![detail]))
    }

    #[on("fatal")]
    async fn fatal(&mut self) -> Result<()> {
        Err(Error::authorization("out").with_close(CloseCode::from(4000)))
    }

    #[on("unauthenticated")]
    async fn unauthenticated(&mut self) -> Result<()> {
        Err(Error::authentication("who are you?"))
    }

    #[on("close")]
    async fn close(&mut self, cx: &Context<Self>) -> Result<()> {
        cx.send(&note("goodbye")).await?;
        cx.close(CloseCode::from(4001), "enough");
        Ok(())
    }

    /// Yields to the reader before it closes.
    #[on("close_later")]
    async fn close_later(&mut self, cx: &Context<Self>) {
        tokio::task::yield_now().await;
        cx.close(CloseCode::from(4001), "enough");
        tokio::task::yield_now().await;
    }
}

pub(crate) fn note(text: &str) -> Note {
    Note { text: text.to_owned() }
}

/// Starts the server.
pub(crate) async fn probe(over: Transport) -> Server {
    let mut settings = settings();
    settings.ws_max_message_size = 100_000;
    Server::over(over, AgentCore::new(settings).consumer::<Probe>()).await
}
