//! Processes that end with this one.

use std::future::{Future, poll_fn};
use std::process::{ExitStatus, Stdio};
use std::task::Poll;
use std::time::Duration;
use std::{env, io};

use agentcore::{Error, Result};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// So long a child may take to end, a little more than a node takes to say goodbye to everybody (`SHUTDOWN_TIMEOUT`).
const PATIENCE: Duration = Duration::from_secs(15);

/// This program, started again to be something else.
pub(crate) struct Child {
    name: String,
    process: tokio::process::Child,
    /// What keeps it alive.
    input: Option<ChildStdin>,
}

impl Child {
    /// Starts this program with `words`; `settings` come on top of this one's environment.
    ///
    /// # Errors
    /// When the system does not start it.
    pub(crate) fn start<S: AsRef<std::ffi::OsStr>>(name: &str, words: &[S], settings: &[(&str, &str)]) -> Result<Self> {
        let program = env::current_exe().map_err(|error| failed(name, error))?;
        let mut command = Command::new(program);
        command.args(words).envs(settings.iter().copied());
        // In a group of its own: a terminal sends Ctrl-C to all of a group, and here the parent says who ends when.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().map_err(|error| failed(name, error))?;
        // Taken out, because waiting for a process ends its input.
        let input = process.stdin.take();
        Ok(Self { name: name.to_owned(), process, input })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id().unwrap_or_default()
    }

    /// What it says, once.
    pub(crate) fn output(&mut self) -> Option<ChildStdout> {
        self.process.stdout.take()
    }

    /// How it ended, when it has.
    pub(crate) async fn ended(&mut self) -> String {
        let ended = self.process.wait().await;
        format!("{} has ended ({})", self.name, ended.as_ref().map_or_else(ToString::to_string, ExitStatus::to_string))
    }

    /// Ends it.
    async fn stop(mut self) {
        drop(self.input.take());
        if timeout(PATIENCE, self.process.wait()).await.is_err() {
            drop(self.process.kill().await);
        }
    }
}

/// Waits for whichever ends first, and tells how.
pub(crate) async fn first_to_end<'a>(children: impl Iterator<Item = &'a mut Child>) -> String {
    let mut ends: Vec<_> = children.map(|child| Box::pin(child.ended())).collect();
    poll_fn(|cx| {
        for end in &mut ends {
            if let Poll::Ready(ended) = end.as_mut().poll(cx) {
                return Poll::Ready(ended);
            }
        }
        Poll::Pending
    })
    .await
}

/// Ends all of them at the same time.
pub(crate) async fn stop_all(children: impl IntoIterator<Item = Child>) {
    let stopping: Vec<_> = children.into_iter().map(|child| tokio::spawn(child.stop())).collect();
    for stopped in stopping {
        drop(stopped.await);
    }
}

/// In a child: ends when the parent has ended, or wants this.
pub(crate) async fn until_input_ends() {
    // Nobody writes anything; an error is an end as well.
    drop(tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await);
}

fn failed(name: &str, error: io::Error) -> Error {
    Error::system(format!("{name} cannot be started")).with_source(error)
}
