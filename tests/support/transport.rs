//! The ways a connection can travel: a plain TCP socket, another kind of stream, and TLS.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Any bidirectional stream.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// How a server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// `serve_on`, with plain TCP sockets.
    Tcp,
    /// `into_router` behind a server of the test, whose streams hide their type.
    Hidden,
    /// `into_router` behind TLS.
    Tls,
}

/// A TCP socket that cannot be recognised as one.
#[derive(Debug)]
pub struct HiddenStream(pub TcpStream);

impl AsyncRead for HiddenStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl AsyncWrite for HiddenStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A certificate for `localhost` made for this run, and clients that trust it.
struct Identity {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
}

fn identity() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(|| {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = rustls::ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a server's configuration");
        let mut trusted = rustls::RootCertStore::empty();
        trusted.add(made.cert.der().clone()).expect("a root");
        let client = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_root_certificates(trusted)
            .with_no_client_auth();
        Identity { acceptor: TlsAcceptor::from(Arc::new(server)), connector: TlsConnector::from(Arc::new(client)) }
    })
}

/// Accepts a TLS connection.
///
/// # Errors
/// If the client does not finish the TLS handshake.
pub async fn accept_tls(socket: TcpStream) -> io::Result<impl Stream + 'static> {
    identity().acceptor.accept(socket).await
}

/// Opens the client's side of any transport.
///
/// # Panics
/// If the TLS handshake fails.
pub async fn dress(transport: Transport, socket: TcpStream) -> Box<dyn Stream> {
    match transport {
        Transport::Tcp | Transport::Hidden => Box::new(socket),
        Transport::Tls => {
            let name = ServerName::try_from("localhost").expect("a name");
            Box::new(identity().connector.connect(name, socket).await.expect("TLS"))
        }
    }
}
