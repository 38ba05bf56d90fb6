//! A server without a port: clients reach it through streams in memory.

use std::convert::Infallible;
use std::net::SocketAddr;

use agentcore::axum::Router;
use agentcore::axum::body::Body;
use agentcore::axum::extract::ConnectInfo;
use agentcore::axum::http::Request;
use agentcore::{AgentCore, ConnectionManager};
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tower_service::Service;

/// An application that is served this way.
#[derive(Debug, Clone)]
pub struct Inside {
    router: Router,
    /// Its connection manager.
    pub manager: ConnectionManager,
}

impl Inside {
    /// Serves an application.
    ///
    /// # Panics
    /// If it cannot be built.
    pub async fn of(app: AgentCore) -> Self {
        let app = app.build().await.expect("the application is built");
        let manager = app.manager();
        Self { router: app.into_router(), manager }
    }

    /// Serves the application below `path` of another router.
    #[must_use]
    pub fn nested(self, path: &str) -> Self {
        Self { router: Router::new().nest(path, self.router), ..self }
    }

    /// Opens a stream to it, from `peer` or from an unknown address.
    pub fn reach(&self, peer: Option<SocketAddr>) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(4096);
        let router = self.router.clone();
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            let mut router = router.clone();
            if let Some(peer) = peer {
                request.extensions_mut().insert(ConnectInfo(peer));
            }
            async move {
                Ok::<_, Infallible>(router.call(request.map(Body::new)).await.unwrap_or_else(|never| match never {}))
            }
        });
        tokio::spawn(async move {
            let _ = Builder::new().serve_connection(TokioIo::new(theirs), service).with_upgrades().await;
        });
        ours
    }
}
