//! The socket of an upgraded connection, and its two ends on the worker.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;

use super::buffer::ReadBuffer;
use crate::registry::Sink;

/// An upgraded connection on its way to its worker, with the bytes that hyper has read already.
pub(in crate::server) enum UpgradedSocket {
    /// A bare TCP socket, detached from the runtime that served HTTP.
    Tcp(std::net::TcpStream, Bytes),
    /// Any other stream: TLS, or a stream of a test.
    Stream(Box<dyn ByteStream>),
}

/// A bidirectional stream of bytes.
pub(in crate::server) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

/// A callback that receives the result of each write to a stream.
pub(super) type OnWritten = Box<dyn FnMut(io::Result<()>) + Send>;

impl UpgradedSocket {
    /// Takes the stream out of an upgrade by a server of the application: `axum::serve`, hyper, or any other.
    ///
    /// # Errors
    /// When the TCP socket cannot be detached from its runtime.
    pub(in crate::server) fn of(upgraded: Upgraded) -> io::Result<Self> {
        let upgraded = match hyper_util::server::conn::auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
            Ok(parts) => return Self::tcp(parts.io.into_inner(), parts.read_buf),
            Err(upgraded) => upgraded,
        };
        match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(parts) => Self::tcp(parts.io.into_inner(), parts.read_buf),
            Err(upgraded) => Ok(Self::Stream(Box::new(TokioIo::new(upgraded)))),
        }
    }

    /// Detaches a TCP socket from its runtime. `read` was read from it already.
    ///
    /// # Errors
    /// When the socket cannot be detached.
    pub(in crate::server) fn tcp(socket: TcpStream, read: Bytes) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        Ok(Self::Tcp(socket.into_std()?, read))
    }

    /// Splits the socket on the worker's runtime, and returns the bytes that were read already. A stream calls
    /// `on_written` after each write.
    ///
    /// # Errors
    /// When the runtime cannot register the TCP socket.
    pub(super) fn split(
        self,
        write_timeout: Duration,
        on_written: OnWritten,
    ) -> io::Result<(SocketReader, Sink, Bytes)> {
        match self {
            Self::Tcp(socket, read) => {
                let (reader, writer) = TcpStream::from_std(socket)?.into_split();
                Ok((SocketReader::Tcp(reader), Sink::Tcp(Arc::new(writer)), read))
            }
            Self::Stream(stream) => {
                let (reader, writer) = tokio::io::split(stream);
                let (sink, task) = Sink::stream(writer, write_timeout, on_written);
                tokio::spawn(task);
                Ok((SocketReader::Stream(reader), sink, Bytes::new()))
            }
        }
    }
}

/// The reading end of a socket.
pub(super) enum SocketReader {
    Tcp(OwnedReadHalf),
    Stream(ReadHalf<Box<dyn ByteStream>>),
}

impl SocketReader {
    /// Reads the available bytes into the worker's buffer; an empty buffer is the end of the stream. While the read is
    /// pending, no buffer is held.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<ReadBuffer>> {
        match self {
            Self::Tcp(socket) => ReadBuffer::poll_read(socket, cx),
            Self::Stream(stream) => ReadBuffer::poll_read(stream, cx),
        }
    }
}
