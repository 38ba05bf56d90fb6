//! The end of a session, whatever its cause: the last frame, the consumer's hook, the close handshake (RFC 6455 7).

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::end::SessionEnd;
use super::handler::run_hook;
use super::read_ahead::ReadAhead;
use super::reader::MessageReader;
use super::state::SessionState;
use crate::error::CloseReason;
use crate::manager::Admitted;
use crate::metrics::Metered;
use crate::panic::catch_panic;
use crate::registry::{Closing, Urgent};
use crate::wire::close_frame;
use crate::worker::HandlerRun;

/// Duration of the close handshake, at most. The socket of a peer that reads nothing or never answers is closed then.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of the peer that are read after our close frame, at most: more than a message that is on its way has by default.
const MAX_DISCARDED: usize = 24 * 1024 * 1024;

/// Ends a session: sends the close frame, runs `#[on(disconnect)]` if the session was `connected`, removes the
/// connection from all groups and counts, and closes the socket. A panic of one step, such as that of a log line, does
/// not prevent the next ones.
pub(super) async fn close(mut state: SessionState, admitted: Admitted, mut end: SessionEnd, connected: bool) {
    // No handler starts from here on.
    drop(state.active.take());
    state.reader.detach();
    if let SessionEnd::Requested(Closing::Drain) = end {
        let permitted = catch_panic(wait_for_permit(&mut state)).await;
        end = permitted
            .unwrap_or_else(|_| SessionEnd::Requested(Closing::Frame(CloseReason::of(&state.manager.restarting()))));
    }
    let connection = state.connection.clone();
    let (shard, slot) = (connection.shard().clone(), connection.slot());
    let (reason, lost) = (end.reason(), end.is_lost());
    shard.finish(slot, (!lost).then(|| close_frame(&end.close_frame_reason(&reason))));
    let deadline = tokio::time::sleep(HANDSHAKE_TIMEOUT);
    connection.abort_tasks();
    let mut peer_close = PeerClose::after(&end);
    if connected {
        let _ = catch_panic(disconnect(&mut state, reason, &mut peer_close)).await;
    }
    let present = state.manager.end(&connection);
    // A client that has closed may reconnect as soon as it receives our answer, so its admission is released now. Any
    // other client still holds its socket.
    let _admitted = (!matches!(end, SessionEnd::PeerClosed(_))).then_some(admitted);
    // Ends the tasks that the hook has spawned. No further task can be spawned after `ConnectionManager::end`.
    connection.abort_tasks();
    let manager = state.manager.clone();
    let handshake = catch_panic(async {
        if !lost {
            let mut deadline = pin!(deadline);
            let drained = poll_fn(|cx| {
                if connection.poll_flushed(cx).is_ready() {
                    return Poll::Ready(true);
                }
                deadline.as_mut().poll(cx).map(|()| false)
            });
            if drained.await {
                // The last writer drops the writing end of the socket, so the peer sees the end of the stream after
                // the close frame.
                shard.remove(slot);
                poll_fn(|cx| {
                    // Polled first: a peer that never pauses exhausts the task's budget, and timers need some of it.
                    if deadline.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(());
                    }
                    peer_close.poll(&mut state.reader, cx)
                })
                .await;
            }
        }
        shard.remove(slot);
        drop(state);
    });
    // A slow backend delays neither the peer nor the counts of this node.
    let _ = tokio::join!(handshake, manager.exit_all(&connection, &present));
    // Again, in case of a panic during the handshake.
    shard.remove(slot);
}

/// Keeps the connection of a draining node open until it may close, so that it still receives what running handlers
/// send. Meanwhile the socket is read, but no message is handled.
async fn wait_for_permit(state: &mut SessionState) -> SessionEnd {
    let SessionState { reader, abuse, connection, manager, .. } = state;
    let mut read_ahead = ReadAhead::new(reader, abuse, connection);
    let mut permit = pin!(manager.permit_to_close());
    poll_fn(|cx| {
        if permit.as_mut().poll(cx).is_ready() {
            let reason = CloseReason::of(&manager.restarting());
            return Poll::Ready(SessionEnd::Requested(Closing::Frame(reason)));
        }
        if let Poll::Ready(Urgent::Close(closing)) = connection.poll_urgent(cx) {
            return Poll::Ready(SessionEnd::Requested(closing));
        }
        read_ahead.poll(cx);
        read_ahead.take_end().map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

/// Runs `#[on(disconnect)]`, and discards meanwhile what the peer still sends.
async fn disconnect(state: &mut SessionState, reason: CloseReason, peer_close: &mut PeerClose) {
    let SessionState { reader, session, connection, manager, .. } = state;
    let Some(future) = session.disconnect(reason) else { return };
    let mut hook_deadline_passed = pin!(manager.hook_deadline_passed());
    let meanwhile = |cx: &mut Context<'_>| {
        let _ = peer_close.poll(reader, cx);
        hook_deadline_passed.as_mut().poll(cx)
    };
    let run = HandlerRun::new(connection.meter(), Metered::Disconnect);
    if let Err(mut error) = run_hook(manager, "#[on(disconnect)]", future, run, meanwhile).await {
        error.log_of(connection.id(), connection.user_id(), None, 0);
    }
}

/// The peer's part of the close handshake.
struct PeerClose {
    received: bool,
    /// Whether a close frame can still be decoded; if not, only the end of the stream is waited for.
    decodable: bool,
    /// Bytes that may still be read.
    left: usize,
}

impl PeerClose {
    fn after(end: &SessionEnd) -> Self {
        Self {
            received: end.is_lost() || matches!(end, SessionEnd::PeerClosed(_)),
            decodable: !matches!(end, SessionEnd::Violation(_)),
            left: MAX_DISCARDED,
        }
    }

    fn poll(&mut self, reader: &mut MessageReader, cx: &mut Context<'_>) -> Poll<()> {
        if !self.received {
            ready!(reader.poll_peer_close(self.decodable, &mut self.left, cx));
            self.received = true;
        }
        Poll::Ready(())
    }
}
