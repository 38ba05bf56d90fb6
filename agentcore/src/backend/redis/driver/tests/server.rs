//! A Redis server for one test: on a free loopback port, in its own directory, ended with the test.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use redis::{Client, FromRedisValue};

pub(super) struct Server {
    pub(super) port: u16,
    directory: PathBuf,
    options: Vec<String>,
    child: Child,
}

impl Server {
    /// Starts a server without persistence. Returns `None` when `redis-server` is not installed.
    pub(super) fn start(options: &[&str]) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        if Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_err() {
            assert!(std::env::var_os("CI").is_none(), "redis-server is not installed");
            eprintln!("SKIPPED: redis-server is not installed");
            return None;
        }
        let name = format!("agentcore-redis-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let options: Vec<_> = options.iter().map(|&option| option.to_owned()).collect();
        // Another process may take the port before the server binds it.
        for _ in 0..10 {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
            let child = spawn(port, &directory, &options);
            let mut server = Self { port, directory: directory.clone(), options: options.clone(), child };
            if server.is_up() {
                return Some(server);
            }
        }
        unreachable!("no port was free");
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Runs a command over a connection of its own, as redis-cli does.
    pub(super) fn run<T: FromRedisValue>(&self, command: &[&str]) -> T {
        let mut words = command.iter();
        let mut called = redis::cmd(words.next().unwrap());
        called.arg(words.copied().collect::<Vec<_>>());
        let mut connection = Client::open(self.url()).unwrap().get_connection().unwrap();
        called.query(&mut connection).unwrap()
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.run(&["KEYS", "*"])
    }

    /// Suspends the server process: it neither answers nor closes connections.
    pub(super) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(super) fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Kills the server, and starts another on the same port.
    pub(super) fn restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = spawn(self.port, &self.directory, &self.options);
        assert!(self.is_up());
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").arg(signal).arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
    }

    fn is_up(&mut self) -> bool {
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            let answers = Client::open(self.url()).and_then(|client| {
                let mut connection = client.get_connection()?;
                redis::cmd("PING").query::<String>(&mut connection)
            });
            match answers {
                Ok(_) => return true,
                // The server is up and requires a password.
                Err(error) if error.code() == Some("NOAUTH") => return true,
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
        false
    }
}

fn spawn(port: u16, directory: &PathBuf, options: &[String]) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .args(options)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
