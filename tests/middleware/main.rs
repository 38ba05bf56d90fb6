//! Middleware between connections and handlers: order, changes, replies, refusals, limits, logs.
#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test stops where it fails")]

use agentcore::error::Severity;
use agentcore::middleware::Middleware;
use agentcore::prelude::*;
use tests::client::Client;
use tests::room::Journal;
use tests::server::{Server, settings};

mod chain;
mod errors;
mod faults;
mod logging;
mod rate;
mod validation;

/// A text.
#[message]
pub struct Text {
    #[serde(default)]
    #[validate(length(max = 100))]
    text: String,
}

/// The reply.
#[message("note")]
pub struct Note {
    text: String,
}

/// Does what its messages say.
#[consumer(path = "/mirror/{user_id}", sends(Note))]
pub struct Mirror {
    #[path]
    #[user]
    user_id: UserId,
    #[state]
    journal: Journal,
}

#[consumer]
impl Mirror {
    #[on("echo")]
    async fn echo(&mut self, message: Text) -> Note {
        self.journal.note(format!("echo {}", message.text));
        Note { text: message.text }
    }

    #[on("quiet")]
    async fn quiet(&mut self) {
        self.journal.note("quiet");
    }

    #[on("typing", rate_limit = exempt)]
    async fn typing(&mut self) {}

    #[on("search", rate_limit = "2/1h")]
    async fn search(&mut self) {}

    #[on("export", rate_limit = cost(3))]
    async fn export(&mut self) {}

    #[on("early")]
    async fn early(&mut self, cx: &Context<Self>) -> Result<()> {
        cx.reply(&Note { text: "early".to_owned() }).await
    }

    #[on("refuse")]
    async fn refuse(&mut self) -> Result<()> {
        Err(Error::authorization("not you"))
    }

    #[on("fail")]
    async fn fail(&mut self) -> Result<()> {
        Err(Error::internal("secret\ncause")
            .with_severity(Severity::Critical)
            .with_component("history")
            .with_metadata("row", 7)
            .with_metadata("file", "a\nb"))
    }

    #[on("fail_elsewhere")]
    async fn fail_elsewhere(&mut self) -> Result<()> {
        Err(Error::internal("a job failed")
            .with_user(UserId::new("bob")?)
            .with_connection("00000000000000ab-7".parse()?)
            .with_message_type("job"))
    }

    #[on("remember")]
    async fn remember(&mut self, cx: &Context<Self>, message: Text) -> Result<Note> {
        cx.set_metadata("text", &message.text)?;
        Ok(Note { text: cx.metadata().get("text").unwrap_or_default() })
    }

    #[on("hang", timeout = "50ms")]
    async fn hang(&mut self) {
        std::future::pending::<()>().await;
    }

    #[on("hang_safely", timeout = "50ms", cancel_safe)]
    async fn hang_safely(&mut self) {
        std::future::pending::<()>().await;
    }

    #[on("panic")]
    async fn panic(&mut self) {
        panic!("the handler panicked");
    }
}

/// Starts a server whose messages pass through `middleware`.
async fn serve(middleware: impl Middleware) -> (Server, Journal) {
    let journal = Journal::default();
    (Server::start(app(journal.clone()).middleware(middleware)).await, journal)
}

fn app(journal: Journal) -> AgentCore {
    AgentCore::new(settings()).state(journal).consumer::<Mirror>()
}

async fn connect(server: &Server, user: &str) -> Client {
    Client::connect(server, &format!("/mirror/{user}")).await
}
