//! A client's end of a stream in memory, which breaks as a socket does.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// How much a stream holds each way: little, so that a client which reads nothing is soon noticed.
const CAPACITY: usize = 8 * 1024;

/// Writing to a peer that is gone succeeds, as it does at first on a socket: an error would hide what is still to be read,
/// which may be a close frame.
#[derive(Debug)]
pub(super) struct Pipe(DuplexStream);

impl Pipe {
    /// The client's end, and the application's.
    pub(super) fn new() -> (Self, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(CAPACITY);
        (Self(ours), theirs)
    }
}

impl AsyncRead for Pipe {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
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
