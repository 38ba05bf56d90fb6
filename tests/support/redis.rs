//! A Redis server for one test: on a free loopback port, without persistence, killed with the test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{env, thread};

use agentcore::Settings;
use agentcore::backend::RedisBackend;

use crate::chat::TempFolder;
use crate::wait::{PATIENCE, block_until};

/// Starts the server behind a shell that kills it when the shell's input ends, which happens however the test's
/// process ends.
const GUARDED: &str = r#""$0" "$@" >/dev/null 2>&1 & echo $!; read -r _; kill -KILL $! 2>/dev/null; wait"#;

/// A running `redis-server`. A clone is the same server; the last one kills it.
#[derive(Debug, Clone)]
pub struct Redis(Arc<Running>);

#[derive(Debug)]
struct Running {
    process: Mutex<Process>,
    port: u16,
    folder: TempFolder,
    options: Vec<String>,
}

#[derive(Debug)]
struct Process {
    shell: Child,
    server: u32,
}

impl Redis {
    /// Starts a server; without the program, returns `None` after the test has said that it is skipped.
    ///
    /// # Panics
    /// If it does not start, or if it is missing and `CI` is set.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::with(&[])
    }

    /// Starts a server with command-line options.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn with(options: &[&str]) -> Option<Self> {
        if !is_installed() {
            return None;
        }
        let folder = TempFolder::new();
        let options: Vec<_> = options.iter().map(|&option| option.to_owned()).collect();
        // Another process may take the port before the server does.
        let started = (0..5).find_map(|_| {
            let port = free_port();
            launch(&folder, port, &options).map(|process| (process, port))
        });
        let (process, port) = started.expect("redis-server starts");
        Some(Self(Arc::new(Running { process: process.into(), port, folder, options })))
    }

    /// Returns the address it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// Returns the value of `REDIS_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port())
    }

    /// Returns a backend for a node.
    #[must_use]
    pub fn backend(&self) -> RedisBackend {
        self.backend_at(&self.url())
    }

    /// Returns a backend that reaches the server at another address.
    #[must_use]
    pub fn backend_at(&self, url: &str) -> RedisBackend {
        let mut settings = Settings::default();
        settings.redis_url = url.parse().expect("a URL");
        settings.node_lease = Duration::from_secs(5);
        RedisBackend::new(&settings).expect("a backend")
    }

    /// Runs a command over a connection of its own.
    pub fn does<T: redis::FromRedisValue>(&self, command: &[&str]) -> T {
        let mut called = redis::cmd(command[0]);
        called.arg(&command[1..]);
        called.query(&mut self.connect()).expect("an answer")
    }

    /// Opens a connection for several commands.
    ///
    /// # Panics
    /// If it cannot be opened.
    #[must_use]
    pub fn connect(&self) -> redis::Connection {
        redis::Client::open(self.url()).and_then(|client| client.get_connection()).expect("a connection")
    }

    /// Returns how often a command was called since the start, or since the last `config resetstat`.
    #[must_use]
    pub fn calls(&self, command: &str) -> u64 {
        self.stat(command, "calls")
    }

    /// Returns how often a command was refused, before or while it ran.
    #[must_use]
    pub fn refusals(&self, command: &str) -> u64 {
        self.stat(command, "rejected_calls") + self.stat(command, "failed_calls")
    }

    fn stat(&self, command: &str, name: &str) -> u64 {
        let stats: String = self.does(&["INFO", "commandstats"]);
        let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:")));
        let mut values = line.unwrap_or_default().split(',').filter_map(|stat| stat.split_once('='));
        values.find(|(stat, _)| *stat == name).map_or(0, |(_, value)| value.parse().expect("a number"))
    }

    /// Returns how often Redis has answered with an error of a kind, such as `OOM`.
    #[must_use]
    pub fn errors(&self, kind: &str) -> u64 {
        errors_in(&self.does::<String>(&["INFO", "errorstats"]), kind)
    }

    /// Returns the number of all calls, including those of scripts, except those that read the counts.
    #[must_use]
    pub fn sum_of_calls(&self) -> u64 {
        let stats: String = self.does(&["INFO", "commandstats"]);
        let calls = stats.lines().filter_map(|line| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            let own = ["info", "config", "client", "hello", "select"].iter().any(|own| name.starts_with(own));
            (!own).then(|| rest.split(',').next()?.parse::<u64>().ok())?
        });
        calls.sum()
    }

    /// Returns all keys.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.does(&["KEYS", "*"])
    }

    /// Returns the channels that have subscribers.
    #[must_use]
    pub fn channels(&self) -> Vec<String> {
        self.does(&["PUBSUB", "CHANNELS"])
    }

    /// Sends a command and returns the raw answer without its last line end.
    ///
    /// # Panics
    /// If no answer arrives.
    #[must_use]
    pub fn ask(&self, command: &[&str]) -> String {
        ask(self.port(), command).expect("an answer")
    }

    /// Freezes the server: connections stay open and nothing is answered until [`thaw`](Self::thaw).
    ///
    /// # Panics
    /// If the system has no `kill`.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it continue; it answers everything that arrived meanwhile.
    ///
    /// # Panics
    /// If the system has no `kill`.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// Kills it, with all its data.
    ///
    /// # Panics
    /// If it does not end.
    pub fn kill(&self) {
        self.signal("KILL");
        block_until("redis-server ends", || TcpStream::connect(("127.0.0.1", self.port())).is_err());
    }

    /// Starts an empty server on the same port, after a [`kill`](Self::kill).
    ///
    /// # Panics
    /// If it does not start.
    pub fn revive(&self) {
        let mut process = self.0.process.lock().expect("no panic");
        end(&mut process.shell);
        *process = launch(&self.0.folder, self.port(), &self.0.options).expect("redis-server starts again");
    }

    fn signal(&self, name: &str) {
        let server = self.0.process.lock().expect("no panic").server;
        let sent = Command::new("kill").args([&format!("-{name}"), &server.to_string()]).status();
        assert!(sent.expect("`kill` runs").success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(process) = self.process.get_mut() {
            end(&mut process.shell);
        }
    }
}

/// Returns the number of errors of a kind, such as `OOM`, in the answer to `INFO errorstats`.
///
/// # Panics
/// If the answer is not as expected.
#[must_use]
pub fn errors_in(info: &str, kind: &str) -> u64 {
    let line = info.lines().find_map(|line| line.strip_prefix(&format!("errorstat_{kind}:count=")));
    line.map_or(0, |count| count.parse().expect("a count"))
}

/// Returns whether there is a Redis to start; a test without one says so and is skipped.
///
/// # Panics
/// If it is missing and `CI` is set.
#[must_use]
#[expect(clippy::print_stdout, reason = "a test that cannot run says so")]
pub fn is_installed() -> bool {
    let found = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
    if found.is_err() {
        let reason = "there is no redis-server; it comes with Debian's package of this name";
        assert!(env::var_os("CI").is_none(), "{reason}");
        println!("SKIPPED: {reason}");
    }
    found.is_ok()
}

/// Returns a port that is free at the moment.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}

fn launch(folder: &TempFolder, port: u16, options: &[String]) -> Option<Process> {
    let mut shell = Command::new("sh");
    shell.args(["-c", GUARDED, "redis-server", "--bind", "127.0.0.1", "--port", &port.to_string()]);
    shell.args(["--save", "", "--appendonly", "no", "--dir"]).arg(folder.path()).args(options);
    let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a shell");
    let mut said = String::new();
    let output = shell.stdout.take().expect("its output is read here");
    BufReader::new(output).read_line(&mut said).expect("a line");
    let server = said.trim().parse().expect("the number of the process");
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        // Another server on this port may answer too, but not with the id of our process.
        let info = ask(port, &["INFO", "server"]).unwrap_or_default();
        if info.lines().any(|line| line == format!("process_id:{server}")) {
            return Some(Process { shell, server });
        }
        if !is_running(server) {
            break;
        }
        thread::sleep(Duration::from_millis(2));
    }
    end(&mut shell);
    None
}

fn is_running(process: u32) -> bool {
    let asked = Command::new("kill").args(["-0", &process.to_string()]).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

fn end(shell: &mut Child) {
    drop(shell.stdin.take());
    drop(shell.wait());
}

/// Reads an answer of one line, or of one text with its length in the line before it.
fn ask(port: u16, command: &[&str]) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut request = format!("*{}\r\n", command.len());
    for part in command {
        request.push_str(&format!("${}\r\n{part}\r\n", part.len()));
    }
    stream.write_all(request.as_bytes()).ok()?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let line = line.trim_end();
    let Some(length) = line.strip_prefix('$').and_then(|length| length.parse().ok()) else {
        return Some(line.to_owned());
    };
    let mut text = vec![0; length];
    reader.read_exact(&mut text).ok()?;
    String::from_utf8(text).ok()
}
