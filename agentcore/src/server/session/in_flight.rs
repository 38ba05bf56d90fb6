//! A request whose handler has started: run to its end, then answered. A panic becomes the error that closes with 1011.

use std::borrow::Cow;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use axum::body::Bytes;

use super::abuse::AbuseMonitor;
use super::handler::{Completion, read_while_running, run_handler};
use super::read_ahead::ReadAhead;
use super::reply::send;
use crate::consumer::{Handler, HandlerFuture, Reply, ReplyTarget};
use crate::error::{CloseCode, Error, Result, one_line};
use crate::manager::ConnectionManager;
use crate::panic::Panic;
use crate::registry::Connection;
use crate::wire::Frame;
use crate::worker::HandlerRun;

/// A request being handled, as its reply or its error needs it.
pub(super) struct InFlight {
    pub(super) request: ReplyTarget,
    /// `None` for a message of an unknown type, which only the middleware chain sees.
    pub(super) handler: Option<&'static Handler>,
    pub(super) message_type: Cow<'static, str>,
}

/// Polls a handler once, without giving up the worker. Most handlers finish here.
pub(super) async fn poll_once(
    future: &mut HandlerFuture<'_>,
    run: &mut HandlerRun<'_>,
) -> Poll<Result<Result<Reply>, Panic>> {
    poll_fn(|cx| Poll::Ready(run.poll(Pin::as_mut(future), cx))).await
}

impl InFlight {
    /// Runs a handler that did not finish at its first poll to its end or its deadline, and reads ahead meanwhile.
    pub(super) async fn run_to_end(
        &self,
        future: HandlerFuture<'_>,
        run: HandlerRun<'_>,
        manager: &ConnectionManager,
        connection: &Connection,
        read_ahead: ReadAhead<'_>,
    ) -> Result<Result<Reply>, Panic> {
        let timeout = self.handler.and_then(|handler| handler.timeout).unwrap_or(manager.settings().ws_handler_timeout);
        match run_handler(future, run, timeout, read_while_running(connection, read_ahead)).await {
            Completion::Finished(output) => output,
            Completion::TimedOut => Ok(Err(self.timed_out(timeout))),
            Completion::Cancelled => Ok(Err(manager.cancelled(&one_line(&self.message_type)))),
        }
    }

    /// Sends the handler's reply or error.
    ///
    /// # Errors
    /// The error that ends the connection.
    pub(super) fn answer(
        &self,
        abuse: &mut AbuseMonitor,
        connection: &Connection,
        output: Result<Result<Reply>, Panic>,
    ) -> Result<(), Error> {
        let error = match output {
            Ok(Ok(Reply(frame))) => match self.reply(connection, frame) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            },
            Ok(Err(error)) => error,
            Err(Panic(text)) => {
                Error::internal(format!("{} panicked: {text}", self.culprit())).with_close(CloseCode::Error)
            }
        };
        // A request with a `ref` gets exactly one answer: the error, unless `cx.reply` sent one. Claiming the answer
        // also stops a clone of the context that has left the handler.
        let unanswered = connection.answer_once(self.request.serial);
        let reference = self.request.reference.filter(|_| unanswered);
        abuse.report(connection, error, reference, Some(&one_line(&self.message_type)))
    }

    fn reply(&self, connection: &Connection, returned: Option<Bytes>) -> Result<()> {
        let unanswered = connection.answer_once(self.request.serial);
        let frame = match (unanswered, returned) {
            (true, Some(frame)) => Some(frame),
            (true, None) => self.request.acknowledge()?.map(Frame::into_bytes),
            (false, None) => None,
            (false, Some(_)) => {
                return Err(Error::internal(format!("{} returned a message after `cx.reply`", self.culprit())));
            }
        };
        if let Some(frame) = frame {
            send(connection, frame);
        }
        Ok(())
    }

    fn timed_out(&self, timeout: Duration) -> Error {
        let error = Error::timeout(format!("`{}` took longer than {timeout:?}", one_line(&self.message_type)));
        // A message of an unknown type has changed no consumer.
        if self.handler.is_none_or(|handler| handler.cancel_safe) { error } else { error.with_close(CloseCode::Error) }
    }

    /// Names the code at fault, for the log.
    fn culprit(&self) -> Cow<'static, str> {
        match self.handler {
            Some(handler) => format!("handler `{}`, or a middleware before it,", handler.method).into(),
            None => "a middleware".into(),
        }
    }
}
