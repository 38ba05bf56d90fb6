//! The parts of a session, and how they are put together on the worker.

use std::io;
use std::sync::{Arc, OnceLock};

use super::abuse::AbuseMonitor;
use super::reader::MessageReader;
use super::renewal;
use super::socket::UpgradedSocket;
use super::welcome::send_welcome;
use crate::auth::Access;
use crate::consumer::{PendingSession, Session};
use crate::manager::{ActiveGuard, Admitted, ConnectionManager};
use crate::message::Codec;
use crate::middleware::Pipeline;
use crate::registry::{Connection, LoadGuard, Shard};
use crate::wire::{Decoder, DecoderLimits};

/// An upgraded connection that has reached its worker.
pub(in crate::server) struct Arrival {
    pub(in crate::server) socket: UpgradedSocket,
    pub(in crate::server) consumer: Box<dyn PendingSession>,
    /// The number of the mounted consumer type, for the metrics.
    pub(in crate::server) consumer_number: usize,
    pub(in crate::server) access: Access,
    pub(in crate::server) admitted: Admitted,
    pub(in crate::server) manager: ConnectionManager,
    pub(in crate::server) shard: Arc<Shard>,
    pub(in crate::server) load: LoadGuard,
    pub(in crate::server) chain: Option<Arc<dyn Pipeline>>,
    pub(in crate::server) limits: Arc<DecoderLimits>,
    /// The codec of the negotiated subprotocol. A client without one uses JSON and gets no welcome.
    pub(in crate::server) negotiated: Option<Codec>,
}

/// A connection that is being served.
pub(super) struct SessionState {
    pub(super) reader: MessageReader,
    pub(super) abuse: AbuseMonitor,
    pub(super) session: Box<dyn Session>,
    pub(super) connection: Arc<Connection>,
    pub(super) manager: ConnectionManager,
    pub(super) chain: Option<Arc<dyn Pipeline>>,
    /// Dropped once no further handler of this connection can start; the drain waits for that.
    pub(super) active: Option<ActiveGuard>,
    /// Counts the connection in its shard's load until the socket is closed.
    _load: LoadGuard,
}

impl SessionState {
    /// Registers the connection, gives it its outbox and its consumer, and sends the welcome. Returns `None` when the
    /// runtime cannot take the socket.
    pub(super) fn open(arrival: Box<Arrival>) -> Option<(Self, Box<Admitted>)> {
        let Arrival {
            socket,
            consumer,
            consumer_number,
            access,
            admitted,
            manager,
            shard,
            load,
            chain,
            limits,
            negotiated,
        } = *arrival;
        // Counted before `is_draining` is asked: either this connection sees the drain, or the drain waits for it.
        let active = Some(manager.active());
        let settings = manager.settings();
        // The writer task of a stream reports to the connection, which is created after it.
        let opened: Arc<OnceLock<Arc<Connection>>> = Arc::default();
        let on_written = {
            let opened = opened.clone();
            Box::new(move |result: io::Result<()>| {
                if let Some(connection) = opened.get() {
                    connection.written(result);
                }
            })
        };
        let (socket, sink, read) = socket.split(settings.ws_write_timeout, on_written).ok()?;
        let connection = manager.open(access, &shard, negotiated.unwrap_or_default(), sink, consumer_number);
        let _ = opened.set(connection.clone());
        let reader = MessageReader::new(socket, Decoder::new(limits), read.to_vec());
        let session = consumer.attach(manager.clone(), connection.clone());
        if negotiated.is_some() {
            send_welcome(&connection, &manager);
        }
        renewal::watch_expiry(&manager, &connection);
        let abuse = AbuseMonitor::default();
        let state = Self { reader, abuse, session, connection, manager, chain, active, _load: load };
        // Boxed: in place, it makes the task so large that the allocator uses the next larger block, which costs 210
        // bytes for each idle connection (3,132 instead of 2,923, measured with `tests/load/compare.sh idle`).
        Some((state, Box::new(admitted)))
    }
}
