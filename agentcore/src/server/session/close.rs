//! The end of a connection: the last frame, the consumer's hook, the close handshake (RFC 6455 7).

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::handler::hook;
use super::read_ahead::{Reading, Source};
use super::request::{Ahead, Next};
use super::run::SessionState;
use super::socket::Reader;
use crate::error::{CloseCode, CloseReason, Error};
use crate::manager::Admitted;
use crate::metrics::Kind;
use crate::registry::{Closing, Urgent};
use crate::wire::{Decoder, Violation, WireEvent, close_frame};
use crate::worker::HandlerRun;

/// How long the close handshake may take: a peer that reads nothing or never answers is left after it.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum SessionEnd {
    /// The peer sent a close frame.
    PeerClosed(Option<(CloseCode, String)>),
    /// The peer broke the protocol.
    Violation(Violation),
    /// An error that closes.
    Failed(Error),
    /// Somebody on this side wants it closed.
    Requested(Closing),
    /// The socket ended without a close frame.
    Lost,
}

/// Says goodbye, tells the consumer, takes the connection out of all groups and counts, and ends the socket.
///
/// `ahead` is what was read and not handled.
pub(super) async fn close(
    mut served: SessionState,
    admitted: Admitted,
    mut end: SessionEnd,
    connected: bool,
    mut ahead: Ahead,
) {
    // No handler starts from here on.
    drop(served.active.take());
    if let SessionEnd::Requested(Closing::Drain) = end {
        end = hold(&mut served, &mut ahead).await;
    }
    let connection = served.connection.clone();
    let (shard, member) = (connection.shard().clone(), connection.slot());
    let reason = end.reason();
    let lost = matches!(end, SessionEnd::Lost | SessionEnd::Requested(Closing::Lost));
    shard.finish(member, (!lost).then(|| close_frame(&echo(&end, &reason))));
    let deadline = tokio::time::sleep(HANDSHAKE);
    connection.abort_tasks();
    let decodes = !matches!(end, SessionEnd::Violation(_));
    let mut heard = lost || matches!(end, SessionEnd::PeerClosed(_)) || (decodes && served.hears_farewell(&mut ahead));
    if connected {
        disconnect(&mut served, reason, decodes, &mut heard).await;
    }
    let present = served.manager.end(&connection);
    // A client that has closed may come back as soon as it hears the answer; any other one still holds its socket.
    let _admitted = (!matches!(end, SessionEnd::PeerClosed(_))).then_some(admitted);
    // What the hook has spawned; from here on nothing can be.
    connection.abort_tasks();
    let manager = served.manager.clone();
    let handshake = async {
        if !lost {
            let mut deadline = pin!(deadline);
            let finished = poll_fn(|cx| {
                if connection.poll_drained(cx).is_ready() {
                    return Poll::Ready(true);
                }
                deadline.as_mut().poll(cx).map(|()| false)
            });
            if finished.await {
                // The last writer drops the socket's writing end: the peer sees the end of the stream after the close
                // frame.
                shard.remove(member);
                poll_fn(|cx| {
                    if !heard && deadline.as_mut().poll(cx).is_pending() {
                        return poll_farewell(&mut served.reader, &mut served.decoder, cx, decodes);
                    }
                    Poll::Ready(())
                })
                .await;
            }
        }
        shard.remove(member);
        drop(served);
    };
    // A backend that takes its time holds up neither the peer nor the counts of this node.
    tokio::join!(handshake, manager.exit_all(&connection, &present));
}

/// Keeps a connection of a node that is about to end until its turn has come: what running handlers send, also those of
/// others, still reaches it. Meanwhile the socket is read, but no message is handled.
async fn hold(served: &mut SessionState, ahead: &mut Ahead) -> SessionEnd {
    let SessionState { reader, decoder, connection, manager, abuse, .. } = served;
    let mut reading = Reading::new(Source { reader, decoder, abuse }, connection, ahead);
    let mut turn = pin!(manager.turn_to_close());
    poll_fn(|cx| {
        if turn.as_mut().poll(cx).is_ready() {
            let reason = CloseReason::of(&manager.restarting());
            return Poll::Ready(SessionEnd::Requested(Closing::Frame(reason)));
        }
        if let Poll::Ready(Urgent::Close(closing)) = connection.poll_urgent(cx) {
            return Poll::Ready(SessionEnd::Requested(closing));
        }
        reading.poll(cx);
        reading.ended().map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

/// Runs `#[on(disconnect)]`. What the peer still sends is thrown away meanwhile; `heard` says whether its farewell came.
async fn disconnect(served: &mut SessionState, reason: CloseReason, decodes: bool, heard: &mut bool) {
    let SessionState { reader, decoder, session, connection, manager, .. } = served;
    let Some(future) = session.disconnect(reason) else { return };
    let mut last_call = pin!(manager.last_call());
    let meanwhile = |cx: &mut Context<'_>| {
        *heard = *heard || poll_farewell(reader, decoder, cx, decodes).is_ready();
        last_call.as_mut().poll(cx)
    };
    let handling = HandlerRun::new(connection.meter(), Kind::Disconnect);
    if let Err(mut error) = hook(manager, future, handling, meanwhile).await {
        error.log_of(connection.id(), connection.user_id(), None, 0);
    }
}

/// The close frame that answers: the peer's own code comes back to it, without a reason.
fn echo(end: &SessionEnd, reason: &CloseReason) -> CloseReason {
    match end {
        SessionEnd::PeerClosed(Some((code, _))) => CloseReason::new(*code, ""),
        _ => reason.clone(),
    }
}

impl SessionState {
    /// Whether the peer's close frame, or the end of the stream, is in what was read and not handled.
    fn hears_farewell(&mut self, ahead: &mut Ahead) -> bool {
        match &ahead.next {
            Some(Next::Close(_) | Next::Violation(_) | Next::Lost) => return true,
            Some(Next::Message(_) | Next::Failed(_)) | None => {}
        }
        is_farewell(&mut self.decoder, &mut ahead.rest)
    }
}

/// Throws away what the peer still sends, until its close frame or the end of the stream. Closing a socket with unread
/// data would reset it, and the peer might lose our close frame.
fn poll_farewell(reader: &mut Reader, decoder: &mut Decoder, cx: &mut Context<'_>, decodes: bool) -> Poll<()> {
    loop {
        let Ok(mut buffer) = ready!(reader.poll_read(cx)) else { return Poll::Ready(()) };
        let input = buffer.filled();
        if input.is_empty() || (decodes && is_farewell(decoder, input)) {
            return Poll::Ready(());
        }
    }
}

/// Whether a close frame is in `input`, or something after which none can come.
fn is_farewell(decoder: &mut Decoder, mut input: &mut [u8]) -> bool {
    loop {
        match decoder.next(&mut input) {
            Ok(None) => return false,
            Ok(Some(WireEvent::Close(_))) | Err(_) => return true,
            Ok(Some(_)) => {}
        }
    }
}
