//! The client's end of an in-memory stream that breaks as a socket does.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// The capacity of a stream in each direction, in bytes: small, so that a stalled client fills it quickly.
const CAPACITY: usize = 8 * 1024;

/// The client's end of an in-memory stream.
///
/// A write after the peer is gone succeeds, as on a socket at first. An error would hide data that is still to be read,
/// such as a close frame.
#[derive(Debug)]
pub(super) struct Pipe(DuplexStream);

impl Pipe {
    /// Creates a stream, and returns the client's end and the application's end.
    pub(super) fn new() -> (Self, DuplexStream) {
        let (client, server) = tokio::io::duplex(CAPACITY);
        (Self(client), server)
    }
}

impl AsyncRead for Pipe {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.0).poll_write(cx, bytes) {
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => Poll::Ready(Ok(bytes.len())),
            written => written,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
