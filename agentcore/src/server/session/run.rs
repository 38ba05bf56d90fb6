//! The life of one connection on its worker: opened, read until its end, closed.

use std::future::poll_fn;
use std::sync::{Arc, OnceLock};
use std::task::{Poll, ready};

use super::abuse::AbuseMonitor;
use super::close::{SessionEnd, close};
use super::handler::{beside, hook};
use super::message_deadline::{MessageDeadline, overdue};
use super::read_ahead::{Reading, Source};
use super::renewal;
use super::request::{Ahead, Dispatched, Next, RequestCx, answer, begin, first_poll, run, send};
use super::socket::{Buffer, Reader, Socket};
use crate::auth::Access;
use crate::consumer::{PendingSession, Reply, Session};
use crate::error::{CloseCode, CloseReason, Error, Result, millis};
use crate::manager::{ActiveGuard, Admitted, ConnectionManager};
use crate::message::{Codec, Input};
use crate::metrics::Kind;
use crate::middleware::Pipeline;
use crate::registry::{Closing, Connection, LoadGuard, Shard};
use crate::wire::{Decoder, DecoderLimits, WireEvent, pong_frame};
use crate::worker::HandlerRun;

/// How many frames a message may have.
const MAX_FRAMES: u32 = 16_384;

/// An upgraded connection that has reached its worker.
pub(in crate::server) struct Arrival {
    pub(in crate::server) socket: Socket,
    pub(in crate::server) prepared: Box<dyn PendingSession>,
    pub(in crate::server) access: Access,
    pub(in crate::server) admitted: Admitted,
    pub(in crate::server) manager: ConnectionManager,
    pub(in crate::server) shard: Arc<Shard>,
    pub(in crate::server) load: LoadGuard,
    pub(in crate::server) chain: Option<Arc<dyn Pipeline>>,
    /// The number of its consumer.
    pub(in crate::server) consumer: usize,
    /// The format that the client chose; `None`: it offered no subprotocol of ours, speaks JSON and expects no welcome.
    pub(in crate::server) chosen: Option<Codec>,
}

/// A connection that is being served.
pub(super) struct SessionState {
    pub(super) reader: Reader,
    pub(super) decoder: Decoder,
    pub(super) session: Box<dyn Session>,
    pub(super) connection: Arc<Connection>,
    pub(super) manager: ConnectionManager,
    /// Until it is clear that no handler of it starts any more.
    pub(super) active: Option<ActiveGuard>,
    chain: Option<Arc<dyn Pipeline>>,
    pub(super) abuse: AbuseMonitor,
    /// Given back with the rest, at the end of the socket.
    _load: LoadGuard,
}

/// Serves a connection from its arrival to its end.
///
/// What happens once in its life is boxed, so that an idle connection is no larger than its read loop.
pub(in crate::server) async fn serve(arrival: Box<Arrival>) {
    let Some((mut served, admitted, read)) = open(arrival) else { return };
    let mut ahead = Ahead { next: None, rest: read };
    let (end, connected) = match Box::pin(connect(&mut served, &mut ahead)).await {
        Ok(()) => (read_loop(&mut served, &mut ahead).await, true),
        Err(end) => (end, false),
    };
    Box::pin(close(served, *admitted, end, connected, ahead)).await;
}

/// Gives the connection its outbox and its consumer.
fn open(arrival: Box<Arrival>) -> Option<(SessionState, Box<Admitted>, Vec<u8>)> {
    let Arrival { socket, prepared, access, admitted, manager, shard, load, chain, consumer, chosen } = *arrival;
    // Before anybody asks whether the node is about to end.
    let active = Some(manager.active());
    let settings = manager.settings();
    // The writer of a stream must know its connection, which needs the writer first.
    let known: Arc<OnceLock<Arc<Connection>>> = Arc::default();
    let written = {
        let known = known.clone();
        Box::new(move |result: std::io::Result<()>| {
            if let Some(connection) = known.get() {
                connection.written(result);
            }
        })
    };
    let (reader, sink, read) = socket.split(settings.ws_write_timeout, written).ok()?;
    let connection = manager.open(access, &shard, chosen.unwrap_or_default(), sink, consumer);
    let _ = known.set(connection.clone());
    let limits = DecoderLimits { max_message: settings.ws_max_message_size, max_frames: MAX_FRAMES };
    let session = prepared.attach(manager.clone(), connection.clone());
    if chosen.is_some() {
        welcome(&connection, &manager);
    }
    renewal::watch(&manager, &connection);
    let served = SessionState {
        reader,
        decoder: Decoder::new(limits),
        session,
        connection,
        manager,
        active,
        chain,
        abuse: AbuseMonitor::default(),
        _load: load,
    };
    // Boxed: in place it makes the task so large that the allocator takes its next larger block, 210 bytes for each idle
    // connection (3,132 instead of 2,923, measured with `tests/load/compare.sh idle`).
    Some((served, Box::new(admitted), read.to_vec()))
}

fn welcome(connection: &Connection, manager: &ConnectionManager) {
    #[derive(serde::Serialize)]
    struct Welcome<'a> {
        connection_id: crate::id::ConnectionId,
        node: &'a str,
        /// Absent without a heartbeat.
        #[serde(skip_serializing_if = "Option::is_none")]
        heartbeat_ms: Option<u64>,
        reconnect: Reconnect,
    }
    #[derive(serde::Serialize)]
    struct Reconnect {
        max_attempts: u32,
        delay_ms: u64,
    }
    let settings = manager.settings();
    let data = Welcome {
        connection_id: connection.id(),
        node: manager.node().as_str(),
        heartbeat_ms: settings.heartbeat().map(|(interval, _)| millis(interval)),
        reconnect: Reconnect {
            max_attempts: settings.ws_reconnect_max_attempts,
            delay_ms: millis(settings.ws_reconnect_delay),
        },
    };
    if let Ok(frame) = connection.codec().encode("agentcore.welcome", None, Some(&data)) {
        send(connection, frame.into_bytes());
    }
}

/// Runs `#[on(connect)]`, and reads on meanwhile as with a handler. An error of it is told, and closes with its code.
async fn connect(served: &mut SessionState, ahead: &mut Ahead) -> Result<(), SessionEnd> {
    let SessionState { reader, decoder, session, connection, manager, abuse, .. } = served;
    if manager.is_draining() {
        return Err(SessionEnd::Requested(Closing::Drain));
    }
    let Some(future) = session.connect() else { return Ok(()) };
    let source = Source { reader, decoder, abuse };
    let meanwhile = beside(connection, Reading::new(source, connection, ahead));
    match hook(manager, future, HandlerRun::new(connection.meter(), Kind::Connect), meanwhile).await {
        Ok(Reply(answer)) => {
            if let Some(frame) = answer {
                send(connection, frame);
            }
            Ok(())
        }
        Err(error) => {
            // Whatever it says of closing: nobody is connected whom `connect` refused.
            abuse.tell(connection, error.with_default_close(), None, None).map_err(SessionEnd::Failed)
        }
    }
}

/// Reads and handles messages until the connection ends. What was read and not handled then is left in `ahead`.
async fn read_loop(served: &mut SessionState, ahead: &mut Ahead) -> SessionEnd {
    let SessionState { reader, decoder, session, connection, manager, chain, abuse, .. } = served;
    let (connection, manager, chain) = (&*connection, &*manager, chain.as_deref());
    let mut serial: u64 = 0;
    let mut unfinished = MessageDeadline::default();
    loop {
        // What was read while a handler ran comes before the socket.
        let parked = match ahead.next.take() {
            None => None,
            Some(Next::Message(message)) => Some(message),
            Some(Next::Close(close)) => return SessionEnd::PeerClosed(close),
            Some(Next::Violation(violation)) => return SessionEnd::Violation(violation),
            Some(Next::Failed(error)) => return SessionEnd::Failed(error),
            Some(Next::Lost) => return SessionEnd::Lost,
        };
        let mut buffer = if parked.is_some() || !ahead.rest.is_empty() {
            Buffer::of(std::mem::take(&mut ahead.rest))
        } else {
            let read = poll_fn(|cx| {
                if let Poll::Ready(closing) = connection.poll_close(cx) {
                    return Poll::Ready(Err(SessionEnd::Requested(closing)));
                }
                let limit = manager.settings().ws_message_timeout;
                if unfinished.poll(decoder.is_mid_message(), limit, cx).is_ready() {
                    return Poll::Ready(Err(SessionEnd::Failed(overdue(connection, limit))));
                }
                let read = ready!(reader.poll_read(cx));
                Poll::Ready(read.map_err(|_| SessionEnd::Lost))
            });
            match read.await {
                Ok(buffer) => {
                    connection.shard().mark_active(connection.slot());
                    buffer
                }
                Err(end) => return end,
            }
        };
        let mut input = buffer.filled();
        if input.is_empty() && parked.is_none() {
            return SessionEnd::Lost;
        }
        let mut parked = parked;
        loop {
            let message = match &parked {
                Some(message) => message.as_input(),
                None => match decoder.next(&mut input) {
                    Ok(None) => break,
                    Ok(Some(WireEvent::Text(text))) => Input::Text(text),
                    Ok(Some(WireEvent::Binary(bytes))) => Input::Binary(bytes),
                    Ok(Some(WireEvent::Ping(payload))) => {
                        connection.shard().pong(connection.slot(), pong_frame(payload));
                        if let Err(error) = abuse.pinged(connection) {
                            return ahead.leave(input, SessionEnd::Failed(error));
                        }
                        continue;
                    }
                    Ok(Some(WireEvent::Pong)) => {
                        if let Err(error) = abuse.pinged(connection) {
                            return ahead.leave(input, SessionEnd::Failed(error));
                        }
                        continue;
                    }
                    Ok(Some(WireEvent::Close(close))) => {
                        return SessionEnd::PeerClosed(close.map(|(code, reason)| (code, reason.to_owned())));
                    }
                    Err(violation) => return SessionEnd::Violation(violation),
                },
            };
            // Also while a client sends without a pause, or a handler has in_flight for it.
            if let Some(closing) = connection.close_request() {
                return ahead.leave(input, SessionEnd::Requested(closing));
            }
            if message.codec() != connection.codec() {
                return ahead.leave(input, SessionEnd::of_another_codec(connection.codec()));
            }
            serial += 1;
            unfinished.complete();
            let cx = RequestCx { session: session.as_mut(), chain, connection, manager };
            let dispatched = begin(cx, abuse, message, serial);
            parked = None;
            let (mut future, in_flight, kind) = match dispatched {
                Dispatched::Answered => continue,
                Dispatched::Failed(error) => return ahead.leave(input, SessionEnd::Failed(error)),
                Dispatched::Started(future, in_flight, kind) => (future, in_flight, kind),
            };
            let mut handling = HandlerRun::new(connection.meter(), kind);
            let output = match first_poll(&mut future, &mut handling).await {
                Poll::Ready(output) => {
                    drop(future);
                    output
                }
                Poll::Pending => {
                    let unread = input.to_vec();
                    drop(buffer);
                    let source = Source { reader, decoder, abuse };
                    let (output, read) =
                        Box::pin(run(future, handling, &in_flight, manager, source, connection, unread)).await;
                    *ahead = read;
                    if let Err(error) = answer(abuse, connection, &in_flight, output) {
                        return SessionEnd::Failed(error);
                    }
                    break;
                }
            };
            if let Err(error) = answer(abuse, connection, &in_flight, output) {
                return ahead.leave(input, SessionEnd::Failed(error));
            }
        }
    }
}

impl SessionEnd {
    fn of_another_codec(codec: Codec) -> Self {
        let spoken = match codec {
            Codec::Json => "this connection speaks JSON in text frames",
            Codec::MessagePack => "this connection speaks MessagePack in binary frames",
        };
        let error = Error::validation(spoken).with_close(CloseCode::Unsupported);
        error.log();
        Self::Failed(error)
    }

    /// What the consumer hears in `#[on(disconnect)]`.
    pub(super) fn reason(&self) -> CloseReason {
        match self {
            Self::PeerClosed(Some((code, reason))) => CloseReason::new(*code, reason.clone()),
            Self::PeerClosed(None) => CloseReason::new(CloseCode::Status, ""),
            Self::Violation(violation) => CloseReason::of(&violation_error(*violation)),
            Self::Failed(error) => CloseReason::of(error),
            Self::Requested(Closing::Frame(reason) | Closing::AfterHandler(reason)) => reason.clone(),
            Self::Requested(Closing::Lost | Closing::Drain) | Self::Lost => CloseReason::lost(),
        }
    }
}

fn violation_error(violation: crate::wire::Violation) -> Error {
    let code = match violation {
        crate::wire::Violation::Protocol(_) => "PROTOCOL_ERROR",
        crate::wire::Violation::Utf8 => "INVALID_UTF8",
        crate::wire::Violation::TooBig { .. } => "MESSAGE_TOO_BIG",
        crate::wire::Violation::TooManyFrames { .. } => "TOO_MANY_FRAMES",
    };
    Error::new(crate::error::ErrorCategory::Message, code, violation.to_string()).with_close(violation.close_code())
}

#[cfg(test)]
mod tests {
    fn size<F: Future>(_: impl Fn(Box<super::Arrival>) -> F) -> usize {
        size_of::<F>()
    }

    /// The runtime adds less than 120 bytes, and the allocator's next block after 1,024 bytes has 1,280.
    #[test]
    fn the_task_of_a_connection_fits_into_a_kibibyte() {
        assert!(size(super::serve) <= 904, "{}", size(super::serve));
    }
}
