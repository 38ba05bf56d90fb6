//! The framework's side of the comparison: messages and a consumer, settings from the environment, no storage.

use agentcore::prelude::*;

use crate::Failure;

#[message("join_room")]
struct JoinRoom {
    room: String,
}

#[message("chat_message")]
struct Say {
    room: String,
    text: String,
}

#[message("chat_message")]
struct Said {
    room: String,
    user_id: UserId,
    text: String,
}

#[message("newest", overflow = drop_newest)]
struct Newest {
    text: String,
}

#[message("oldest", overflow = drop_oldest)]
struct Oldest {
    text: String,
}

#[message("latest", overflow = latest(user_id))]
struct Latest {
    user_id: UserId,
    text: String,
}

#[message("echo")]
struct Echo {
    text: String,
}

#[consumer(path = "/ws/{user_id}", sends(Said, Newest, Oldest, Latest))]
struct Load {
    #[path]
    #[user]
    user_id: UserId,
    /// A group to join at once, for a client that sends nothing.
    #[query]
    room: Option<String>,
    /// The overflow policy of its messages; `disconnect` by default.
    #[query]
    policy: Option<String>,
}

#[consumer]
impl Load {
    #[on(connect)]
    async fn enter(&mut self, cx: &Context<Self>) -> Result<()> {
        if let Some(room) = &self.room {
            cx.join(room).await?;
        }
        Ok(())
    }

    #[on("join_room")]
    async fn join(&mut self, cx: &Context<Self>, message: JoinRoom) -> Result<()> {
        cx.join(message.room).await?;
        Ok(())
    }

    #[on("chat_message")]
    async fn say(&mut self, cx: &Context<Self>, message: Say) -> Result<()> {
        let Say { room, text } = message;
        match self.policy.as_deref() {
            Some("drop_newest") => cx.group(room).send(&Newest { text }).await,
            Some("drop_oldest") => cx.group(room).send(&Oldest { text }).await,
            Some("latest") => cx.group(room).send(&Latest { user_id: self.user_id.clone(), text }).await,
            _ => {
                let said = Said { room, user_id: self.user_id.clone(), text };
                cx.group(&said.room).send(&said).await
            }
        }
    }

    #[on("echo")]
    async fn echo(&mut self, message: Echo) -> Echo {
        message
    }
}

/// Serves on `127.0.0.1:port` until the process is stopped.
///
/// # Errors
/// If the port is in use.
pub(crate) fn run(port: u16) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut settings = Settings::from_env()?;
    settings.port = port;
    runtime.block_on(AgentCore::new(settings).consumer::<Load>().serve())?;
    Ok(())
}
