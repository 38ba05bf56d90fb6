//! A server in the process of its test, which ends with the test.

use std::convert::Infallible;
use std::net::SocketAddr;

use agentcore::axum::Router;
use agentcore::axum::body::Body;
use agentcore::axum::http::Request;
use agentcore::{AgentCore, App, ConnectionManager, Result, Settings};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tower_service::Service;

use crate::transport::{HiddenStream, Stream, Transport, accept_tls, dress};
use crate::wait::soon;

/// The settings of most tests: two workers, any port.
#[must_use]
pub fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.port = 0;
    settings.workers = 2;
    settings
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    /// The address it listens on.
    pub address: SocketAddr,
    /// Its connection manager.
    pub manager: ConnectionManager,
    transport: Transport,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Serves an application on any free port.
    ///
    /// # Panics
    /// If it cannot be built.
    pub async fn start(app: AgentCore) -> Self {
        Self::over(Transport::Tcp, app).await
    }

    /// Serves an application over a transport.
    ///
    /// # Panics
    /// If it cannot be built.
    pub async fn over(transport: Transport, app: AgentCore) -> Self {
        Self::serve(transport, app.build().await.expect("the application is built")).await
    }

    /// Serves an application that is already built.
    ///
    /// # Panics
    /// If no port is free.
    pub async fn serve(transport: Transport, app: App) -> Self {
        Self::serve_on(TcpListener::bind("127.0.0.1:0").await.expect("a port"), transport, app)
    }

    /// Serves an application with small socket buffers.
    ///
    /// # Panics
    /// If it cannot be built.
    pub async fn with_small_buffers(app: AgentCore) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        // Accepted sockets inherit it.
        socket.set_send_buffer_size(16 * 1024).expect("a small buffer");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
        let listener = socket.listen(1024).expect("a listener");
        Self::serve_on(listener, Transport::Tcp, app.build().await.expect("the application is built"))
    }

    fn serve_on(listener: TcpListener, transport: Transport, app: App) -> Self {
        let address = listener.local_addr().expect("an address");
        let manager = app.manager();
        let draining = manager.clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let stopped = async {
                // A test that does not stop its server drops the sender only with the task.
                if stopped.await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            match transport {
                Transport::Tcp => app.serve_on(listener, stopped).await,
                other => {
                    let router = app.into_router();
                    let end = async {
                        stopped.await;
                        draining.shutdown().await;
                    };
                    tokio::select! {
                        () = accept(other, &listener, router) => {}
                        () = end => {}
                    }
                    Ok(())
                }
            }
        });
        Self { address, manager, transport, stop: Some(stop), task }
    }

    /// Opens a stream to it.
    ///
    /// # Panics
    /// If it does not accept.
    pub async fn reach(&self) -> Box<dyn Stream> {
        let socket = soon("a TCP connection", TcpStream::connect(self.address)).await.expect("the server accepts");
        socket.set_nodelay(true).expect("no delay");
        soon("TLS", dress(self.transport, socket)).await
    }

    /// Stops it and waits until it has stopped.
    ///
    /// # Panics
    /// If it ends with an error, or not at all.
    pub async fn stop(mut self) {
        self.begin_stop();
        soon("the server ends", &mut self.task).await.expect("no panic").expect("no error");
    }

    /// Starts to stop it.
    pub fn begin_stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

async fn accept(transport: Transport, listener: &TcpListener, router: Router) {
    loop {
        let (socket, _) = listener.accept().await.expect("accepting");
        let router = router.clone();
        tokio::spawn(async move {
            match transport {
                Transport::Tls => {
                    if let Ok(stream) = accept_tls(socket).await {
                        speak(stream, router).await;
                    }
                }
                _ => speak(HiddenStream(socket), router).await,
            }
        });
    }
}

async fn speak(stream: impl Stream + 'static, router: Router) {
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let mut router = router.clone();
        async move { Ok::<_, Infallible>(router.call(request.map(Body::new)).await.unwrap_or_else(|never| match never {})) }
    });
    let _ = Builder::new(TokioExecutor::new()).serve_connection_with_upgrades(TokioIo::new(stream), service).await;
}
