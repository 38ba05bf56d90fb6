//! A server in a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::http::{Answer, read_answer};
use crate::transport::Stream;
use crate::wait::{PATIENCE, soon, until};

/// The process; dropping this kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// The address it listens on.
    pub address: SocketAddr,
    lines: Option<Receiver<String>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// Starts a program that prints the address it listens on.
    ///
    /// # Panics
    /// If it does not.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program can be started");
        let output = child.stdout.take().expect("stdout is piped");
        let (line_read, lines) = mpsc::channel();
        // Reads to the end: a full pipe would block the process.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = line_read.send(line);
            }
        });
        let mut process = Self { child, address: ([127, 0, 0, 1], 0).into(), lines: Some(lines) };
        let line = process.line();
        let address = line.strip_prefix("listening on http://").and_then(|address| address.parse().ok());
        process.address = address.unwrap_or_else(|| panic!("it says {line:?}"));
        process
    }

    /// Starts a program that will listen on `address`, without reading what it prints.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start_unread(command: &mut Command, address: SocketAddr) -> Self {
        Self { child: command.spawn().expect("the program can be started"), address, lines: None }
    }

    /// Returns the next line of its output.
    ///
    /// # Panics
    /// If there is none within [`PATIENCE`].
    #[must_use]
    pub fn line(&self) -> String {
        self.lines.as_ref().and_then(|lines| lines.recv_timeout(PATIENCE).ok()).expect("the process prints a line")
    }

    /// Returns the reading end of its stderr.
    ///
    /// # Panics
    /// If stderr is not piped.
    #[must_use]
    pub fn stderr(&mut self) -> ChildStderr {
        self.child.stderr.take().expect("stderr is piped")
    }

    /// Sends a GET request; `None` if it does not listen.
    pub async fn try_get(&self, path: &str) -> Option<Answer> {
        let stream = soon("a TCP connection", TcpStream::connect(self.address)).await.ok()?;
        let mut stream: Box<dyn Stream> = Box::new(stream);
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        soon("sending", stream.write_all(request.as_bytes())).await.ok()?;
        Some(read_answer(&mut stream, &mut Vec::new()).await)
    }

    /// Sends a GET request.
    ///
    /// # Panics
    /// If no response arrives.
    pub async fn get(&self, path: &str) -> Answer {
        self.try_get(path).await.expect("the process listens")
    }

    /// Returns the value of a metric without labels.
    ///
    /// # Panics
    /// If there is no such metric.
    pub async fn metric(&self, name: &str) -> u64 {
        let page = self.get("/metrics").await.body;
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.unwrap_or_else(|| panic!("{name} is not in {page}"))
    }

    /// Sends a signal by name, such as `TERM`.
    ///
    /// # Panics
    /// If the system has no `kill`.
    pub fn signal(&self, name: &str) {
        let killed = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(killed.expect("kill is there").success());
    }

    /// Whether the process has ended.
    ///
    /// # Panics
    /// If it cannot be asked.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_some()
    }

    /// Waits until it exits.
    ///
    /// # Panics
    /// If it does not exit.
    pub async fn ended(&mut self) -> ExitStatus {
        until("the process ends", async || self.has_ended()).await;
        self.child.wait().expect("a status")
    }
}
