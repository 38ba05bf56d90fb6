//! What `#[agentcore::main]` runs.

use std::future::Future;
use std::process::ExitCode;

use crate::error::Error;
use crate::settings::Settings;

/// Runs an application to its end: the tokio runtime, the log, and an error as one line with exit code 2.
#[expect(clippy::print_stderr, reason = "the last word of a program that could not start")]
pub fn run_main<T: MainReturn>(main: impl Future<Output = T>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the tokio runtime cannot be made: {error}");
            return ExitCode::from(2);
        }
    };
    install_log();
    let outcome = runtime.block_on(main).into_result();
    // Tasks that block, such as a read of stdin, are not waited for.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:?}");
            ExitCode::from(2)
        }
    }
}

/// What an async `main` may return.
#[diagnostic::on_unimplemented(
    message = "an `#[agentcore::main]` cannot return `{Self}`",
    label = "not `()` or a `Result<(), E>`",
    note = "return `()` or `Result<(), E>` with an `E` that becomes an `agentcore::Error`"
)]
pub trait MainReturn {
    /// The error, if there is one.
    ///
    /// # Errors
    /// The error that `main` returned.
    fn into_result(self) -> Result<(), Error>;
}

impl MainReturn for () {
    fn into_result(self) -> Result<(), Error> {
        Ok(())
    }
}

impl<E: Into<Error>> MainReturn for Result<(), E> {
    fn into_result(self) -> Result<(), Error> {
        self.map_err(Into::into)
    }
}

/// Logs to stderr from `LOG_LEVEL` on, unless a subscriber is there already.
fn install_log() {
    // A bad setting is told by `from_env`; until then the default holds.
    let level = Settings::from_env().unwrap_or_default().log_level;
    let _ = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .try_init();
}
