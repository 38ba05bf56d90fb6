//! The application that can be served.

use std::sync::Arc;

use axum::Router;

use super::http::accept;
use super::http::state::AppState;
use crate::error::Result;
use crate::manager::ConnectionManager;
use crate::schema::Catalogue;

/// An application that is ready to serve.
#[derive(Debug)]
pub struct App {
    pub(super) state: Arc<AppState>,
    pub(super) router: Router,
    pub(super) catalogue: Catalogue,
}

impl App {
    /// Sends, joins and counts; see [`ConnectionManager`].
    #[must_use]
    pub fn manager(&self) -> ConnectionManager {
        self.state.manager().clone()
    }

    /// What the consumers receive and send.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The router, for an axum server of one's own. That server accepts, and closes the connections it knows, which the
    /// upgraded ones are not: [`ConnectionManager::shutdown`] ends those.
    ///
    /// That server must say where each connection comes from, as the extension `ConnectInfo<SocketAddr>` of its requests:
    /// `axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())` does. Otherwise clients have
    /// no address, and `MAX_CONNECTIONS_PER_IP` no effect.
    ///
    /// It answers unknown paths with `NOT_FOUND`; [`Router::reset_fallback`] takes that off, to merge it into a router with
    /// a fallback of its own.
    pub fn into_router(self) -> Router {
        self.router
    }

    /// Listens on `HOST`:`PORT` and serves until Ctrl-C or SIGTERM, then ends as
    /// [`ConnectionManager::shutdown`] says; a second signal ends it at once.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn serve(self) -> Result<()> {
        let manager = self.state.manager();
        let settings = manager.settings();
        let listener = match accept::listen((settings.host, settings.port).into()) {
            Ok(listener) => listener,
            Err(error) => {
                // It is a node already: the others would wait for its answers until its lease ends.
                manager.shutdown().await;
                return Err(error);
            }
        };
        let mut signals = accept::ShutdownSignals::listen();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let again = async {
            signals.next().await;
            let _ = stop.send(());
            signals.next().await;
        };
        let stopped = async {
            let _ = stopped.await;
        };
        tokio::select! {
            served = self.serve_on(listener, stopped) => served,
            () = again => {
                tracing::warn!("a second signal: the node ends at once, whoever is still connected");
                Ok(())
            }
        }
    }

    /// Serves on a listener until `stop` ends, then as [`ConnectionManager::shutdown`] says. The listener stays open until
    /// that is over: new requests for an upgrade are answered with 503, all others as ever.
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
