//! The application that the nodes of these tests serve: users send numbers to groups.

use std::time::{SystemTime, UNIX_EPOCH};

use agentcore::prelude::*;

/// A group.
#[message]
pub(crate) struct In {
    group: String,
}

/// The next number of a sender, for a group.
#[message("say")]
pub(crate) struct Say {
    group: String,
    number: u64,
    /// Padding that makes the message long.
    #[serde(default)]
    padding: String,
}

/// The message that `say` sends.
#[message("said")]
pub(crate) struct Said {
    from: UserId,
    group: String,
    number: u64,
    /// When sending began, in microseconds, by the clock that all processes of a test share.
    at: u64,
    padding: String,
}

/// A user has joined.
#[message("came")]
pub(crate) struct Came {
    user: UserId,
}

/// A user has left.
#[message("went")]
pub(crate) struct Went {
    user: UserId,
}

/// Returns the time in microseconds, the same for all processes of this machine.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// The consumer of these tests.
#[consumer(path = "/hall/{user_id}", sends(Said, Came, Went))]
pub(crate) struct Hall {
    #[path]
    #[user]
    user_id: UserId,
}

#[consumer]
impl Hall {
    #[on("join")]
    async fn join(&mut self, cx: &Context<Self>, message: In) -> Result<()> {
        cx.join(message.group).await.map(drop)
    }

    #[on("leave")]
    async fn leave(&mut self, cx: &Context<Self>, message: In) -> Result<()> {
        cx.leave(message.group).await.map(drop)
    }

    #[on("enter")]
    async fn enter(&mut self, cx: &Context<Self>, message: In) -> Result<()> {
        let (came, went) = (Came { user: self.user_id.clone() }, Went { user: self.user_id.clone() });
        cx.join_present(message.group, &came, &went).await.map(drop)
    }

    #[on("say")]
    async fn say(&mut self, cx: &Context<Self>, message: Say) -> Result<()> {
        let Say { group, number, padding } = message;
        let said = Said { from: self.user_id.clone(), group, number, at: now(), padding };
        cx.group(&*said.group).send(&said).await
    }
}
