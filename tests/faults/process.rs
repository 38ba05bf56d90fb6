//! A node in a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use tests::http::Answer;
use tests::wait::{soon, until};
use tokio::net::TcpStream;

use crate::cluster::{Cluster, LEASE};
use crate::member::Member;

/// The process; dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
    /// The index among the nodes of its test.
    pub(crate) node: usize,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// Starts a node of a cluster.
    pub(crate) fn of(cluster: &Cluster, node: usize) -> Self {
        let settings = cluster.settings();
        let values = [
            ("BACKEND_TYPE", "redis".to_owned()),
            ("REDIS_URL", cluster.redis.url()),
            ("NODE_LEASE", LEASE.as_secs().to_string()),
            ("REDIS_REGISTRY_EXPIRY", settings.redis_registry_expiry.as_secs().to_string()),
            ("REDIS_GROUP_EXPIRY", settings.redis_group_expiry.as_secs().to_string()),
            ("MAX_TOTAL_CONNECTIONS", settings.max_total_connections.to_string()),
            ("PORT", "0".to_owned()),
            ("WORKERS", "1".to_owned()),
        ];
        let mut command = Command::new(env!("CARGO_BIN_EXE_faults-node"));
        let mut child =
            command.envs(values).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program is there");
        let mut said = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        said.read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("listening on http://").and_then(|address| address.parse().ok());
        // Drains the output, so that a full pipe cannot block the process.
        thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Self { child, address: address.unwrap_or_else(|| panic!("it says {line:?}")), node }
    }

    /// Connects a client to it.
    pub(crate) async fn connect(&self, name: &str) -> Result<Member, Answer> {
        let stream = soon("a TCP connection", TcpStream::connect(self.address)).await.expect("it listens");
        stream.set_nodelay(true).expect("no delay");
        Member::over(Box::new(stream), name, self.node).await
    }

    /// Sends a signal by name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(sent.expect("kill is there").success());
    }

    /// Waits until the process exits.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        until("the process ends", async || self.child.try_wait().expect("a child").is_some()).await;
        self.child.wait().expect("a status")
    }
}
