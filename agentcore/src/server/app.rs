//! An application that is ready to be served.

use std::sync::Arc;

use axum::Router;

use super::http::accept;
use super::http::app_state::AppState;
use super::http::signals::ShutdownSignals;
use crate::error::{Error, Result};
use crate::manager::ConnectionManager;
use crate::schema::Catalogue;

/// An application that is ready to be served.
#[derive(Debug)]
pub struct App {
    pub(super) state: Arc<AppState>,
    pub(super) router: Router,
    pub(super) catalogue: Catalogue,
}

impl App {
    /// Returns the manager, which sends, joins and counts.
    #[must_use]
    pub fn manager(&self) -> ConnectionManager {
        self.state.manager().clone()
    }

    /// Returns the catalogue of the messages that the consumers receive and send.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Returns the router, for an axum server of your own. That server accepts connections and closes the ones it
    /// knows. It does not know upgraded connections: end those with [`ConnectionManager::shutdown`].
    ///
    /// The server must record the peer of each connection, as the request extension `ConnectInfo<SocketAddr>`:
    /// `axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())` does. Otherwise clients have
    /// no address, and `MAX_CONNECTIONS_PER_IP` has no effect.
    ///
    /// The router answers unknown paths with `NOT_FOUND`. To merge it into a router with its own fallback, remove this
    /// one with [`Router::reset_fallback`].
    pub fn into_router(self) -> Router {
        self.router
    }

    /// Listens on `HOST`:`PORT` and serves until Ctrl-C or SIGTERM, then ends as [`ConnectionManager::shutdown`]
    /// describes. A second signal ends the node at once, and the process one second later if it still runs, even if
    /// handlers block all of its threads. So does a shutdown that takes a second longer than `SHUTDOWN_TIMEOUT`.
    ///
    /// # Errors
    /// When it cannot listen on the address.
    pub async fn serve(self) -> Result<()> {
        let manager = self.state.manager();
        let settings = manager.settings();
        let signals = ShutdownSignals::listen(settings.shutdown_timeout);
        let signals = signals.map_err(|error| Error::start(format!("cannot listen for signals: {error}")));
        let listener = accept::listen((settings.host, settings.port).into());
        let (signals, listener) = match signals.and_then(|signals| Ok((signals, listener?))) {
            Ok(both) => both,
            Err(error) => {
                // The backend has started, so other nodes would wait for this node's answers until its lease ends.
                manager.shutdown().await;
                return Err(error);
            }
        };
        let (stop, again, _served) = signals.split();
        tokio::select! {
            served = self.serve_on(listener, stop) => served,
            () = again => Ok(()),
        }
    }

    /// Serves on a listener until `stop` completes, then ends as [`ConnectionManager::shutdown`] describes. Until it
    /// has ended, the listener stays open: requests for an upgrade are answered with 503, all others as before.
    ///
    /// # Errors
    /// When the listener has no address.
    pub async fn serve_on(
        self,
        listener: tokio::net::TcpListener,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<()> {
        accept::serve(self.state, self.router, listener, stop).await
    }
}
