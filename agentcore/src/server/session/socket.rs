//! The reading end of a connection, and the buffer that all connections of a worker read into.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;

use crate::registry::Sink;

/// How much is read at once.
const BUFFER: usize = 64 * 1024;

/// An upgraded connection on its cx to its worker, and what was read of it already.
pub(in crate::server) enum Socket {
    /// A bare TCP socket, taken out of the runtime that spoke HTTP.
    Tcp(std::net::TcpStream, Bytes),
    /// Anything else: TLS, or a stream of a test.
    Stream(Box<dyn ByteStream>),
}

/// Any bidirectional stream.
pub(in crate::server) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

impl Socket {
    /// Takes the stream out of an HTTP upgrade.
    pub(in crate::server) fn of(upgraded: Upgraded) -> io::Result<Self> {
        let upgraded = match hyper_util::server::conn::auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
            Ok(parts) => return tcp(parts.io, parts.read_buf),
            Err(upgraded) => upgraded,
        };
        match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(parts) => tcp(parts.io, parts.read_buf),
            Err(upgraded) => Ok(Self::Stream(Box::new(TokioIo::new(upgraded)))),
        }
    }
}

fn tcp(io: TokioIo<TcpStream>, read: Bytes) -> io::Result<Socket> {
    let socket = io.into_inner();
    socket.set_nodelay(true)?;
    Ok(Socket::Tcp(socket.into_std()?, read))
}

/// The reading end.
pub(in crate::server) enum Reader {
    Tcp(OwnedReadHalf),
    Stream(tokio::io::ReadHalf<Box<dyn ByteStream>>),
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp(_) => "Tcp",
            Self::Stream(_) => "Stream",
        })
    }
}

/// A stream's writer task tells of each portion through this, once its connection is known.
pub(in crate::server) type OnWritten = Box<dyn FnMut(io::Result<()>) + Send>;

impl Socket {
    /// Splits the socket on the worker's runtime. `written` is called after each portion of a stream.
    pub(in crate::server) fn split(
        self,
        write_timeout: std::time::Duration,
        on_written: OnWritten,
    ) -> io::Result<(Reader, Sink, Bytes)> {
        match self {
            Self::Tcp(socket, read) => {
                let (reader, writer) = TcpStream::from_std(socket)?.into_split();
                Ok((Reader::Tcp(reader), Sink::Tcp(Arc::new(writer)), read))
            }
            Self::Stream(stream) => {
                let (reader, writer) = tokio::io::split(stream);
                let (sink, task) = Sink::stream(writer, write_timeout, on_written);
                tokio::spawn(task);
                Ok((Reader::Stream(reader), sink, Bytes::new()))
            }
        }
    }
}

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The worker's read buffer while a connection uses it; it goes back when dropped.
#[derive(Debug)]
pub(in crate::server) struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
}

impl Buffer {
    /// Bytes that were read before, in a buffer of their own.
    pub(in crate::server) fn of(bytes: Vec<u8>) -> Self {
        Self { filled: bytes.len(), bytes }
    }

    pub(in crate::server) fn filled(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.filled).unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.bytes.len() == BUFFER {
            SPARE.set(std::mem::take(&mut self.bytes));
        }
    }
}

impl Reader {
    /// Reads what is there into the worker's buffer; an empty buffer is the end of the stream. While nothing is there,
    /// no buffer is held.
    pub(in crate::server) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Buffer>> {
        let mut bytes = SPARE.take();
        bytes.resize(BUFFER, 0);
        let mut buffer = Buffer { bytes, filled: 0 };
        let mut space = ReadBuf::new(&mut buffer.bytes);
        // A partly filled buffer tells tokio that the socket is empty: no second read only to hear `WouldBlock`.
        let read = match self {
            Self::Tcp(socket) => Pin::new(socket).poll_read(cx, &mut space),
            Self::Stream(stream) => Pin::new(stream).poll_read(cx, &mut space),
        };
        ready!(read)?;
        buffer.filled = space.filled().len();
        Poll::Ready(Ok(buffer))
    }
}
