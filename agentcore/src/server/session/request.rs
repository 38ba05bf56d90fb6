//! One message of a client: envelope, handler, answer.

use std::borrow::Cow;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::abuse::AbuseMonitor;
use super::handler::{Completion, attend, beside};
use super::read_ahead::{Reading, Source};
use super::renewal;
use crate::consumer::{Handler, HandlerFuture, Reply, ReplyTarget, Session};
use crate::error::{CloseCode, Error, Result, one_line};
use crate::manager::ConnectionManager;
use crate::message::{Envelope, Input, Overflow};
use crate::metrics::Kind;
use crate::middleware::{Arrived, Pipeline};
use crate::panic::{Panic, catch_panic_sync};
use crate::registry::{Command, Connection};
use crate::wire::{Decoder, Violation, WireEvent, pong_frame};
use crate::worker::HandlerRun;

/// Which request a handler answers, for its reply or its error.
pub(super) struct InFlight {
    request: ReplyTarget,
    /// `None` for a message of an unknown type, which only a chain has seen.
    handler: Option<&'static Handler>,
    message_type: Cow<'static, str>,
}

/// What a connection's messages pass through.
pub(super) struct RequestCx<'s> {
    pub(super) session: &'s mut dyn Session,
    /// `None`: straight to the handler.
    pub(super) chain: Option<&'s dyn Pipeline>,
    pub(super) connection: &'s Arc<Connection>,
    pub(super) manager: &'s ConnectionManager,
}

/// What a message led to.
pub(super) enum Dispatched<'s> {
    /// It is answered already: a ping, or a message that was refused.
    Answered,
    /// Its handler was started; the last says what its run is counted as.
    Started(HandlerFuture<'s>, InFlight, Kind),
    /// Its refusal ends the connection.
    Failed(Error),
}

/// Reads an envelope and starts its handler, or the chain before it.
pub(super) fn begin<'s>(
    cx: RequestCx<'s>,
    abuse: &mut AbuseMonitor,
    message: Input<'_>,
    serial: u64,
) -> Dispatched<'s> {
    let RequestCx { session, chain, connection, manager } = cx;
    connection.activity().record_message(message.len());
    let meter = connection.meter();
    let envelope = match Envelope::parse(message) {
        Ok(envelope) => envelope,
        Err(error) => {
            meter.received(Kind::Unknown, message.len());
            return refuse(abuse, connection, error, None, None);
        }
    };
    let request = ReplyTarget { reference: envelope.reference, serial, codec: connection.codec() };
    if envelope.message_type == "ping" {
        meter.received(Kind::Ping, message.len());
        send_pong(connection, request.reference);
        return abuse.pinged(connection).map_or_else(Dispatched::Failed, |()| Dispatched::Answered);
    }
    if envelope.message_type == renewal::TYPE
        && let Some(renewal) = connection.access().renewal()
    {
        meter.received(Kind::Renewal, message.len());
        return match renewal::renew(manager, connection, renewal, request, envelope.data) {
            Ok(()) => Dispatched::Answered,
            Err(error) => refuse(abuse, connection, error, request.reference, Some(renewal::TYPE)),
        };
    }
    let found = session.find(&envelope.message_type);
    let handler = found.map(|(_, handler)| handler);
    let kind = found.map_or(Kind::Unknown, |(number, _)| Kind::Handler(number));
    meter.received(kind, message.len());
    if let Some(chain) = chain {
        let message_type = match handler {
            Some(handler) => Cow::Borrowed(handler.message_type),
            None => Cow::Owned(envelope.message_type.into_owned()),
        };
        let in_flight = InFlight { request, handler, message_type: message_type.clone() };
        let (data, bytes) = (envelope.data.keep(), message.len());
        let arrived = Arrived { manager, connection, message_type, data, request, bytes, handler: found };
        return Dispatched::Started(chain.start(session, arrived), in_flight, kind);
    }
    let Some((number, handler)) = found else {
        let error = Error::unknown_message_type(&envelope.message_type);
        return refuse(abuse, connection, error, request.reference, Some(&envelope.message_type));
    };
    // Decoding and the rules run an application's code too.
    let dispatched =
        catch_panic_sync(move || session.dispatch(number, request, envelope.data)).unwrap_or_else(|Panic(text)| {
            let message_type = handler.message_type;
            Err(Error::internal(format!("checking `{message_type}` panicked: {text}")).with_close(CloseCode::Error))
        });
    let message_type = Cow::Borrowed(handler.message_type);
    match dispatched {
        Ok(future) => Dispatched::Started(future, InFlight { request, handler: Some(handler), message_type }, kind),
        Err(error) => refuse(abuse, connection, error, request.reference, Some(&message_type)),
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
    let told = abuse.tell(connection, error, reference, message_type.as_deref());
    told.map_or_else(Dispatched::Failed, |()| Dispatched::Answered)
}

/// Sends what a handler returned; an error that ends the connection comes back.
pub(super) fn answer(
    abuse: &mut AbuseMonitor,
    connection: &Connection,
    in_flight: &InFlight,
    output: Result<Result<Reply>, Panic>,
) -> Result<(), Error> {
    let error = match output {
        Ok(Ok(Reply(answer))) => match acknowledged(connection, in_flight, answer) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        },
        Ok(Err(error)) => error,
        Err(Panic(text)) => {
            Error::internal(format!("{} panicked: {text}", in_flight.who())).with_close(CloseCode::Error)
        }
    };
    // The error is the answer, unless `cx.reply` gave one: a request with a `ref` has exactly one. A clone of the context
    // that has left the handler gives no other.
    let first = connection.answer_once(in_flight.request.serial);
    let reference = in_flight.request.reference.filter(|_| first);
    abuse.tell(connection, error, reference, Some(&one_line(&in_flight.message_type)))
}

impl InFlight {
    /// Whose fault it is, for the log.
    fn who(&self) -> Cow<'static, str> {
        match self.handler {
            Some(handler) => format!("handler `{}`, or a middleware before it,", handler.method).into(),
            None => "a middleware".into(),
        }
    }
}

fn acknowledged(connection: &Connection, in_flight: &InFlight, answer: Option<axum::body::Bytes>) -> Result<()> {
    let first = connection.answer_once(in_flight.request.serial);
    let frame = match (first, answer) {
        (true, Some(frame)) => Some(frame),
        (true, None) => in_flight.request.acknowledge()?.map(crate::wire::Frame::into_bytes),
        (false, None) => None,
        (false, Some(_)) => {
            return Err(Error::internal(format!("{} returned a message after `cx.reply`", in_flight.who())));
        }
    };
    if let Some(frame) = frame {
        send(connection, frame);
    }
    Ok(())
}

/// Puts a frame into the outbox. This runs on the connection's own worker, so there is no queue that could be full.
pub(super) fn send(connection: &Connection, frame: axum::body::Bytes) {
    let _ = connection.shard().try_submit(Command::SendFrame(connection.slot(), frame, Overflow::Disconnect));
}

fn send_pong(connection: &Connection, reference: Option<u64>) {
    if let Ok(frame) = connection.codec().encode::<()>("pong", reference, None) {
        send(connection, frame.into_bytes());
    }
}

/// What was read while a handler ran.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// The next thing, decoded.
    pub(super) next: Option<Next>,
    /// What came behind it, not decoded.
    pub(super) rest: Vec<u8>,
}

/// A message that waits for the handler before it.
#[derive(Debug)]
pub(super) enum Parked {
    Text(String),
    Binary(Vec<u8>),
}

impl Parked {
    pub(super) fn as_input(&self) -> Input<'_> {
        match self {
            Self::Text(text) => Input::Text(text),
            Self::Binary(bytes) => Input::Binary(bytes),
        }
    }
}

/// What comes next, after the handler has ended.
#[derive(Debug)]
pub(super) enum Next {
    Message(Parked),
    Close(Option<(CloseCode, String)>),
    Violation(Violation),
    /// Too many pings.
    Failed(Error),
    Lost,
}

impl Ahead {
    /// Keeps what was read and not decoded: the peer's close frame may be in it.
    pub(super) fn leave<E>(&mut self, unread: &[u8], end: E) -> E {
        self.rest.extend_from_slice(unread);
        end
    }

    /// Decodes `bytes` until something must wait for the handler; pings are answered at once, and counted.
    pub(super) fn feed(
        &mut self,
        mut bytes: &mut [u8],
        decoder: &mut Decoder,
        connection: &Connection,
        abuse: &mut AbuseMonitor,
    ) {
        while self.next.is_none() {
            self.next = match decoder.next(&mut bytes) {
                Ok(None) => return,
                Ok(Some(WireEvent::Ping(payload))) => {
                    connection.shard().pong(connection.slot(), pong_frame(payload));
                    abuse.pinged(connection).err().map(Next::Failed)
                }
                Ok(Some(WireEvent::Pong)) => abuse.pinged(connection).err().map(Next::Failed),
                Ok(Some(WireEvent::Text(text))) => Some(Next::Message(Parked::Text(text.to_owned()))),
                Ok(Some(WireEvent::Binary(bytes))) => Some(Next::Message(Parked::Binary(bytes.to_vec()))),
                Ok(Some(WireEvent::Close(close))) => {
                    Some(Next::Close(close.map(|(code, reason)| (code, reason.to_owned()))))
                }
                Err(violation) => Some(Next::Violation(violation)),
            };
        }
        self.rest.extend_from_slice(bytes);
    }
}

/// Runs a handler that did not end at its first poll, until its end or its deadline; meanwhile the socket is read.
pub(super) async fn run<'s>(
    future: HandlerFuture<'s>,
    handling: HandlerRun<'_>,
    in_flight: &InFlight,
    manager: &ConnectionManager,
    source: Source<'_>,
    connection: &Arc<Connection>,
    unread: Vec<u8>,
) -> (Result<Result<Reply>, Panic>, Ahead) {
    let mut ahead = Ahead { next: None, rest: unread };
    let timeout =
        in_flight.handler.and_then(|handler| handler.timeout).unwrap_or(manager.settings().ws_handler_timeout);
    let meanwhile = beside(connection, Reading::new(source, connection, &mut ahead));
    let output = match attend(future, handling, timeout, meanwhile).await {
        Completion::Finished(output) => output,
        Completion::TimedOut => Ok(Err(overdue(in_flight, timeout))),
        Completion::Cancelled => Ok(Err(manager.cancelled(&one_line(&in_flight.message_type)))),
    };
    (output, ahead)
}

fn overdue(in_flight: &InFlight, timeout: Duration) -> Error {
    let error = Error::timeout(format!("`{}` took longer than {timeout:?}", one_line(&in_flight.message_type)));
    // An unknown type has touched no consumer.
    if in_flight.handler.is_none_or(|handler| handler.cancel_safe) { error } else { error.with_close(CloseCode::Error) }
}

/// Polls a handler once, without giving up the worker: most end here.
pub(super) async fn first_poll(
    future: &mut HandlerFuture<'_>,
    handling: &mut HandlerRun<'_>,
) -> Poll<Result<Result<Reply>, Panic>> {
    poll_fn(|cx| Poll::Ready(handling.poll(Pin::as_mut(future), cx))).await
}
