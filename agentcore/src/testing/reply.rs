//! Requests of a client, and the replies to them.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::call_site::CallSite;
use super::client::TestClient;
use super::received::Received;
use crate::error::ErrorResponse;
use crate::message::Message;

impl TestClient {
    /// Sends a request and returns its reply, which is `()` for a handler that returns nothing. Messages that arrive
    /// before the reply are kept.
    ///
    /// # Panics
    /// The application answers with an error, the reply is not a `T`, or as for [`send`](Self::send).
    #[track_caller]
    pub fn request<T: DeserializeOwned>(&mut self, message: &impl Message) -> impl Future<Output = T> + Send {
        self.request_as(type_of(message), message)
    }

    /// Like [`request`](Self::request), with any data under any message type.
    ///
    /// # Panics
    /// As for [`request`](Self::request).
    #[track_caller]
    pub fn request_as<T: DeserializeOwned>(
        &mut self,
        kind: &str,
        data: &(impl Serialize + Sync),
    ) -> impl Future<Output = T> + Send {
        let site = self.here();
        let kind = kind.to_owned();
        let reply = self.ask(kind.clone(), data, site.clone());
        async move {
            match reply.await {
                Ok(reply) => reply,
                Err(error) => site.fail(format_args!(
                    "expected a reply to `{kind}`, but {} was answered: {}",
                    error.code, error.message
                )),
            }
        }
    }

    /// Sends a request and returns its reply or the error of the application.
    ///
    /// # Errors
    /// The error that the application answered with.
    ///
    /// # Panics
    /// The reply is not a `T`, or as for [`send`](Self::send).
    #[track_caller]
    pub fn try_request<T: DeserializeOwned>(
        &mut self,
        message: &impl Message,
    ) -> impl Future<Output = Result<T, ErrorResponse<'static>>> + Send {
        self.try_request_as(type_of(message), message)
    }

    /// Like [`try_request`](Self::try_request), with any data under any message type.
    ///
    /// # Errors
    /// The error that the application answered with.
    ///
    /// # Panics
    /// As for [`try_request`](Self::try_request).
    #[track_caller]
    pub fn try_request_as<T: DeserializeOwned>(
        &mut self,
        kind: &str,
        data: &(impl Serialize + Sync),
    ) -> impl Future<Output = Result<T, ErrorResponse<'static>>> + Send {
        let site = self.here();
        self.ask(kind.to_owned(), data, site)
    }

    fn ask<T: DeserializeOwned>(
        &mut self,
        kind: String,
        data: &(impl Serialize + Sync),
        site: CallSite,
    ) -> impl Future<Output = Result<T, ErrorResponse<'static>>> + Send {
        self.last_ref += 1;
        let reference = self.last_ref;
        let sending = self.send_encoded(site.clone(), &kind, Some(reference), data);
        let socket = self.socket.clone();
        async move {
            sending.await;
            let problem = || format!("expected a reply to `{kind}`, but none came");
            let found = socket.wait(|state| {
                let answers = |it: &Received| it.reference == Some(reference);
                if let Some(at) = state.inbox.iter().position(answers) {
                    return state.inbox.remove(at).map(Ok);
                }
                state.end.is_some().then(|| Err(state.ended()))
            });
            let answer = match site.within(problem, found).await {
                Ok(answer) => answer,
                Err(ended) => site.fail(format_args!("expected a reply to `{kind}`, but {ended}")),
            };
            let decoded = match answer.kind.as_str() {
                "error" => answer.decode().map(Err),
                _ => answer.decode().map(Ok),
            };
            match decoded {
                Ok(decoded) => decoded,
                Err(why) => {
                    let expected = std::any::type_name::<T>();
                    site.fail(format_args!("expected `{kind}` to be answered with a `{expected}`, but {why}: {answer}"))
                }
            }
        }
    }
}

fn type_of<M: Message>(_: &M) -> &'static str {
    M::TYPE
}
