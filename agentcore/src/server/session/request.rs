//! One message of a client: envelope, handler, answer.

use std::borrow::Cow;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::abuse::Conduct;
use super::handler::{Attended, attend, beside};
use super::read_ahead::{Reading, Source};
use super::renewal;
use crate::consumer::{Handler, HandlerFuture, Reply, ReplyTarget, Session};
use crate::error::{CloseCode, Error, Result, one_line};
use crate::manager::ConnectionManager;
use crate::message::{Envelope, Input};
use crate::metrics::Kind;
use crate::middleware::{Arrived, Pipeline};
use crate::registry::{Command, Connection, Fate};
use crate::wire::{Decoder, Event, Violation, pong_frame};
use crate::worker::{Panic, Run, catch_panic_sync};

/// Which request a handler answers, for its reply or its error.
pub(super) struct Asked {
    request: ReplyTarget,
    /// `None` for a message of an unknown type, which only a chain has seen.
    handler: Option<&'static Handler>,
    message_type: Cow<'static, str>,
}

/// What a connection's messages pass through.
pub(super) struct Way<'s> {
    pub(super) session: &'s mut dyn Session,
    /// `None`: straight to the handler.
    pub(super) chain: Option<&'s dyn Pipeline>,
    pub(super) connection: &'s Arc<Connection>,
    pub(super) manager: &'s ConnectionManager,
}

/// What a message led to.
pub(super) enum Begun<'s> {
    /// It is answered already: a ping, or a message that was refused.
    Answered,
    /// Its handler was started; the last says what its run is counted as.
    Started(HandlerFuture<'s>, Asked, Kind),
    /// Its refusal ends the connection.
    Failed(Error),
}

/// Reads an envelope and starts its handler, or the chain before it.
pub(super) fn begin<'s>(way: Way<'s>, conduct: &mut Conduct, message: Input<'_>, serial: u64) -> Begun<'s> {
    let Way { session, chain, connection, manager } = way;
    connection.activity().note(message.len());
    let meter = connection.meter();
    let envelope = match Envelope::parse(message) {
        Ok(envelope) => envelope,
        Err(error) => {
            meter.received(Kind::Unknown, message.len());
            return refuse(conduct, connection, error, None, None);
        }
    };
    let request = ReplyTarget { reference: envelope.reference, serial, codec: connection.codec() };
    if envelope.message_type == "ping" {
        meter.received(Kind::Ping, message.len());
        send_pong(connection, request.reference);
        return conduct.pinged(connection).map_or_else(Begun::Failed, |()| Begun::Answered);
    }
    if envelope.message_type == renewal::TYPE
        && let Some(renewal) = connection.access().renewal()
    {
        meter.received(Kind::Renewal, message.len());
        return match renewal::renew(manager, connection, renewal, request, envelope.data) {
            Ok(()) => Begun::Answered,
            Err(error) => refuse(conduct, connection, error, request.reference, Some(renewal::TYPE)),
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
        let asked = Asked { request, handler, message_type: message_type.clone() };
        let (data, bytes) = (envelope.data.keep(), message.len());
        let arrived = Arrived { manager, connection, message_type, data, request, bytes, handler: found };
        return Begun::Started(chain.start(session, arrived), asked, kind);
    }
    let Some((number, handler)) = found else {
        let error = Error::unknown_message_type(&envelope.message_type);
        return refuse(conduct, connection, error, request.reference, Some(&envelope.message_type));
    };
    // Decoding and the rules run an application's code too.
    let begun =
        catch_panic_sync(move || session.dispatch(number, request, envelope.data)).unwrap_or_else(|Panic(text)| {
            let message_type = handler.message_type;
            Err(Error::internal(format!("checking `{message_type}` panicked: {text}")).with_close(CloseCode::Error))
        });
    let message_type = Cow::Borrowed(handler.message_type);
    match begun {
        Ok(future) => Begun::Started(future, Asked { request, handler: Some(handler), message_type }, kind),
        Err(error) => refuse(conduct, connection, error, request.reference, Some(&message_type)),
    }
}

fn refuse<'s>(
    conduct: &mut Conduct,
    connection: &Connection,
    error: Error,
    reference: Option<u64>,
    message_type: Option<&str>,
) -> Begun<'s> {
    let message_type = message_type.map(one_line);
    let told = conduct.tell(connection, error, reference, message_type.as_deref());
    told.map_or_else(Begun::Failed, |()| Begun::Answered)
}

/// Sends what a handler returned; an error that ends the connection comes back.
pub(super) fn answer(
    conduct: &mut Conduct,
    connection: &Connection,
    asked: &Asked,
    output: Result<Result<Reply>, Panic>,
) -> Result<(), Error> {
    let error = match output {
        Ok(Ok(Reply(answer))) => match acknowledged(connection, asked, answer) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        },
        Ok(Err(error)) => error,
        Err(Panic(text)) => Error::internal(format!("{} panicked: {text}", asked.who())).with_close(CloseCode::Error),
    };
    // The error is the answer, unless `cx.reply` gave one: a request with a `ref` has exactly one. A clone of the context
    // that has left the handler gives no other.
    let first = connection.answer_once(asked.request.serial);
    let reference = asked.request.reference.filter(|_| first);
    conduct.tell(connection, error, reference, Some(&one_line(&asked.message_type)))
}

impl Asked {
    /// Whose fault it is, for the log.
    fn who(&self) -> Cow<'static, str> {
        match self.handler {
            Some(handler) => format!("handler `{}`, or a middleware before it,", handler.method).into(),
            None => "a middleware".into(),
        }
    }
}

fn acknowledged(connection: &Connection, asked: &Asked, answer: Option<axum::body::Bytes>) -> Result<()> {
    let first = connection.answer_once(asked.request.serial);
    let frame = match (first, answer) {
        (true, Some(frame)) => Some(frame),
        (true, None) => asked.request.acknowledge()?.map(crate::wire::Frame::into_bytes),
        (false, None) => None,
        (false, Some(_)) => {
            return Err(Error::internal(format!("{} returned a message after `cx.reply`", asked.who())));
        }
    };
    if let Some(frame) = frame {
        send(connection, frame);
    }
    Ok(())
}

/// Puts a frame into the outbox. This runs on the connection's own worker, so there is no queue that could be full.
pub(super) fn send(connection: &Connection, frame: axum::body::Bytes) {
    let _ = connection.shard().submit(Command::Direct(connection.member(), frame, Fate::Stays));
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
        conduct: &mut Conduct,
    ) {
        while self.next.is_none() {
            self.next = match decoder.next(&mut bytes) {
                Ok(None) => return,
                Ok(Some(Event::Ping(payload))) => {
                    connection.shard().pong(connection.member(), pong_frame(payload));
                    conduct.pinged(connection).err().map(Next::Failed)
                }
                Ok(Some(Event::Pong)) => conduct.pinged(connection).err().map(Next::Failed),
                Ok(Some(Event::Text(text))) => Some(Next::Message(Parked::Text(text.to_owned()))),
                Ok(Some(Event::Binary(bytes))) => Some(Next::Message(Parked::Binary(bytes.to_vec()))),
                Ok(Some(Event::Close(close))) => {
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
    handling: Run<'_>,
    asked: &Asked,
    manager: &ConnectionManager,
    source: Source<'_>,
    connection: &Arc<Connection>,
    unread: Vec<u8>,
) -> (Result<Result<Reply>, Panic>, Ahead) {
    let mut ahead = Ahead { next: None, rest: unread };
    let timeout = asked.handler.and_then(|handler| handler.timeout).unwrap_or(manager.settings().ws_handler_timeout);
    let meanwhile = beside(connection, Reading::new(source, connection, &mut ahead));
    let output = match attend(future, handling, timeout, meanwhile).await {
        Attended::Ended(output) => output,
        Attended::Overdue => Ok(Err(overdue(asked, timeout))),
        Attended::Cancelled => Ok(Err(manager.cancelled(&one_line(&asked.message_type)))),
    };
    (output, ahead)
}

fn overdue(asked: &Asked, timeout: Duration) -> Error {
    let error = Error::timeout(format!("`{}` took longer than {timeout:?}", one_line(&asked.message_type)));
    // An unknown type has touched no consumer.
    if asked.handler.is_none_or(|handler| handler.cancel_safe) { error } else { error.with_close(CloseCode::Error) }
}

/// Polls a handler once, without giving up the worker: most end here.
pub(super) async fn first_poll(
    future: &mut HandlerFuture<'_>,
    handling: &mut Run<'_>,
) -> Poll<Result<Result<Reply>, Panic>> {
    poll_fn(|cx| Poll::Ready(handling.poll(Pin::as_mut(future), cx))).await
}
