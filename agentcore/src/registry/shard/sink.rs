//! The writing end of a connection: a TCP socket written directly, or any other stream through a task of its own.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::mpsc;

use super::outbox::{MAX_SLICES, Outbox};

/// How much the writer task of a stream is given at once.
const STREAM_CHUNK: usize = 64 * 1024;

/// Where an outbox is written to.
#[derive(Debug, Clone)]
pub(crate) enum Sink {
    /// A bare TCP socket: written by the shard, one system call for all that waits.
    Tcp(Arc<OwnedWriteHalf>),
    /// Any other stream, behind its writer task.
    Stream(mpsc::Sender<Vec<Bytes>>),
}

/// What came of a write.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum WriteOutcome {
    /// All of it.
    All,
    /// The rest waits until the sink takes more; the front chunk may be cut.
    Blocked,
    /// The peer is gone.
    Lost,
}

impl Sink {
    /// A sink for any stream; the returned task writes to it and calls `ready` after each portion.
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
            // Ends TLS with its own close before the socket goes; a peer that reads nothing is not waited for.
            let _ = tokio::time::timeout(write_timeout, writer.shutdown()).await;
        };
        (Self::Stream(sender), task)
    }

    /// Writes what waits in `outbox`, until all is written or the sink takes no more.
    pub(super) fn write(&self, outbox: &mut Outbox) -> WriteOutcome {
        match self {
            Self::Tcp(socket) => write_tcp(socket, outbox),
            Self::Stream(portions) => match portions.try_reserve() {
                Ok(permit) => {
                    if outbox.is_empty() {
                        return WriteOutcome::All;
                    }
                    permit.send(outbox.take(STREAM_CHUNK));
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
            // The common case; filling the list below would take longer than all else here.
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
    WriteOutcome::All
}

async fn write_all<W: AsyncWrite + Unpin>(writer: &mut W, portion: Vec<Bytes>) -> io::Result<()> {
    for mut chunk in portion {
        writer.write_all_buf(&mut chunk).await?;
    }
    writer.flush().await
}
