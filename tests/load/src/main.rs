//! The servers of the speed comparison, one binary for both: `load serve agentcore|axum-mpsc --port P`.
//!
//! Owns the command line and the line with the server's address. It measures nothing:
//! `compare.sh` starts these servers and points a load generator at them.

mod peer;
mod server;

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

/// Both servers use the same allocator, so that the comparison is not one of allocators.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "usage: load serve agentcore|axum-mpsc --port PORT";

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let outcome = match parse(&arguments) {
        Ok((Kind::AgentCore, port)) => server::run(port),
        Ok((Kind::AxumMpsc, port)) => peer::run(port),
        Err(mistake) => Err(format!("{mistake}\n{USAGE}").into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed; the exit code still reports the failure.
            let _ = writeln!(io::stderr(), "load: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints that `address` accepts connections; scripts wait for this line.
pub(crate) fn announce(address: SocketAddr) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "listening on http://{address}")?;
    out.flush()
}

#[derive(Debug, PartialEq)]
enum Kind {
    AgentCore,
    AxumMpsc,
}

fn parse(arguments: &[String]) -> Result<(Kind, u16), String> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let rest = match words.as_slice() {
        ["serve", rest @ ..] => rest,
        [other, ..] => return Err(format!("unknown command `{other}`, expected `serve`")),
        [] => return Err("a command is missing, expected `serve`".to_owned()),
    };
    let (kind, options) = match rest {
        ["agentcore", options @ ..] => (Kind::AgentCore, options),
        ["axum-mpsc", options @ ..] => (Kind::AxumMpsc, options),
        [other, ..] => {
            return Err(format!("unknown server `{other}`, expected one of: `agentcore`, `axum-mpsc`"));
        }
        [] => {
            return Err("a server is missing, expected one of: `agentcore`, `axum-mpsc`".to_owned());
        }
    };
    match options {
        ["--port", port] => match port.parse() {
            Ok(port) => Ok((kind, port)),
            Err(_) => Err(format!("`--port` is `{port}`, expected a number from 0 (any free port) to 65535")),
        },
        ["--port"] => Err("`--port` has no value, expected a number from 0 (any free port) to 65535".to_owned()),
        ["--port", _, other, ..] => Err(format!("unknown argument `{other}` after `--port`, expected nothing more")),
        [other, ..] => Err(format!("unknown argument `{other}`, expected `--port`")),
        [] => Err("`--port` is missing, expected a number from 0 (any free port) to 65535".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, parse};

    fn parse_words(line: &str) -> Result<(Kind, u16), String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_server_and_a_port_are_accepted() {
        assert_eq!(parse_words("serve agentcore --port 0"), Ok((Kind::AgentCore, 0)));
        assert_eq!(parse_words("serve axum-mpsc --port 65535"), Ok((Kind::AxumMpsc, 65535)));
    }

    #[test]
    fn a_mistake_lists_what_is_allowed() {
        for (line, part) in [
            ("", "`serve`"),
            ("run", "unknown command `run`"),
            ("serve", "`agentcore`, `axum-mpsc`"),
            ("serve axum --port 1", "`agentcore`, `axum-mpsc`"),
            ("serve agentcore", "`--port` is missing"),
            ("serve agentcore --prot 1", "unknown argument `--prot`"),
            ("serve agentcore --port", "has no value"),
            ("serve agentcore --port 65536", "to 65535"),
            ("serve agentcore --port 1 --port 2", "nothing more"),
        ] {
            let mistake = parse_words(line).err().unwrap_or_default();
            assert!(mistake.contains(part), "`{line}` gave `{mistake}`");
        }
    }
}
