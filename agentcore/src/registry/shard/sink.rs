//! The writing half of a connection: a TCP socket, or any other stream behind a task of its own.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::mpsc;

use super::outbox::{MAX_SLICES, Outbox};

/// Size in bytes of the portions that the writer task of a stream gets.
const STREAM_PORTION: usize = 64 * 1024;

/// Destination of an outbox.
#[derive(Debug, Clone)]
pub(crate) enum Sink {
    /// A plain TCP socket. The shard writes it, with one system call for the whole outbox.
    Tcp(Arc<OwnedWriteHalf>),
    /// The writer task of any other stream.
    Stream(mpsc::Sender<Vec<Bytes>>),
}

/// Result of writing an outbox.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WriteOutcome {
    /// The outbox is empty.
    Complete,
    /// The sink takes no more for now. The front chunk may be partly written.
    Blocked,
    /// The peer is gone.
    Lost,
}

impl Sink {
    /// Creates a sink for any stream. The returned task writes to it and calls `ready` after each portion.
    pub(crate) fn stream<W>(
        writer: W,
        write_timeout: Duration,
        mut ready: impl FnMut(io::Result<()>) + Send + 'static,
    ) -> (Self, impl Future<Output = ()> + Send)
    where
        W: AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, mut portions) = mpsc::channel::<Vec<Bytes>>(1);
        let task = async move {
            let mut writer = writer;
            while let Some(portion) = portions.recv().await {
                let writing = tokio::time::timeout(write_timeout, write_all(&mut writer, portion));
                let written = writing.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
                let failed = written.is_err();
                ready(written);
                if failed {
                    return;
                }
            }
            // TLS closes before the socket does. The timeout is for peers that do not read.
            let _ = tokio::time::timeout(write_timeout, writer.shutdown()).await;
        };
        (Self::Stream(sender), task)
    }

    /// Writes `outbox` until it is empty or the sink takes no more.
    pub(super) fn write(&self, outbox: &mut Outbox) -> WriteOutcome {
        match self {
            Self::Tcp(socket) => write_tcp(socket, outbox),
            Self::Stream(portions) => match portions.try_reserve() {
                Ok(permit) => {
                    if outbox.is_empty() {
                        return WriteOutcome::Complete;
                    }
                    permit.send(outbox.take(STREAM_PORTION));
                    WriteOutcome::Blocked
                }
                Err(mpsc::error::TrySendError::Full(())) => WriteOutcome::Blocked,
                Err(mpsc::error::TrySendError::Closed(())) => WriteOutcome::Lost,
            },
        }
    }
}

fn write_tcp(socket: &OwnedWriteHalf, outbox: &mut Outbox) -> WriteOutcome {
    while let Some(first) = outbox.first() {
        let result = if outbox.len() == 1 {
            // The common case. Filling the list of slices would take longer than everything else here.
            socket.try_write(first)
        } else {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let filled = outbox.slices(&mut slices);
            socket.try_write_vectored(slices.get(..filled).unwrap_or_default())
        };
        match result {
            Ok(written) => outbox.advance(written),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return WriteOutcome::Blocked,
            Err(_) => return WriteOutcome::Lost,
        }
    }
    WriteOutcome::Complete
}

async fn write_all<W: AsyncWrite + Unpin>(writer: &mut W, portion: Vec<Bytes>) -> io::Result<()> {
    for mut chunk in portion {
        writer.write_all_buf(&mut chunk).await?;
    }
    writer.flush().await
}
