//! The wire protocol, byte by byte: each test runs over a plain TCP socket, over a stream that hides its type, and
//! over TLS.
#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test stops where it fails")]

/// Declares tests that run over every transport.
macro_rules! over_every_transport {
    ($(async fn $name:ident($over:ident) $body:block)*) => {$(
        mod $name {
            use super::*;

            async fn run($over: tests::transport::Transport) $body

            #[tokio::test]
            async fn over_tcp() {
                run(tests::transport::Transport::Tcp).await;
            }

            #[tokio::test]
            async fn over_a_hidden_stream() {
                run(tests::transport::Transport::Hidden).await;
            }

            #[tokio::test]
            async fn over_tls() {
                run(tests::transport::Transport::Tls).await;
            }
        }
    )*};
}

mod answers;
mod closing;
mod envelope;
mod errors;
mod frames;
mod handshake;
mod probe;
mod shapes;
mod unfinished;
mod validation;
mod violations;
