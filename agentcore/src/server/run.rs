//! The program that `#[agentcore::main]` generates.

use std::future::Future;
use std::process::ExitCode;

use crate::error::Error;
use crate::settings::Settings;

/// Runs `main` on a new tokio runtime with the log installed. An error is printed on one line, with exit code 2.
#[expect(clippy::print_stderr, reason = "the log may not show why a program could not start")]
pub fn run_main<T: MainReturn>(main: impl Future<Output = T>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot create the tokio runtime: {error}");
            return ExitCode::from(2);
        }
    };
    install_log();
    let outcome = runtime.block_on(main).into_result();
    // Blocking tasks, such as a read of stdin, are not awaited.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:?}");
            ExitCode::from(2)
        }
    }
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
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .try_init();
}
