//! A Redis of a test's own: on a free port of the loopback, remembering nothing, gone with the test.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use agentcore::Settings;
use agentcore::backend::RedisBackend;

/// A server, and what nodes need to find it.
#[derive(Debug, Clone)]
pub struct Redis(Arc<Running>);

#[derive(Debug)]
struct Running {
    port: u16,
    directory: PathBuf,
    options: Vec<String>,
    child: std::sync::Mutex<Child>,
}

impl Redis {
    /// A server; `None`, said on a line, where there is no `redis-server` and `CI` is not set.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::with(&[])
    }

    /// A server with options of its command line.
    #[must_use]
    pub fn with(options: &[&str]) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        if Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_err() {
            assert!(std::env::var_os("CI").is_none(), "redis-server is not installed");
            let _ = writeln!(std::io::stderr(), "SKIPPED: redis-server is not installed");
            return None;
        }
        let name = format!("agentcore-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).expect("a directory");
        let options: Vec<_> = options.iter().map(|&option| option.to_owned()).collect();
        // Somebody else may take the port in between: then another.
        for _ in 0..10 {
            let probe = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
            let port = probe.expect("a free port").port();
            let mut child = spawn(port, &directory, &options);
            if is_up(port, &mut child) {
                return Some(Self(Arc::new(Running { port, directory, options, child: child.into() })));
            }
        }
        panic!("no port was free");
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// The value of `REDIS_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port())
    }

    /// A node's backend on it.
    #[must_use]
    pub fn backend(&self) -> RedisBackend {
        self.backend_at(&self.url())
    }

    /// A node's backend that reaches it at another address.
    #[must_use]
    pub fn backend_at(&self, url: &str) -> RedisBackend {
        let mut settings = Settings::default();
        settings.redis_url = url.parse().expect("a URL");
        settings.node_lease = Duration::from_secs(5);
        RedisBackend::new(&settings).expect("a backend")
    }

    /// Does a command, over a connection of its own.
    pub fn does<T: redis::FromRedisValue>(&self, command: &[&str]) -> T {
        let mut called = redis::cmd(command[0]);
        called.arg(&command[1..]);
        let mut connection =
            redis::Client::open(self.url()).and_then(|client| client.get_connection()).expect("a connection");
        called.query(&mut connection).expect("an answer")
    }

    /// How often a command was called since the start, or since the last `config resetstat`.
    #[must_use]
    pub fn calls(&self, command: &str) -> u64 {
        let stats: String = self.does(&["INFO", "commandstats"]);
        let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.and_then(|rest| rest.split(',').next()).map_or(0, |calls| calls.parse().expect("a number"))
    }

    /// All that nodes send: what a script does is one call.
    #[must_use]
    pub fn all_calls(&self) -> u64 {
        ["evalsha", "eval", "publish", "subscribe", "unsubscribe", "ping"]
            .iter()
            .map(|command| self.calls(command))
            .sum()
    }

    /// The keys there are.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.does(&["KEYS", "*"])
    }

    /// Stops it in the middle of whatever it does; it neither answers nor closes.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Ends it at once: what it knew is lost.
    pub fn kill(&self) {
        let mut child = self.0.child.lock().expect("no panic");
        child.kill().expect("a process");
        child.wait().expect("its end");
    }

    /// Starts it again after [`kill`](Self::kill), on the same port.
    pub fn revive(&self) {
        let mut child = spawn(self.0.port, &self.0.directory, &self.0.options);
        assert!(is_up(self.0.port, &mut child), "the port was taken");
        *self.0.child.lock().expect("no panic") = child;
    }

    fn signal(&self, signal: &str) {
        let id = self.0.child.lock().expect("no panic").id();
        let sent = Command::new("kill").arg(signal).arg(id.to_string()).status().expect("kill runs");
        assert!(sent.success());
    }
}

fn spawn(port: u16, directory: &Path, options: &[String]) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .args(options)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server runs")
}

fn is_up(port: u16, child: &mut Child) -> bool {
    let end = Instant::now() + Duration::from_secs(10);
    while Instant::now() < end {
        if child.try_wait().expect("a process").is_some() {
            return false;
        }
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}"));
        let answer = client.and_then(|client| redis::cmd("PING").query::<String>(&mut client.get_connection()?));
        match answer {
            Ok(_) => return true,
            // It wants a password, so it is there.
            Err(error) if error.code() == Some("NOAUTH") => return true,
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    false
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(child) = self.child.get_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
