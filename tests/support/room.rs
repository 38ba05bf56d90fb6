//! A consumer that does what a test asks for: the subject of the runtime and backend suites.

use std::sync::{Arc, Mutex, PoisonError};

use agentcore::CloseCode;
use agentcore::error::ErrorCategory;
use agentcore::prelude::*;
use serde_json::Value;
use tokio::sync::Semaphore;

/// The events of a test, in order.
#[derive(Debug, Clone, Default)]
pub struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    /// Adds a line.
    pub fn note(&self, line: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line.into());
    }

    /// Returns all lines.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns how often a line occurs.
    #[must_use]
    pub fn count(&self, line: &str) -> usize {
        self.lines().iter().filter(|other| *other == line).count()
    }
}

/// Blocks handlers until the test releases them, one per permit.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Semaphore>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }
}

impl Gate {
    /// Releases `count` handlers.
    pub fn open(&self, count: usize) {
        self.0.add_permits(count);
    }

    async fn pass(&self) {
        if let Ok(permit) = self.0.acquire().await {
            permit.forget();
        }
    }
}

/// Logs that it was dropped.
struct Guard(Journal, &'static str);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.note(self.1);
    }
}

/// A group.
#[message]
pub struct In {
    group: String,
}

/// A recipient and a text.
#[message]
pub struct Post {
    #[serde(default)]
    group: Option<String>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    connection: Option<String>,
    #[serde(default)]
    except_self: bool,
    #[serde(default)]
    except_user: Option<String>,
    #[serde(default)]
    text: Value,
}

/// The message that `post` sends.
#[message("posted")]
pub struct Posted {
    from: UserId,
    group: Option<String>,
    text: Value,
}

impl Posted {
    /// A text that no handler sends.
    #[must_use]
    pub fn new(from: &str, text: &str) -> Self {
        Self { from: UserId::new(from).expect("a user"), group: None, text: text.into() }
    }
}

/// A user has joined.
#[message("entered")]
pub struct Entered {
    group: String,
    user: UserId,
}

/// A user has left.
#[message("gone")]
pub struct Gone {
    group: String,
    user: UserId,
}

/// A list.
#[message("names")]
pub struct Names {
    names: Vec<String>,
}

/// Panics while it is validated.
#[message("unlucky")]
pub struct Unlucky {
    #[validate(custom(function = panics))]
    text: String,
}

fn panics(text: &str) -> Result<(), String> {
    assert!(text != "boom", "a rule panicked");
    Ok(())
}

/// The consumer of the module's description.
#[consumer(path = "/room/{user_id}", sends(Posted, Entered, Gone, Names))]
pub struct Room {
    #[path]
    #[user]
    user_id: UserId,
    /// The actions of `connect`, as comma-separated words.
    #[query]
    connect: Option<String>,
    /// The actions of `disconnect`.
    #[query]
    disconnect: Option<String>,
    #[state]
    journal: Journal,
    #[state]
    gate: Gate,
}

#[consumer]
impl Room {
    #[on(connect)]
    async fn hello(&mut self, cx: &Context<Self>) -> Result<()> {
        self.journal.note(format!("connect {}", self.user_id));
        for word in self.connect.as_deref().unwrap_or_default().split(',') {
            match word.split_once(':').unwrap_or((word, "")) {
                ("join", group) => drop(cx.join(group).await?),
                ("present", group) => self.enter(cx, group).await?,
                ("panic", _) => panic!("connect panicked"),
                ("fail", _) => return Err(Error::authorization("not you")),
                ("fail_with", code) => {
                    let code = code.parse().unwrap_or(4000);
                    return Err(Error::new(ErrorCategory::Authorization, "NOT_TODAY", "not you")
                        .with_close(CloseCode::from(code)));
                }
                ("wait", _) => self.gate.pass().await,
                ("hang", _) => std::future::pending().await,
                ("close", code) => cx.close(CloseCode::from(code.parse().unwrap_or(4000)), "closed by connect"),
                _ => {}
            }
        }
        Ok(())
    }

    #[on(disconnect)]
    async fn bye(&mut self, cx: &Context<Self>, reason: CloseReason) {
        self.journal.note(format!("disconnect {} {}", self.user_id, u16::from(reason.code)));
        match self.disconnect.as_deref() {
            Some("panic") => panic!("disconnect panicked"),
            Some("hang") => std::future::pending().await,
            Some("wait") => self.gate.pass().await,
            Some("spawn") => {
                let guard = Guard(self.journal.clone(), "late task dropped");
                cx.spawn(async move {
                    let _guard = guard;
                    std::future::pending::<()>().await;
                });
            }
            _ => {}
        }
        self.journal.note(format!("disconnected {}", self.user_id));
    }

    #[on("join")]
    async fn join(&mut self, cx: &Context<Self>, message: In) -> Result<Names> {
        let new = cx.join(message.group).await?;
        Ok(Names { names: vec![new.to_string()] })
    }

    #[on("leave")]
    async fn leave(&mut self, cx: &Context<Self>, message: In) -> Result<Names> {
        let was_in = cx.leave(message.group).await?;
        Ok(Names { names: vec![was_in.to_string()] })
    }

    /// Leaves, under a deadline that is too short for a backend with delays.
    #[on("leave_hastily", timeout = "5ms", cancel_safe)]
    async fn leave_hastily(&mut self, cx: &Context<Self>, message: In) -> Result<()> {
        cx.leave(message.group).await?;
        Ok(())
    }

    #[on("enter")]
    async fn enter_group(&mut self, cx: &Context<Self>, message: In) -> Result<()> {
        self.enter(cx, &message.group).await
    }

    #[on("groups")]
    async fn groups(&mut self, cx: &Context<Self>) -> Names {
        Names { names: cx.groups().iter().map(ToString::to_string).collect() }
    }

    #[on("me")]
    async fn me(&mut self, cx: &Context<Self>) -> Names {
        Names { names: vec![cx.id().to_string(), cx.user_id().to_string()] }
    }

    #[on("post")]
    async fn post(&mut self, cx: &Context<Self>, message: Post) -> Result<()> {
        let Post { group, user, connection, except_self, except_user, text } = message;
        let posted = Posted { from: self.user_id.clone(), group: group.clone(), text };
        let mut to = match (group, user, connection) {
            (Some(group), ..) => cx.group(group),
            (_, Some(user), _) => cx.user(user),
            (.., Some(connection)) => cx.connection(connection.parse()?),
            _ => cx.everyone(),
        };
        if except_self {
            to = to.except_self();
        }
        if let Some(user) = except_user {
            to = to.except_user(user);
        }
        to.send(&posted).await
    }

    /// Sends to itself, to a group and to a user, in turn.
    #[on("mixture")]
    async fn mixture(&mut self, cx: &Context<Self>, message: Post) -> Result<()> {
        let (Some(group), Some(user)) = (&message.group, &message.user) else { return Ok(()) };
        let Some(first) = message.text.as_u64() else { return Ok(()) };
        for number in first..first + 6 {
            let group_name = Some(group.clone());
            let posted = Posted { from: self.user_id.clone(), group: group_name, text: number.into() };
            match number % 3 {
                0 => cx.group(group).send(&posted).await?,
                1 => cx.user(user).send(&posted).await?,
                _ => cx.group(group).except_self().send(&posted).await?,
            }
        }
        Ok(())
    }

    #[on("panic")]
    async fn panic(&mut self) {
        panic!("the handler panicked");
    }

    #[on("panic_later")]
    async fn panic_later(&mut self) {
        tokio::task::yield_now().await;
        panic!("the handler panicked later");
    }

    /// Panics while it is dropped at its deadline.
    #[on("panic_at_its_end", timeout = "20ms", cancel_safe)]
    async fn panic_at_its_end(&mut self) {
        struct Unlucky;
        impl Drop for Unlucky {
            fn drop(&mut self) {
                panic!("a destructor panicked");
            }
        }
        let _unlucky = Unlucky;
        std::future::pending::<()>().await;
    }

    #[on("unlucky")]
    async fn unlucky(&mut self, message: Unlucky) {
        self.journal.note(message.text);
    }

    #[on("stuck", timeout = "50ms")]
    async fn stuck(&mut self) {
        let _guard = Guard(self.journal.clone(), "stuck dropped");
        std::future::pending::<()>().await;
    }

    #[on("stuck_safely", timeout = "50ms", cancel_safe)]
    async fn stuck_safely(&mut self) {
        let _guard = Guard(self.journal.clone(), "stuck safely dropped");
        std::future::pending::<()>().await;
    }

    /// Waits until the test releases it.
    #[on("wait")]
    async fn wait(&mut self) {
        self.journal.note("wait begins");
        self.gate.pass().await;
        self.journal.note("wait ends");
    }

    /// Blocks its worker for this many milliseconds.
    #[on("block")]
    async fn block(&mut self, message: Post) {
        self.journal.note("block begins");
        std::thread::sleep(std::time::Duration::from_millis(message.text.as_u64().unwrap_or_default()));
    }

    #[on("tick")]
    async fn tick(&mut self, cx: &Context<Self>) {
        let (own, guard) = (cx.clone(), Guard(self.journal.clone(), "ticker dropped"));
        cx.spawn(async move {
            let _guard = guard;
            let posted = Posted { from: own.user_id().clone(), group: None, text: "tick".into() };
            while own.send(&posted).await.is_ok() {
                tokio::task::yield_now().await;
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        });
    }

    #[on("panicking_task")]
    async fn panicking_task(&mut self, cx: &Context<Self>) {
        let guard = Guard(self.journal.clone(), "panicking task dropped");
        cx.spawn(async move {
            let _guard = guard;
            panic!("a task panicked");
        });
    }

    #[on("close")]
    async fn close(&mut self, cx: &Context<Self>, message: Post) {
        let code = message.text.as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(1000);
        cx.close(CloseCode::from(code), "as you wish");
    }
}

impl Room {
    async fn enter(&self, cx: &Context<Self>, group: &str) -> Result<()> {
        let user = self.user_id.clone();
        let joined = Entered { group: group.to_owned(), user: user.clone() };
        cx.join_present(group, &joined, &Gone { group: group.to_owned(), user }).await?;
        Ok(())
    }
}

/// Returns an application with the room, and the log it writes to.
pub fn room(settings: Settings) -> (AgentCore, Journal, Gate) {
    let (journal, gate) = (Journal::default(), Gate::default());
    let app = AgentCore::new(settings).state(journal.clone()).state(gate.clone()).consumer::<Room>();
    (app, journal, gate)
}
