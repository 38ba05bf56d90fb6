//! Child processes that end with this process.

use std::future::{Future, poll_fn};
use std::process::{ExitStatus, Stdio};
use std::task::Poll;
use std::time::Duration;
use std::{env, io};

use agentcore::{Error, Result};
use tokio::process::{ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// How long a child may take to end: a little longer than a node takes to drain its connections (`SHUTDOWN_TIMEOUT`).
const STOP_TIMEOUT: Duration = Duration::from_secs(15);

/// This program, running as another process with another role.
pub(crate) struct Child {
    name: String,
    process: tokio::process::Child,
    /// The child runs as long as this is open.
    stdin: Option<ChildStdin>,
}

impl Child {
    /// Starts this program with `arguments`, and adds `settings` to this process's environment.
    ///
    /// # Errors
    /// If the system cannot start the process.
    pub(crate) fn start<S: AsRef<std::ffi::OsStr>>(
        name: &str,
        arguments: &[S],
        settings: &[(&str, &str)],
    ) -> Result<Self> {
        let program = env::current_exe().map_err(|error| failed(name, error))?;
        let mut command = Command::new(program);
        command.args(arguments).envs(settings.iter().copied());
        // A process group of its own: a terminal sends Ctrl-C to all of a group, and the parent decides the order of
        // ends.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().map_err(|error| failed(name, error))?;
        // Taken out, because waiting for the process would close it.
        let stdin = process.stdin.take();
        Ok(Self { name: name.to_owned(), process, stdin })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id().unwrap_or_default()
    }

    /// Returns its stdout, on the first call.
    pub(crate) fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.process.stdout.take()
    }

    /// Waits for its end, and describes it.
    pub(crate) async fn ended(&mut self) -> String {
        let ended = self.process.wait().await;
        format!("{} has ended ({})", self.name, ended.as_ref().map_or_else(ToString::to_string, ExitStatus::to_string))
    }

    /// Closes its stdin and waits for its end; kills it if that takes too long.
    async fn stop(mut self) {
        drop(self.stdin.take());
        if timeout(STOP_TIMEOUT, self.process.wait()).await.is_err() {
            drop(self.process.kill().await);
        }
    }
}

/// Waits for the first child to end, and describes its end.
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

/// Stops all children at the same time.
pub(crate) async fn stop_all(children: impl IntoIterator<Item = Child>) {
    let stopping: Vec<_> = children.into_iter().map(|child| tokio::spawn(child.stop())).collect();
    for stopped in stopping {
        drop(stopped.await);
    }
}

/// Waits, in a child, until the parent closes stdin or ends.
pub(crate) async fn until_stdin_closes() {
    // The parent writes nothing. An error of reading counts as closed too.
    drop(tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await);
}

fn failed(name: &str, error: io::Error) -> Error {
    Error::system(format!("{name} cannot be started")).with_source(error)
}
