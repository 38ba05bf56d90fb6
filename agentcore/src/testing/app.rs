//! An application under test.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use axum::Router;
use axum::http::Method;

use super::clock::is_paused;
use super::connecting::Connecting;
use super::failing::Place;
use super::request::TestRequest;
use super::socket::Socket;
use crate::error::Result;
use crate::id::UserId;
use crate::manager::ConnectionManager;
use crate::server::AgentCore;

/// An application that runs inside of a test, without a port: its clients reach it through streams in memory, and
/// everything else is what a client of a real server meets.
///
/// A cheap clone, so that tasks of a test can connect on their own.
#[derive(Clone)]
pub struct TestApp(Arc<Inner>);

struct Inner {
    router: Router,
    manager: ConnectionManager,
    /// The clients that were connected, in order.
    clients: Mutex<Vec<(UserId, Weak<Socket>)>>,
    /// The port that the next client comes from.
    port: AtomicU16,
}

impl Inner {
    fn clients(&self) -> MutexGuard<'_, Vec<(UserId, Weak<Socket>)>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TestApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestApp").field("manager", &self.0.manager).finish_non_exhaustive()
    }
}

impl TestApp {
    /// Starts an application on the runtime of the test, whatever its setting `WORKERS` says: one shard, one clock, which
    /// may be paused.
    ///
    /// # Panics
    /// When the application cannot be built, with what [`AgentCore::build`] says.
    #[track_caller]
    pub fn start(app: AgentCore) -> impl Future<Output = Self> + Send {
        Self::start_with_workers(app, 0)
    }

    /// Starts an application with worker threads, as a server has them. Their clocks cannot be paused.
    ///
    /// # Panics
    /// As [`start`](Self::start), and for workers under a paused clock.
    #[track_caller]
    pub fn start_with_workers(app: AgentCore, workers: usize) -> impl Future<Output = Self> + Send {
        let place = Place::here("the application");
        async move {
            if workers > 0 && is_paused() {
                place.fail("worker threads have clocks of their own; under a paused clock, use `TestApp::start`");
            }
            match Self::try_start(app, workers).await {
                Ok(app) => app,
                Err(error) => place.fail(format_args!("it does not start: {}", error.message())),
            }
        }
    }

    /// Starts an application, or says why it does not start.
    ///
    /// # Errors
    /// As [`AgentCore::build`].
    pub async fn try_start(mut app: AgentCore, workers: usize) -> Result<Self> {
        app.settings_mut().workers = workers;
        let app = app.build().await?;
        let manager = app.manager();
        let inner =
            Inner { router: app.into_router(), manager, clients: Mutex::default(), port: AtomicU16::new(40_000) };
        Ok(Self(Arc::new(inner)))
    }

    /// Its connection manager: what a REST handler or a task of the application would send with.
    #[must_use]
    pub fn manager(&self) -> &ConnectionManager {
        &self.0.manager
    }

    /// Connects to `path`; the returned builder is awaited:
    ///
    /// ```no_run
    /// # async fn test(app: agentcore::testing::TestApp) {
    /// use agentcore::Codec;
    ///
    /// let alice = app.connect("/ws/alice").await;
    /// let bob = app.connect("/ws/bob").codec(Codec::MessagePack).header("origin", "https://chat.test").await;
    /// let refused = app.connect("/ws/anon-x").refused().await;
    /// assert_eq!(refused.status(), 400);
    /// # }
    /// ```
    ///
    /// Who the client is, the application decides: by its `Authenticator`, or by the field marked `#[user]`.
    #[track_caller]
    pub fn connect(&self, path: impl Into<String>) -> Connecting {
        Connecting::new(self.clone(), path.into())
    }

    /// Connects to `path` as `user`, without asking the application's `Authenticator`, if it has one. Claims are added with
    /// [`Connecting::claim`].
    #[track_caller]
    pub fn connect_as(&self, user: impl Into<String>, path: impl Into<String>) -> Connecting {
        self.connect(path).user(user)
    }

    /// Asks for `path` over HTTP with GET; the returned builder is awaited.
    #[track_caller]
    pub fn get(&self, path: impl Into<String>) -> TestRequest {
        self.request(Method::GET, path)
    }

    /// Asks for `path` over HTTP with any method; the returned builder is awaited.
    #[track_caller]
    pub fn request(&self, method: Method, path: impl Into<String>) -> TestRequest {
        TestRequest::new(self.clone(), method, path.into())
    }

    /// Waits until everything that clients have sent is handled, and what came of it has reached them.
    ///
    /// Exact, by round trips: a connection handles its messages one after the other. What tasks of the application do by
    /// themselves is not waited for, and neither are clients that were stalled.
    ///
    /// # Panics
    /// When a handler does not end.
    #[track_caller]
    pub fn settle(&self) -> impl Future<Output = ()> + Send {
        let place = Place::here("the application");
        async move {
            // The second round is for those whose first was over before the last handler was.
            self.settle_all(&place).await;
            self.settle_all(&place).await;
        }
    }

    /// One round trip for each client that is open and reads.
    pub(super) async fn settle_all(&self, place: &Place) {
        let clients: Vec<_> = {
            let mut clients = self.0.clients();
            clients.retain(|(_, client)| client.strong_count() > 0);
            clients.iter().filter_map(|(user, client)| Some((user.clone(), client.upgrade()?))).collect()
        };
        let pings = clients.into_iter().map(|(user, client)| async move {
            // A client that reads nothing hears no pong.
            let answering = async { client.state().stalled || client.settle().await };
            let what = || format!("a handler of {user} has not ended");
            place.within(what, answering).await;
        });
        futures_util::future::join_all(pings).await;
    }

    /// Ends the application as a server ends that is told to stop: connections are closed with 1012 and their
    /// `#[on(disconnect)]` has run when this returns, after `SHUTDOWN_TIMEOUT` at the latest.
    pub async fn stop(&self) {
        self.0.manager.shutdown().await;
    }

    pub(super) fn router(&self) -> Router {
        self.0.router.clone()
    }

    /// Where the next client comes from.
    pub(super) fn next_address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.0.port.fetch_add(1, Ordering::Relaxed)).into()
    }

    pub(super) fn add(&self, user: UserId, client: &Arc<Socket>) {
        self.0.clients().push((user, Arc::downgrade(client)));
    }
}
