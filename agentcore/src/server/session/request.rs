//! One message of a client: its envelope is parsed, and its handler or the middleware chain is started. The message
//! `ping` and fresh tokens are answered here.

use std::borrow::Cow;
use std::sync::Arc;

use super::abuse::AbuseMonitor;
use super::in_flight::InFlight;
use super::renewal;
use super::reply::send_pong;
use crate::consumer::{HandlerFuture, ReplyTarget, Session};
use crate::error::{CloseCode, Error, one_line};
use crate::manager::ConnectionManager;
use crate::message::{Envelope, Input};
use crate::metrics::Metered;
use crate::middleware::{Pipeline, PipelineInput};
use crate::panic::{Panic, catch_panic_sync};
use crate::registry::Connection;

/// The context in which a request is dispatched.
pub(super) struct RequestCx<'s> {
    pub(super) session: &'s mut dyn Session,
    /// `None` without middleware: messages go straight to their handlers.
    pub(super) chain: Option<&'s dyn Pipeline>,
    pub(super) connection: &'s Arc<Connection>,
    pub(super) manager: &'s ConnectionManager,
}

/// The result of dispatching a message.
pub(super) enum Dispatched<'s> {
    /// It needs no handler: a ping, a fresh token, or a message that was refused.
    Answered,
    /// Its handler was started. The [`Metered`] is the label under which the metrics count the handler.
    Started(HandlerFuture<'s>, InFlight, Metered),
    /// It was refused with an error that ends the connection.
    Failed(Error),
}

/// Parses an envelope and starts its handler, or the middleware chain before it. `serial` is the number of the message
/// on its connection, from 1.
pub(super) fn dispatch<'s>(
    cx: RequestCx<'s>,
    abuse: &mut AbuseMonitor,
    message: Input<'_>,
    serial: u64,
) -> Dispatched<'s> {
    let (connection, bytes) = (cx.connection, message.len());
    let meter = connection.meter();
    connection.record_message(bytes);
    let envelope = match Envelope::parse(message) {
        Ok(envelope) => envelope,
        Err(error) => {
            meter.received(Metered::Unknown, bytes);
            return refuse(abuse, connection, error, None, None);
        }
    };
    let request = ReplyTarget { reference: envelope.reference, serial, codec: connection.codec() };
    if envelope.message_type == "ping" {
        meter.received(Metered::Ping, bytes);
        send_pong(connection, request.reference);
        return abuse.count_ping(connection).map_or_else(Dispatched::Failed, |()| Dispatched::Answered);
    }
    if envelope.message_type == renewal::TYPE
        && let Some(renewal) = connection.access().renewal()
    {
        meter.received(Metered::Renewal, bytes);
        return match renewal::renew(cx.manager, connection, renewal, request, envelope.data) {
            Ok(()) => Dispatched::Answered,
            Err(error) => refuse(abuse, connection, error, request.reference, Some(renewal::TYPE)),
        };
    }
    start(cx, abuse, envelope, request, bytes)
}

/// Starts the chain, or the handler of the message type.
fn start<'s>(
    cx: RequestCx<'s>,
    abuse: &mut AbuseMonitor,
    envelope: Envelope<'_>,
    request: ReplyTarget,
    bytes: usize,
) -> Dispatched<'s> {
    let RequestCx { session, chain, connection, manager } = cx;
    let found = session.find(&envelope.message_type);
    let kind = found.map_or(Metered::Unknown, |(number, _)| Metered::Handler(number));
    connection.meter().received(kind, bytes);
    if let Some(chain) = chain {
        let handler = found.map(|(_, handler)| handler);
        let message_type = match handler {
            Some(handler) => Cow::Borrowed(handler.message_type),
            None => Cow::Owned(envelope.message_type.into_owned()),
        };
        let in_flight = InFlight { request, handler, message_type: message_type.clone() };
        let data = envelope.data.keep();
        let arrived = PipelineInput { manager, connection, message_type, data, request, bytes, handler: found };
        return Dispatched::Started(chain.start(session, arrived), in_flight, kind);
    }
    let Some((number, handler)) = found else {
        let error = Error::unknown_message_type(&envelope.message_type);
        return refuse(abuse, connection, error, request.reference, Some(&envelope.message_type));
    };
    let message_type = handler.message_type;
    // Decoding and validating run the application's code too.
    let started =
        catch_panic_sync(move || session.dispatch(number, request, envelope.data)).unwrap_or_else(|Panic(text)| {
            Err(Error::internal(format!("checking `{message_type}` panicked: {text}")).with_close(CloseCode::Error))
        });
    match started {
        Ok(future) => {
            let message_type = Cow::Borrowed(message_type);
            Dispatched::Started(future, InFlight { request, handler: Some(handler), message_type }, kind)
        }
        Err(error) => refuse(abuse, connection, error, request.reference, Some(message_type)),
    }
}

fn refuse<'s>(
    abuse: &mut AbuseMonitor,
    connection: &Connection,
    error: Error,
    reference: Option<u64>,
    message_type: Option<&str>,
) -> Dispatched<'s> {
    let message_type = message_type.map(one_line);
    let reported = abuse.report(connection, error, reference, message_type.as_deref());
    reported.map_or_else(Dispatched::Failed, |()| Dispatched::Answered)
}
