//! The command: it starts two nodes and a Redis, and ends all of them.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;

use tests::chat::{ChatClient, TempFolder};
use tests::program::built;
use tests::redis::is_installed;
use tests::wait::{PATIENCE, until};

fn command(folder: &Path) -> Command {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let mut command = Command::new(PROGRAM.get_or_init(|| built("cluster")));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("LOG_LEVEL", "ERROR").current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The running command; dropping it kills the process.
struct Cluster {
    process: Child,
    /// The ports of the Redis and of both nodes.
    ports: Vec<u16>,
    /// The process ids of the nodes.
    nodes: Vec<String>,
    _folder: TempFolder,
}

impl Cluster {
    fn start() -> Self {
        let folder = TempFolder::new();
        let mut process = command(folder.path()).spawn().unwrap();
        let (line_read, lines) = mpsc::channel();
        let output = process.stdout.take().unwrap();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                drop(line_read.send(line));
            }
        });
        let (mut ports, mut nodes) = (Vec::new(), Vec::new());
        loop {
            let Ok(line) = lines.recv_timeout(PATIENCE) else {
                drop(process.kill());
                panic!("the command did not print what it has started: {:?}", process.wait_with_output());
            };
            if line.contains("Ctrl-C stops all") {
                break;
            }
            let port = line.split_once("127.0.0.1:").unwrap().1;
            let end = port.find(|c: char| !c.is_ascii_digit()).unwrap_or(port.len());
            ports.push(port[..end].parse().unwrap());
            let number = line.split_once("(process ").map(|(_, rest)| rest.trim_end_matches(')').to_owned());
            nodes.extend(number);
        }
        assert_eq!((ports.len(), nodes.len()), (3, 2));
        Self { process, ports, nodes, _folder: folder }
    }

    fn signal(&self, name: &str) {
        signal(name, &self.process.id().to_string());
    }

    /// Waits until the command, its nodes and its Redis have ended, and returns the status and stderr of the command.
    async fn ended(&mut self) -> (ExitStatus, String) {
        until("the command ends", async || self.process.try_wait().unwrap().is_some()).await;
        for port in &self.ports {
            until("the port is free", async || TcpStream::connect(("127.0.0.1", *port)).is_err()).await;
        }
        let mut stderr = String::new();
        std::io::Read::read_to_string(&mut self.process.stderr.take().unwrap(), &mut stderr).unwrap();
        (self.process.wait().unwrap(), stderr)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn signal(name: &str, process: &str) {
    assert!(Command::new("kill").args([&format!("-{name}"), process]).status().unwrap().success());
}

#[tokio::test]
async fn two_nodes_act_as_one_chat_and_a_signal_ends_all() {
    if !is_installed() {
        return;
    }
    for name in ["INT", "TERM"] {
        let mut cluster = Cluster::start();
        let mut alice = ChatClient::connect_to_port(cluster.ports[1], "/ws/alice", &[]).await.unwrap();
        alice.join("lobby").await;
        let message = alice.post("lobby", "is anybody there?").await;
        let mut bob = ChatClient::connect_to_port(cluster.ports[2], "/ws/bob", &[]).await.unwrap();
        assert_eq!(bob.join("lobby").await, [message]);
        assert_eq!(alice.expect("user_joined_room").await["user_id"], "bob");
        let message = bob.post("lobby", "hello from the other node").await;
        assert_eq!(alice.expect("chat_message").await, message);
        cluster.signal(name);
        // A node that shuts down sends a close code; one that is killed does not.
        assert_eq!((alice.close_code().await, bob.close_code().await), (1012, 1012));
        let (status, stderr) = cluster.ended().await;
        assert!(status.success(), "{name}: {status}, {stderr}");
    }
}

#[tokio::test]
async fn the_death_of_a_node_ends_the_others() {
    if !is_installed() {
        return;
    }
    let mut cluster = Cluster::start();
    signal("KILL", &cluster.nodes[1]);
    let (status, stderr) = cluster.ended().await;
    assert_eq!(status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("node-2 has ended"), "{stderr}");
}

#[tokio::test]
async fn the_end_of_redis_ends_the_nodes() {
    if !is_installed() {
        return;
    }
    let mut cluster = Cluster::start();
    let mut redis = TcpStream::connect(("127.0.0.1", cluster.ports[0])).unwrap();
    redis.write_all(b"SHUTDOWN NOSAVE\r\n").unwrap();
    let (status, stderr) = cluster.ended().await;
    assert_eq!(status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("redis has ended"), "{stderr}");
}

#[tokio::test]
async fn killing_the_command_ends_all_its_processes() {
    if !is_installed() {
        return;
    }
    let mut cluster = Cluster::start();
    cluster.signal("KILL");
    let (status, _) = cluster.ended().await;
    assert!(!status.success());
}

#[test]
fn a_node_that_cannot_start_reports_the_error_and_ends_the_others() {
    if !is_installed() {
        return;
    }
    let folder = TempFolder::new();
    let ended = command(folder.path()).env("WORKERS", "many").output().unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("WORKERS=\"many\": must be"), "{stderr}");
    assert!(stderr.contains("node-1 has ended (exit status: 2) before it was listening"), "{stderr}");
}

#[test]
fn an_argument_is_refused_whatever_its_bytes() {
    let folder = TempFolder::new();
    for argument in [OsStr::new("help"), OsStr::from_bytes(b"\xff")] {
        let ended = command(folder.path()).arg(argument).output().unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains("takes no arguments"), "{stderr}");
    }
}

#[test]
fn without_redis_the_command_says_how_to_get_it() {
    let folder = TempFolder::new();
    let ended = command(folder.path()).env("PATH", folder.path()).output().unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("Debian package `redis-server`"), "{stderr}");
    let file = stderr.split_whitespace().find(|word| word.ends_with("compose.yaml")).unwrap();
    assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file).is_file(), "{file}");
}
