//! Expectations of a client about the messages it receives and the end of its connection.

use super::call_site::{CallSite, shortened};
use super::client::TestClient;
use super::received::{Closed, Received};
use super::socket::{ConnectionEnd, SocketState};
use crate::error::ErrorResponse;
use crate::message::Message;

/// The next event of a connection.
enum NextEvent {
    Message(Received),
    End(String),
}

impl TestClient {
    /// Returns the next message, of any type.
    ///
    /// # Panics
    /// No message comes.
    #[track_caller]
    #[expect(clippy::should_implement_trait, reason = "the usual word for it; a client is not an iterator")]
    pub fn next(&mut self) -> impl Future<Output = Received> + Send {
        let site = self.here();
        async move { self.take(&site, "a message").await }
    }

    /// Returns the next message if it has arrived already. Others may still be on their way.
    pub fn try_next(&mut self) -> Option<Received> {
        self.socket.state().inbox.pop_front()
    }

    /// Returns the next message, which must be an `M`.
    ///
    /// # Panics
    /// Another message comes, or none, or the connection ends.
    #[track_caller]
    pub fn expect<M: Message>(&mut self) -> impl Future<Output = M> + Send {
        let site = self.here();
        async move {
            let received = self.take_kind(&site, M::TYPE).await;
            decoded(&site, &received)
        }
    }

    /// Returns the next message, which must have this message type. For messages without a Rust type, such as
    /// `agentcore.resync`.
    ///
    /// # Panics
    /// As for [`expect`](Self::expect).
    #[track_caller]
    pub fn expect_type(&mut self, kind: &str) -> impl Future<Output = Received> + Send {
        let site = self.here();
        async move { self.take_kind(&site, kind).await }
    }

    /// Returns the next message, which must be an error with this code.
    ///
    /// # Panics
    /// Another message comes, or none, or the connection ends.
    #[track_caller]
    pub fn expect_error(&mut self, code: &str) -> impl Future<Output = ErrorResponse<'static>> + Send {
        let site = self.here();
        async move {
            let expected = format!("the error {code}");
            let received = self.take(&site, &expected).await;
            let error = (received.kind == "error").then(|| received.decode::<ErrorResponse<'static>>());
            match error {
                Some(Ok(error)) if error.code == code => error,
                _ => self.fail_unexpected(&site, &expected, &received),
            }
        }
    }

    /// Returns the next `M`, and keeps messages of other types that arrived before it.
    ///
    /// # Panics
    /// No `M` comes.
    #[track_caller]
    pub fn next_of<M: Message>(&mut self) -> impl Future<Output = M> + Send {
        let site = self.here();
        async move {
            let expected = format!("`{}`", M::TYPE);
            let found = self.find(&site, &expected, |state| {
                let at = state.inbox.iter().position(|received| received.kind == M::TYPE)?;
                state.inbox.remove(at)
            });
            match found.await {
                NextEvent::Message(received) => decoded(&site, &received),
                NextEvent::End(ended) => site.fail(format_args!("expected {expected}, but {ended}")),
            }
        }
    }

    /// Asserts that no message is unread or on its way.
    ///
    /// This is exact and does not wait for a fixed time: it first waits until everything that clients of the
    /// application have sent is handled (see [`TestApp::settle`](super::TestApp::settle)), then makes a round trip.
    ///
    /// # Panics
    /// A message is there, a handler does not end, or the connection has ended.
    #[track_caller]
    pub fn expect_nothing(&mut self) -> impl Future<Output = ()> + Send {
        let site = self.here();
        async move {
            self.must_read(&site);
            // First the handlers of all clients: what they send to this client then precedes its own pong.
            self.app.settle_all(&site).await;
            self.settle_at(&site).await;
            let state = self.socket.state();
            if let Some(received) = state.inbox.front() {
                let more = unread(state.inbox.iter().skip(1));
                site.fail(format_args!("expected nothing, but {received} came{more}"));
            }
            if state.end.is_some() {
                site.fail(format_args!("expected nothing, but {}", state.ended()));
            }
        }
    }

    /// Returns the close frame, which must come next and have this code.
    ///
    /// # Panics
    /// A message comes first, the connection ends otherwise, or it stays open.
    #[track_caller]
    pub fn expect_close(&mut self, code: u16) -> impl Future<Output = Closed> + Send {
        let site = self.here();
        async move {
            let expected = format!("expected a close with {code}");
            let close = format!("a close with {code}");
            let found = self.find(&site, &close, |state| state.inbox.pop_front());
            if let NextEvent::Message(received) = found.await {
                site.fail(format_args!("{expected}, but {received} came"));
            }
            let closed = self.close_frame(&site, &expected).await;
            if closed.code != code {
                site.fail(format_args!("{expected}, but it was {} {}", closed.code, closed.reason));
            }
            closed
        }
    }

    /// Returns whether this client has seen the end of the connection.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.socket.state().end.is_some()
    }

    /// Waits for the close frame, whatever messages come before it.
    pub(super) async fn close_frame(&self, site: &CallSite, expected: &str) -> Closed {
        let ended = self.socket.wait(|state| state.end.clone());
        match site.within(|| format!("{expected}, but the connection stays open"), ended).await {
            ConnectionEnd::Closed(code, reason) => Closed { code, reason },
            ConnectionEnd::Lost(why) => site.fail(format_args!("{expected}, but the connection was lost: {why}")),
        }
    }

    /// Returns the next message, which must have this message type.
    pub(super) async fn take_kind(&self, site: &CallSite, kind: &str) -> Received {
        let expected = format!("`{kind}`");
        let received = self.take(site, &expected).await;
        if received.kind != kind {
            self.fail_unexpected(site, &expected, &received);
        }
        received
    }

    /// Returns the next message.
    pub(super) async fn take(&self, site: &CallSite, expected: &str) -> Received {
        match self.find(site, expected, |state| state.inbox.pop_front()).await {
            NextEvent::Message(received) => received,
            NextEvent::End(ended) => site.fail(format_args!("expected {expected}, but {ended}")),
        }
    }

    async fn find(
        &self,
        site: &CallSite,
        expected: &str,
        mut find: impl FnMut(&mut SocketState) -> Option<Received>,
    ) -> NextEvent {
        let found = self.socket.wait(|state| match find(state) {
            Some(received) => Some(NextEvent::Message(received)),
            // A stalled client would wait in vain.
            None if state.stalled => Some(NextEvent::End("it was stalled before that, and reads nothing".to_owned())),
            None => state.end.is_some().then(|| NextEvent::End(state.ended())),
        });
        let problem = || {
            let state = self.socket.state();
            match state.inbox.len() {
                0 => format!("expected {expected}, but nothing came"),
                _ => format!("expected {expected}, but only {} came", types_of(state.inbox.iter())),
            }
        };
        site.within(problem, found).await
    }

    /// Fails because another message came.
    fn fail_unexpected(&self, site: &CallSite, expected: &str, received: &Received) -> ! {
        let more = unread(self.socket.state().inbox.iter());
        site.fail(format_args!("expected {expected}, but {received} came{more}"))
    }

    pub(super) fn must_read(&self, site: &CallSite) {
        if self.socket.state().stalled {
            site.fail("it was stalled and reads nothing; `resume()` it first");
        }
    }
}

fn decoded<M: Message>(site: &CallSite, received: &Received) -> M {
    match received.decode() {
        Ok(message) => message,
        Err(why) => {
            let expected = std::any::type_name::<M>();
            site.fail(format_args!("expected `{}` as a `{expected}`, but {why}: {received}", M::TYPE))
        }
    }
}

/// Lists the unread messages behind one that a failure shows.
fn unread<'a>(messages: impl ExactSizeIterator<Item = &'a Received>) -> String {
    match messages.len() {
        0 => String::new(),
        _ => format!("; behind it: {}", types_of(messages)),
    }
}

/// Lists message types for a failure.
fn types_of<'a>(messages: impl Iterator<Item = &'a Received>) -> String {
    let types: Vec<_> = messages.map(|received| format!("`{}`", received.kind)).collect();
    shortened(&types.join(", "))
}
