//! The program that `#[agentcore::main]` generates.

use std::fmt::Display;
use std::future::Future;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use crate::error::Error;
use crate::settings::Settings;

/// Runs `main` on a new tokio runtime with the log installed. An error is printed on one line, with exit code 2.
pub fn run_main<T: MainReturn>(main: impl Future<Output = T>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(format_args!("cannot create the tokio runtime: {error}")),
    };
    install_log();
    let outcome = runtime.block_on(main).into_result();
    // Blocking tasks, such as a read of stdin, are not awaited.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(format_args!("{error:?}")),
    }
}

/// Prints an error, because the log may not show why a program could not start. A stderr that cannot be written is ignored;
/// `eprintln!` would panic.
fn failed(error: impl Display) -> ExitCode {
    let _ = writeln!(io::stderr(), "error: {error}");
    ExitCode::from(2)
}

/// A type that an async `main` may return.
#[diagnostic::on_unimplemented(
    message = "an `#[agentcore::main]` cannot return `{Self}`",
    label = "not `()` or a `Result<(), E>`",
    note = "return `()` or `Result<(), E>` with an `E` that becomes an `agentcore::Error`"
)]
pub trait MainReturn {
    /// Returns the value of `main` as a result.
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

/// Installs a log to stderr with the level `LOG_LEVEL`, unless a subscriber is installed already.
fn install_log() {
    // `from_env` reports an invalid setting; until then the default level applies.
    let level = Settings::from_env().unwrap_or_default().log_level;
    let _ = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        // Otherwise a line that cannot be written, as on a full disk, panics in the thread that logs it.
        .log_internal_errors(false)
        .try_init();
}
