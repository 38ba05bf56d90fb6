//! The chat as a running process.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::folder::TempFolder;
use crate::http::{Answer, read_answer};
use crate::program::built;
use crate::transport::Stream;
use crate::wait::{PATIENCE, block_until, soon, until_equal};

/// Returns the chat's program, built once a run, in the profile of the tests.
///
/// # Panics
/// If the build fails.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| built("chat"))
}

/// A running chat; dropping it kills the process.
#[derive(Debug)]
pub struct ChatServer {
    process: Child,
    port: u16,
    folder: TempFolder,
    settings: Vec<(String, String)>,
}

impl ChatServer {
    /// Starts a chat with a new database, on a free port, with a rate limit that no test reaches.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts a chat with these settings. An empty value counts as not set, which restores the program's default.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn with(settings: &[(&str, &str)]) -> Self {
        Self::run(Command::new(program()), settings)
    }

    /// Starts a chat that cannot write files of more than `blocks` blocks of 512 bytes.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn with_small_files(blocks: u32) -> Self {
        let mut shell = Command::new("sh");
        // With the signal ignored, the write returns an error, as on a full disk.
        shell.arg("-c").arg(format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\"")).arg(program());
        Self::run(shell, &[])
    }

    fn run(mut command: Command, settings: &[(&str, &str)]) -> Self {
        let folder = TempFolder::new();
        let settings: Vec<_> = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (process, port) = launch(&mut command, folder.path(), 0, &settings);
        Self { process, port, folder, settings }
    }

    /// Kills the process, as a crash would, and starts it again with the same port and database.
    ///
    /// # Panics
    /// If it does not start.
    pub fn crash_and_restart(&mut self) {
        self.kill();
        self.restart();
    }

    /// Sends SIGTERM to the process and waits for its end.
    ///
    /// # Panics
    /// If it does not end.
    pub fn stop(&mut self) -> ExitStatus {
        let sent = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        assert!(sent.expect("`kill` runs").success());
        block_until("the chat ends", || self.process.try_wait().expect("a child can be waited for").is_some());
        self.process.wait().expect("a status")
    }

    /// Starts a chat that has ended, with the same port and database.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart(&mut self) {
        (self.process, self.port) = launch(&mut Command::new(program()), self.folder.path(), self.port, &self.settings);
    }

    fn kill(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }

    /// Returns the port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the URL of `path`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Returns the folder of its files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sends a GET request.
    ///
    /// # Panics
    /// If no response arrives.
    pub async fn get(&self, path: &str) -> Answer {
        self.request(path, "Connection: close").await
    }

    /// Sends a GET request with a bearer token.
    ///
    /// # Panics
    /// If no response arrives.
    pub async fn get_with_token(&self, path: &str, token: &str) -> Answer {
        self.request(path, &format!("Connection: close\r\nAuthorization: Bearer {token}")).await
    }

    /// Requests a WebSocket upgrade and returns the HTTP response.
    ///
    /// # Panics
    /// If no response arrives.
    pub async fn request_upgrade(&self, path: &str) -> Answer {
        let key = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
        self.request(path, key).await
    }

    /// Sends a POST request with these header lines.
    ///
    /// # Panics
    /// If no response arrives.
    pub async fn post(&self, path: &str, headers: &[&str], body: &str) -> Answer {
        let mut lines = vec![format!("Content-Length: {}", body.len()), "Connection: close".to_owned()];
        lines.extend(headers.iter().map(|line| (*line).to_owned()));
        self.exchange(&format!("POST {path}"), &lines.join("\r\n"), body).await
    }

    async fn request(&self, path: &str, headers: &str) -> Answer {
        self.exchange(&format!("GET {path}"), headers, "").await
    }

    /// Sends a request with this request line, these header lines and this body, and reads the response.
    ///
    /// # Panics
    /// If no response arrives.
    pub async fn exchange(&self, request_line: &str, headers: &str, body: &str) -> Answer {
        let stream = soon("a connection", TcpStream::connect(("127.0.0.1", self.port))).await;
        let mut stream: Box<dyn Stream> = Box::new(stream.expect("the chat listens"));
        let request = format!("{request_line} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{headers}\r\n\r\n{body}", self.port);
        soon("sending", stream.write_all(request.as_bytes())).await.expect("the chat reads");
        read_answer(&mut stream, &mut Vec::new()).await
    }

    /// Waits until the chat has `count` connections.
    ///
    /// # Panics
    /// If it has another number after [`PATIENCE`].
    pub async fn until_connections(&self, count: u32) {
        let connections = async || self.get("/api/status").await.json()["connections"].clone();
        until_equal("connections", json!(count), connections).await;
    }
}

impl Drop for ChatServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Replaces the environment of a chat's command by that of a test.
pub fn set_environment(command: &mut Command, folder: &Path, port: u16) {
    command.env_clear().env("HOST", "127.0.0.1").env("PORT", port.to_string()).env("LOG_LEVEL", "ERROR");
    command.env("CHAT_RATE_MESSAGES", "100000");
    command.env("CHAT_DB", folder.join("chat.db")).current_dir(folder).stdin(Stdio::null());
}

fn launch(command: &mut Command, folder: &Path, port: u16, settings: &[(String, String)]) -> (Child, u16) {
    set_environment(command, folder, port);
    command.envs(settings.iter().map(|(name, value)| (name, value)));
    let mut process = command.stdout(Stdio::piped()).spawn().expect("the chat can be started");
    let output = process.stdout.take().expect("stdout is piped");
    let (line_read, lines) = mpsc::channel();
    thread::spawn(move || {
        // Reads to the end: a full pipe would block the chat.
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            drop(line_read.send(line));
        }
    });
    loop {
        let Ok(line) = lines.recv_timeout(PATIENCE) else {
            drop(process.kill());
            panic!("the chat did not print its address: {:?}", process.wait());
        };
        if let Some(address) = line.strip_prefix("listening on http://127.0.0.1:") {
            return (process, address.parse().expect("a port"));
        }
    }
}
