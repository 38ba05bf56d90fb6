//! What a client expects.

use super::client::TestClient;
use super::failing::{Place, shown};
use super::received::Received;
use super::socket::{End, State};
use crate::error::ErrorResponse;
use crate::message::Message;

/// The close frame with which a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed {
    /// Its code; 1005 for a frame without one.
    pub code: u16,
    /// Its reason. One of this framework is JSON with `code`, `error_id` and perhaps `retry_after_ms`.
    pub reason: String,
}

impl Closed {
    /// The error code in the reason, such as `SLOW_CONSUMER`; `None` when there is none.
    #[must_use]
    pub fn error_code(&self) -> Option<String> {
        let reason: serde_json::Value = serde_json::from_str(&self.reason).ok()?;
        Some(reason.get("code")?.as_str()?.to_owned())
    }
}

/// What comes next.
enum Next {
    Message(Received),
    End(String),
}

impl TestClient {
    /// The next message, of any type.
    ///
    /// # Panics
    /// When none comes.
    #[track_caller]
    #[expect(clippy::should_implement_trait, reason = "what a test asks for, in the word for it; it is no iterator")]
    pub fn next(&mut self) -> impl Future<Output = Received> + Send {
        let place = self.here();
        async move { self.take(&place, "a message").await }
    }

    /// The next message, if one has come already. Others may be on their way.
    pub fn try_next(&mut self) -> Option<Received> {
        self.socket.state().inbox.pop_front()
    }

    /// The next message, which must be an `M`.
    ///
    /// # Panics
    /// When another message comes, or none, or the connection ends.
    #[track_caller]
    pub fn expect<M: Message>(&mut self) -> impl Future<Output = M> + Send {
        let place = self.here();
        async move {
            let received = self.take_kind(&place, M::TYPE).await;
            decoded(&place, &received)
        }
    }

    /// The next message, which must have this type: for those that are no Rust type of the test, such as
    /// `agentcore.resync`.
    ///
    /// # Panics
    /// As [`expect`](Self::expect).
    #[track_caller]
    pub fn expect_type(&mut self, kind: &str) -> impl Future<Output = Received> + Send {
        let place = self.here();
        async move { self.take_kind(&place, kind).await }
    }

    /// The next message, which must be an error with this code.
    ///
    /// # Panics
    /// When another message comes, or none, or the connection ends.
    #[track_caller]
    pub fn expect_error(&mut self, code: &str) -> impl Future<Output = ErrorResponse<'static>> + Send {
        let place = self.here();
        async move {
            let expected = format!("the error {code}");
            let received = self.take(&place, &expected).await;
            let error = (received.kind == "error").then(|| received.decode::<ErrorResponse<'static>>());
            match error {
                Some(Ok(error)) if error.code == code => error,
                _ => self.instead(&place, &expected, &received),
            }
        }
    }

    /// The next `M`, over messages of other types; those are kept.
    ///
    /// # Panics
    /// When none comes.
    #[track_caller]
    pub fn next_of<M: Message>(&mut self) -> impl Future<Output = M> + Send {
        let place = self.here();
        async move {
            let expected = format!("`{}`", M::TYPE);
            let found = self.find(&place, &expected, |state| {
                let at = state.inbox.iter().position(|received| received.kind == M::TYPE)?;
                state.inbox.remove(at)
            });
            match found.await {
                Next::Message(received) => decoded(&place, &received),
                Next::End(ended) => place.fail(format_args!("expected {expected}, but {ended}")),
            }
        }
    }

    /// Makes sure that nothing is there that was not looked at, and nothing on its way.
    ///
    /// Exact, without waiting for a time: all that clients of the application have sent is handled first (see
    /// [`TestApp::settle`](super::TestApp::settle)), then a round trip shows what came of it.
    ///
    /// # Panics
    /// When there is something, and when a handler does not end. Also when the connection has ended.
    #[track_caller]
    pub fn expect_nothing(&mut self) -> impl Future<Output = ()> + Send {
        let place = self.here();
        async move {
            self.must_read(&place);
            // The others' handlers first: what they send to this client is before the pong of its own round trip.
            self.app.settle_all(&place).await;
            self.settle_at(&place).await;
            let state = self.socket.state();
            if let Some(received) = state.inbox.front() {
                let more = waiting(state.inbox.iter().skip(1));
                place.fail(format_args!("expected nothing, but {received} came{more}"));
            }
            if state.end.is_some() {
                place.fail(format_args!("expected nothing, but {}", state.ended()));
            }
        }
    }

    /// The end of the connection, which must come next, with a close frame of this code.
    ///
    /// # Panics
    /// When a message comes, or another end, or none.
    #[track_caller]
    pub fn expect_close(&mut self, code: u16) -> impl Future<Output = Closed> + Send {
        let place = self.here();
        async move {
            let expected = format!("expected a close with {code}");
            let what = format!("a close with {code}");
            let found = self.find(&place, &what, |state| state.inbox.pop_front());
            if let Next::Message(received) = found.await {
                place.fail(format_args!("{expected}, but {received} came"));
            }
            let closed = self.end(&place, &expected).await;
            if closed.code != code {
                place.fail(format_args!("{expected}, but it was {} {}", closed.code, closed.reason));
            }
            closed
        }
    }

    /// Whether the connection has ended, as far as this client has seen.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.socket.state().end.is_some()
    }

    /// The close frame, whatever came before.
    pub(super) async fn end(&self, place: &Place, expected: &str) -> Closed {
        let ended = self.socket.wait(|state| state.end.clone());
        match place.within(|| format!("{expected}, but the connection stays open"), ended).await {
            End::Closed(code, reason) => Closed { code, reason },
            End::Lost(why) => place.fail(format_args!("{expected}, but the connection was lost: {why}")),
        }
    }

    /// The next message of this type, which must come next.
    pub(super) async fn take_kind(&self, place: &Place, kind: &str) -> Received {
        let expected = format!("`{kind}`");
        let received = self.take(place, &expected).await;
        if received.kind != kind {
            self.instead(place, &expected, &received);
        }
        received
    }

    /// The next message.
    pub(super) async fn take(&self, place: &Place, expected: &str) -> Received {
        match self.find(place, expected, |state| state.inbox.pop_front()).await {
            Next::Message(received) => received,
            Next::End(ended) => place.fail(format_args!("expected {expected}, but {ended}")),
        }
    }

    async fn find(&self, place: &Place, expected: &str, mut find: impl FnMut(&mut State) -> Option<Received>) -> Next {
        let found = self.socket.wait(|state| match find(state) {
            Some(received) => Some(Next::Message(received)),
            // A client that reads nothing would wait in vain.
            None if state.stalled => Some(Next::End("it was stalled, and nothing more had come before".to_owned())),
            None => state.end.is_some().then(|| Next::End(state.ended())),
        });
        let what = || {
            let state = self.socket.state();
            match state.inbox.len() {
                0 => format!("expected {expected}, but nothing came"),
                _ => format!("expected {expected}, but only {} came", kinds(state.inbox.iter())),
            }
        };
        place.within(what, found).await
    }

    /// Fails: something else came.
    fn instead(&self, place: &Place, expected: &str, received: &Received) -> ! {
        let more = waiting(self.socket.state().inbox.iter());
        place.fail(format_args!("expected {expected}, but {received} came{more}"))
    }

    pub(super) fn must_read(&self, place: &Place) {
        if self.socket.state().stalled {
            place.fail("it was stalled and reads nothing; `resume()` it first");
        }
    }
}

fn decoded<M: Message>(place: &Place, received: &Received) -> M {
    match received.decode() {
        Ok(message) => message,
        Err(why) => {
            let expected = std::any::type_name::<M>();
            place.fail(format_args!("expected `{}` as a `{expected}`, but {why}: {received}", M::TYPE))
        }
    }
}

/// What waits behind a message that is told of.
fn waiting<'a>(messages: impl ExactSizeIterator<Item = &'a Received>) -> String {
    match messages.len() {
        0 => String::new(),
        _ => format!("; behind it: {}", kinds(messages)),
    }
}

/// The types of messages, for people.
fn kinds<'a>(messages: impl Iterator<Item = &'a Received>) -> String {
    let kinds: Vec<_> = messages.map(|received| format!("`{}`", received.kind)).collect();
    shown(&kinds.join(", "))
}
