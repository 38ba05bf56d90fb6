//! Listening, accepting, and the graceful end of a server.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::sleep;

use super::app_state::AppState;
use super::connection::HttpConnections;
use crate::error::{Error, Result};
use crate::panic::log_anyway;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4096;

/// Shortest and longest pause after a failed accept; the pause doubles with each failure.
const MIN_PAUSE: Duration = Duration::from_millis(5);
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// Listens on `address`.
///
/// # Errors
/// When the address is in use or does not exist; the text names the setting to change.
pub(in crate::server) fn listen(address: SocketAddr) -> Result<TcpListener> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|error: io::Error| {
        Error::start(match error.kind() {
            io::ErrorKind::AddrInUse => {
                format!("cannot listen on {address}: the port is taken; set PORT to another one, or to 0 for any")
            }
            io::ErrorKind::AddrNotAvailable => {
                format!("cannot listen on {address}: this machine has no such address; set HOST to one it has")
            }
            _ => format!("cannot listen on {address}: {error}"),
        })
    })
}

/// Accepts connections until `stop` completes, then drains the node. During the drain, new connections are answered
/// with 503.
///
/// # Errors
/// When the listener has no address.
pub(in crate::server) async fn serve(
    state: Arc<AppState>,
    router: Router,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send,
) -> Result<()> {
    let address = listener.local_addr().map_err(Error::internal)?;
    announce(address);
    let manager = state.manager();
    let files = raise_file_limit(manager.settings().max_total_connections);
    let http = HttpConnections::new(manager, files);
    let end = async {
        stop.await;
        let timeout = sleep(manager.settings().shutdown_timeout);
        http.requests.close();
        http.stopping.cancel();
        manager.shutdown_after(http.requests.wait()).await;
        http.connections.close();
        tokio::select! {
            () = http.connections.wait() => {}
            () = timeout => {}
        }
    };
    tokio::select! {
        () = accept(&listener, &router, &http) => {}
        () = end => {}
    }
    Ok(())
}

/// Prints the one line of output, which scripts wait for. A closed stdout is ignored. A thread of its own does it, since
/// stdout may be a pipe that is full and that nobody reads.
fn announce(address: SocketAddr) {
    let print = move || {
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "listening on http://{address}").and_then(|()| out.flush());
    };
    let _ = thread::Builder::new().name("agentcore-stdout".to_owned()).spawn(print);
}

/// Raises the soft limit of open files to the hard one, because each connection needs a file descriptor, and returns it.
fn raise_file_limit(max_total_connections: usize) -> u64 {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => {
            if limit < max_total_connections as u64 {
                tracing::warn!(
                    limit,
                    max_total_connections,
                    "the limit of open files is below MAX_TOTAL_CONNECTIONS; raise the hard limit (ulimit -Hn)"
                );
            }
            limit
        }
        Err(error) => {
            tracing::warn!(%error, "the limit of open files could not be raised");
            rlimit::Resource::NOFILE.get_soft().unwrap_or(u64::MAX)
        }
    }
}

async fn accept(listener: &TcpListener, router: &Router, http: &HttpConnections) {
    let mut pause = MIN_PAUSE;
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => {
                pause = MIN_PAUSE;
                let _ = socket.set_nodelay(true);
                http.connections.spawn(http.clone().serve(socket, peer, router.clone()));
            }
            // The client closed before it was accepted, so the next one need not wait.
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                // Usually the process is out of file descriptors, until other connections end.
                log_anyway(|| tracing::error!(%error, "accepting a connection failed; trying again"));
                sleep(pause).await;
                pause = (pause * 2).min(MAX_PAUSE);
            }
        }
    }
}

fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}
