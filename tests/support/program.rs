//! Programs of this workspace, in processes of their own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::{env, thread};

use serde_json::Value;
use tokio::net::TcpStream;

use crate::wait::{soon, until};

/// Builds the program of a package, in the profile of the tests.
///
/// # Panics
/// If it cannot be built.
#[must_use]
pub fn built(package: &str) -> PathBuf {
    // This test is `<target>/<profile>/deps/<name>`.
    let test = env::current_exe().expect("a test has a file");
    let folder = test.ancestors().nth(2).expect("the folder of the profile");
    let target = folder.parent().expect("the folder of all profiles");
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()));
    cargo.args(["build", "--package", package, "--profile", profile, "--message-format", "json-render-diagnostics"]);
    cargo.arg("--target-dir").arg(target).current_dir(env!("CARGO_MANIFEST_DIR"));
    let built = cargo.stderr(Stdio::piped()).output().expect("cargo runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let messages = String::from_utf8(built.stdout).expect("UTF-8");
    let mut messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let program = messages.find_map(|message| message["executable"].as_str().map(PathBuf::from));
    program.expect("the package has a program")
}

/// The smallest application as a process; dropping it kills the process.
#[derive(Debug)]
pub struct Echo {
    process: Child,
    /// The address it listens on.
    pub address: SocketAddr,
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Echo {
    /// Starts it on a free port, under a limit of open files.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(files: u32) -> Self {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("ulimit -n {files}; exec \"$0\"")).arg(built("echo"));
        shell.env("PORT", "0").env("WORKERS", "1").stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = shell.spawn().expect("the program is there");
        let mut said = BufReader::new(process.stdout.take().expect("its output"));
        let mut line = String::new();
        said.read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("listening on http://").and_then(|address| address.parse().ok());
        // Drains the output, so that a full pipe cannot block the process.
        thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Self { process, address: address.unwrap_or_else(|| panic!("it says {line:?}")) }
    }

    /// Opens a TCP connection to it.
    ///
    /// # Panics
    /// If the system refuses one.
    pub async fn reach(&self) -> TcpStream {
        soon("a TCP connection", TcpStream::connect(self.address)).await.expect("the backlog has room")
    }

    /// Sends a signal by name, such as `TERM`.
    ///
    /// # Panics
    /// If the system has no `kill`.
    pub fn signal(&self, name: &str) {
        let killed = Command::new("kill").arg(format!("-{name}")).arg(self.process.id().to_string()).status();
        assert!(killed.expect("kill is there").success());
    }

    /// Waits until it exits.
    ///
    /// # Panics
    /// If it does not exit.
    pub async fn ended(&mut self) -> ExitStatus {
        until("the process ends", async || self.process.try_wait().expect("a child").is_some()).await;
        self.process.wait().expect("a status")
    }
}
