//! An application under test, and its lifetime.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Weak};

use axum::Router;

use super::call_site::CallSite;
use super::clock::is_paused;
use super::socket::ClientSocket;
use crate::error::Result;
use crate::id::UserId;
use crate::manager::ConnectionManager;
use crate::server::{AgentCore, HttpConnections};
use crate::sync::{Mutex, lock};

/// An application that runs inside a test, without a port.
///
/// Clients reach it through in-memory streams. Everything above the network is that of a real server. A clone is the
/// same application, so tasks of a test can connect clients too.
#[derive(Clone)]
pub struct TestApp(Arc<RunningApp>);

struct RunningApp {
    router: Router,
    http: HttpConnections,
    manager: ConnectionManager,
    /// The connected clients, in order.
    clients: Mutex<Vec<(UserId, Weak<ClientSocket>)>>,
    /// The port of the next client's address.
    port: AtomicU16,
}

impl fmt::Debug for TestApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestApp").field("manager", &self.0.manager).finish_non_exhaustive()
    }
}

impl TestApp {
    /// Starts an application on the runtime of the test, with `WORKERS=0`: it has one shard and the clock of the test,
    /// which may be paused.
    ///
    /// # Panics
    /// The application cannot be built; the message is that of [`AgentCore::build`].
    #[track_caller]
    pub fn start(app: AgentCore) -> impl Future<Output = Self> + Send {
        Self::start_with_workers(app, 0)
    }

    /// Starts an application with worker threads, as a server has. Their clocks cannot be paused.
    ///
    /// # Panics
    /// The application cannot be built, or the clock is paused and `workers` is not 0.
    #[track_caller]
    pub fn start_with_workers(app: AgentCore, workers: usize) -> impl Future<Output = Self> + Send {
        let site = CallSite::here("the application");
        async move {
            if workers > 0 && is_paused() {
                site.fail("worker threads have their own clocks; with a paused clock, use `TestApp::start`");
            }
            match Self::try_start(app, workers).await {
                Ok(app) => app,
                Err(error) => site.fail(format_args!("it does not start: {}", error.message())),
            }
        }
    }

    /// Starts an application, or returns the error of its start.
    ///
    /// # Errors
    /// Those of [`AgentCore::build`].
    pub async fn try_start(mut app: AgentCore, workers: usize) -> Result<Self> {
        app.settings_mut().workers = workers;
        let app = app.build().await?;
        let manager = app.manager();
        let running = RunningApp {
            router: app.into_router(),
            http: HttpConnections::new(&manager, u64::MAX),
            manager,
            clients: Mutex::default(),
            port: AtomicU16::new(40_000),
        };
        Ok(Self(Arc::new(running)))
    }

    /// Returns the connection manager of the application.
    #[must_use]
    pub fn manager(&self) -> &ConnectionManager {
        &self.0.manager
    }

    /// Waits until everything that clients have sent is handled, and its results have reached them.
    ///
    /// The wait is exact: a connection handles its messages in order, so round trips show when it is done. It covers
    /// neither background tasks of the application nor stalled clients.
    ///
    /// # Panics
    /// A handler does not end.
    #[track_caller]
    pub fn settle(&self) -> impl Future<Output = ()> + Send {
        let site = CallSite::here("the application");
        async move {
            // The second round covers clients that another client's handler sent to after their first round trip.
            self.settle_all(&site).await;
            self.settle_all(&site).await;
        }
    }

    /// Makes one round trip for each open client that is not stalled.
    pub(super) async fn settle_all(&self, site: &CallSite) {
        let clients: Vec<_> = {
            let mut clients = lock(&self.0.clients);
            clients.retain(|(_, client)| client.strong_count() > 0);
            clients.iter().filter_map(|(user, client)| Some((user.clone(), client.upgrade()?))).collect()
        };
        let pings = clients.into_iter().map(|(user, client)| async move {
            // A stalled client would not read the pong.
            let settled = async { client.state().stalled || client.settle().await };
            let problem = || format!("a handler of {user} has not ended");
            site.within(problem, settled).await;
        });
        futures_util::future::join_all(pings).await;
    }

    /// Shuts the application down gracefully, as a server does on SIGTERM. When this returns, connections are closed
    /// with 1012 and their `#[on(disconnect)]` has run. It takes at most `SHUTDOWN_TIMEOUT`.
    pub async fn stop(&self) {
        self.0.manager.shutdown().await;
    }

    pub(super) fn router(&self) -> Router {
        self.0.router.clone()
    }

    pub(super) fn http(&self) -> HttpConnections {
        self.0.http.clone()
    }

    /// Returns the address of the next client.
    pub(super) fn next_address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.0.port.fetch_add(1, Ordering::Relaxed)).into()
    }

    pub(super) fn add(&self, user: UserId, client: &Arc<ClientSocket>) {
        lock(&self.0.clients).push((user, Arc::downgrade(client)));
    }
}
