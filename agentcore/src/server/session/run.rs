//! The life of one connection on its worker: opened, read until its end, closed.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use super::close::close;
use super::end::SessionEnd;
use super::handler::{read_while_running, run_hook};
use super::in_flight::poll_once;
use super::message_deadline::{MessageDeadline, message_timeout};
use super::read_ahead::ReadAhead;
use super::reader::{MessageReader, ReadItem};
use super::reply::send;
use super::request::{Dispatched, RequestCx, dispatch};
use super::state::{Arrival, SessionState};
use crate::consumer::Reply;
use crate::error::{CloseCode, Error};
use crate::manager::ConnectionManager;
use crate::metrics::Metered;
use crate::panic::{Panic, catch_panic, log_anyway, poll_catching_panic};
use crate::registry::{Closing, Connection};
use crate::worker::HandlerRun;

/// Serves a connection from its arrival to its end.
///
/// The futures that run once per connection are boxed, so that an idle connection is no larger than its read loop.
pub(in crate::server) async fn serve(arrival: Box<Arrival>) {
    let Some((mut state, admitted)) = SessionState::open(arrival) else { return };
    // A panic ends in `close` too, which gives back what the connection holds. It is that of a log line: panics of
    // handlers and hooks are caught where these run.
    let (end, connected) = match catch_panic(Box::pin(connect(&mut state))).await {
        Ok(Ok(())) => {
            let mut reading = pin!(read_loop(&mut state));
            (poll_fn(|cx| poll_catching_panic(reading.as_mut(), cx)).await.unwrap_or_else(panicked), true)
        }
        Ok(Err(end)) => (end, false),
        Err(panic) => (panicked(panic), false),
    };
    Box::pin(close(state, *admitted, end, connected)).await;
}

/// Returns the end of a connection whose own code panicked.
fn panicked(Panic(text): Panic) -> SessionEnd {
    let error = Error::internal(format!("the session panicked: {text}")).with_close(CloseCode::Error);
    log_anyway(|| error.log());
    SessionEnd::Failed(error)
}

/// Runs `#[on(connect)]`, and reads ahead meanwhile as beside a handler.
///
/// # Errors
/// The end of a connection that the hook refused; its error is sent to the client.
async fn connect(state: &mut SessionState) -> Result<(), SessionEnd> {
    let SessionState { reader, abuse, session, connection, manager, .. } = state;
    if manager.is_draining() {
        return Err(SessionEnd::Requested(Closing::Drain));
    }
    let Some(future) = session.connect() else { return Ok(()) };
    let run = HandlerRun::new(connection.meter(), Metered::Connect);
    let meanwhile = read_while_running(connection, ReadAhead::new(reader, abuse, connection));
    match run_hook(manager, "#[on(connect)]", future, run, meanwhile).await {
        Ok(Reply(frame)) => {
            if let Some(frame) = frame {
                send(connection, frame);
            }
            Ok(())
        }
        // Any error of the hook refuses the connection, so it closes even if the error itself would not.
        Err(error) => abuse.report(connection, error.with_default_close(), None, None).map_err(SessionEnd::Failed),
    }
}

/// Reads and handles messages until the connection ends.
async fn read_loop(state: &mut SessionState) -> SessionEnd {
    let SessionState { reader, abuse, session, connection, manager, chain, .. } = state;
    let (connection, manager, chain) = (&*connection, &*manager, chain.as_deref());
    let mut serial: u64 = 0;
    let mut deadline = MessageDeadline::default();
    loop {
        let message = match reader.next(connection, abuse) {
            Some(ReadItem::Message(message)) => message,
            Some(ReadItem::Control) => continue,
            Some(ReadItem::End(end)) => return end,
            None => match poll_fn(|cx| poll_input(reader, connection, manager, &mut deadline, cx)).await {
                Ok(()) => continue,
                Err(end) => return end,
            },
        };
        // Checked for each message, because a client that never pauses, or a handler that closes its own connection,
        // leads to no wait.
        if let Some(closing) = connection.close_request() {
            return SessionEnd::Requested(closing);
        }
        if message.codec() != connection.codec() {
            return SessionEnd::wrong_codec(connection.codec());
        }
        serial += 1;
        deadline.reset();
        let cx = RequestCx { session: session.as_mut(), chain, connection, manager };
        let (mut future, in_flight, kind) = match dispatch(cx, abuse, message, serial) {
            Dispatched::Answered => continue,
            Dispatched::Failed(error) => return SessionEnd::Failed(error),
            Dispatched::Started(future, in_flight, kind) => (future, in_flight, kind),
        };
        let mut run = HandlerRun::new(connection.meter(), kind);
        let output = match poll_once(&mut future, &mut run).await {
            Poll::Ready(output) => {
                drop(future);
                output
            }
            Poll::Pending => {
                let read_ahead = ReadAhead::new(reader, abuse, connection);
                Box::pin(in_flight.run_to_end(future, run, manager, connection, read_ahead)).await
            }
        };
        if let Err(error) = in_flight.answer(abuse, connection, output) {
            return SessionEnd::Failed(error);
        }
    }
}

/// Waits for bytes of the client. A request to close comes first, then the deadline of an incomplete message.
fn poll_input(
    reader: &mut MessageReader,
    connection: &Connection,
    manager: &ConnectionManager,
    deadline: &mut MessageDeadline,
    cx: &mut Context<'_>,
) -> Poll<Result<(), SessionEnd>> {
    if let Poll::Ready(closing) = connection.poll_close(cx) {
        return Poll::Ready(Err(SessionEnd::Requested(closing)));
    }
    let limit = manager.settings().ws_message_timeout;
    if deadline.poll(reader.is_mid_message(), limit, cx).is_ready() {
        return Poll::Ready(Err(SessionEnd::Failed(message_timeout(connection, limit))));
    }
    if ready!(reader.poll_fill(cx)) > 0 {
        connection.shard().mark_active(connection.slot());
    }
    Poll::Ready(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::{Arrival, serve};

    fn size<F: Future>(_: impl Fn(Box<Arrival>) -> F) -> usize {
        size_of::<F>()
    }

    /// The runtime adds less than 120 bytes, and the allocator's next block after 1,024 bytes has 1,280.
    #[test]
    fn the_task_of_a_connection_fits_into_a_kibibyte() {
        assert!(size(serve) <= 904, "{}", size(serve));
    }
}
