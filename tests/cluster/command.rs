//! The command: what it starts, and that nothing of it is left.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
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

/// The command, running; dropping it kills it.
struct Cluster {
    process: Child,
    /// The ports of the Redis and of the nodes, and the processes of the nodes.
    ports: Vec<u16>,
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
                panic!("it does not say what it has started: {:?}", process.wait_with_output());
            };
            if line.contains("Ctrl-C ends all") {
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

    /// Waits until all have ended: the command, its nodes and its Redis. What it said last comes back.
    async fn ended(&mut self) -> (ExitStatus, String) {
        until("the command ends", async || self.process.try_wait().unwrap().is_some()).await;
        for port in &self.ports {
            until("nobody listens", async || TcpStream::connect(("127.0.0.1", *port)).is_err()).await;
        }
        let mut told = String::new();
        std::io::Read::read_to_string(&mut self.process.stderr.take().unwrap(), &mut told).unwrap();
        (self.process.wait().unwrap(), told)
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
async fn two_nodes_are_one_chat_and_a_signal_ends_all() {
    if !is_installed() {
        return;
    }
    for name in ["INT", "TERM"] {
        let mut cluster = Cluster::start();
        let mut alice = ChatClient::connect_to_port(cluster.ports[1], "/ws/alice", &[]).await.unwrap();
        alice.join("lobby").await;
        let said = alice.post("lobby", "is anybody there?").await;
        let mut bob = ChatClient::connect_to_port(cluster.ports[2], "/ws/bob", &[]).await.unwrap();
        assert_eq!(bob.join("lobby").await, [said]);
        assert_eq!(alice.expect("user_joined_room").await["user_id"], "bob");
        let said = bob.post("lobby", "hello from the other node").await;
        assert_eq!(alice.expect("chat_message").await, said);
        cluster.signal(name);
        // A node that ends says goodbye, which one that is killed cannot.
        assert_eq!((alice.close_code().await, bob.close_code().await), (1012, 1012));
        let (status, told) = cluster.ended().await;
        assert!(status.success(), "{name}: {status}, {told}");
    }
}

#[tokio::test]
async fn when_a_node_dies_the_others_are_ended() {
    if !is_installed() {
        return;
    }
    let mut cluster = Cluster::start();
    signal("KILL", &cluster.nodes[1]);
    let (status, told) = cluster.ended().await;
    assert_eq!(status.code(), Some(2), "{told}");
    assert!(told.contains("node-2 has ended"), "{told}");
}

#[tokio::test]
async fn when_redis_dies_the_nodes_are_ended() {
    if !is_installed() {
        return;
    }
    let mut cluster = Cluster::start();
    let mut redis = TcpStream::connect(("127.0.0.1", cluster.ports[0])).unwrap();
    redis.write_all(b"SHUTDOWN NOSAVE\r\n").unwrap();
    let (status, told) = cluster.ended().await;
    assert_eq!(status.code(), Some(2), "{told}");
    assert!(told.contains("redis has ended"), "{told}");
}

#[tokio::test]
async fn when_the_command_is_killed_nothing_of_it_is_left() {
    if !is_installed() {
        return;
    }
    let mut cluster = Cluster::start();
    cluster.signal("KILL");
    let (status, _) = cluster.ended().await;
    assert!(!status.success());
}

#[test]
fn a_node_that_cannot_start_says_why_and_ends_the_rest() {
    if !is_installed() {
        return;
    }
    let folder = TempFolder::new();
    let ended = command(folder.path()).env("WORKERS", "many").output().unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{told}");
    assert!(told.contains("WORKERS=\"many\": must be"), "{told}");
    assert!(told.contains("node-1 has ended (exit status: 2) before it listened"), "{told}");
}

#[test]
fn without_a_redis_it_says_where_to_get_one() {
    let folder = TempFolder::new();
    let ended = command(folder.path()).env("PATH", folder.path()).output().unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{told}");
    assert!(told.contains("Debian's package is `redis-server`"), "{told}");
    let file = told.split_whitespace().find(|word| word.ends_with("compose.yaml")).unwrap();
    assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file).is_file(), "{file}");
}
