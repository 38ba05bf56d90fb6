//! The program that `#[agentcore::main]` generates.

use std::future::{Future, poll_fn};
use std::io::{self, Write};
use std::pin::pin;
use std::process::ExitCode;

use crate::error::Error;
use crate::log_output::{LogOutput, install_subscriber};

/// The exit code of a program that could not start, or whose `main` failed.
const FAILED: u8 = 2;

/// Runs `main` on a new tokio runtime with the log installed. An error is printed on one line, with exit code 2.
pub fn run_main<T: MainReturn>(main: impl Future<Output = T>) -> ExitCode {
    let log = match LogOutput::start() {
        Ok(log) => log,
        Err(error) => {
            // A stderr that cannot be written is ignored; `eprintln!` would panic.
            let _ = writeln!(io::stderr(), "error: cannot start the thread of the log: {error}");
            return ExitCode::from(FAILED);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            log.print(format_args!("error: cannot create the tokio runtime: {error}"));
            return ExitCode::from(FAILED);
        }
    };
    let outcome = runtime.block_on(async {
        let mut main = pin!(main);
        poll_fn(|cx| {
            let polled = main.as_mut().poll(cx);
            // After the first poll, so that `main` may begin with installing a subscriber of its own.
            install_subscriber();
            polled
        })
        .await
    });
    // Blocking tasks, such as a read of stdin, are not awaited.
    runtime.shutdown_background();
    match outcome.into_result() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The log may not show why a program could not start.
            log.print(format_args!("error: {error:?}"));
            ExitCode::from(FAILED)
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
