//! Requests of a client, and their answers.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::client::TestClient;
use super::failing::Place;
use super::received::Received;
use crate::error::ErrorResponse;
use crate::message::Message;

impl TestClient {
    /// Sends a request and waits for its reply, which may be `()` for a handler that returns none. What comes before the
    /// reply is kept.
    ///
    /// # Panics
    /// When an error is answered, when the reply is no `T`, and as [`send`](Self::send).
    #[track_caller]
    pub fn request<T: DeserializeOwned>(&mut self, message: &impl Message) -> impl Future<Output = T> + Send {
        self.request_as(kind_of(message), message)
    }

    /// As [`request`](Self::request), with any data under any type.
    ///
    /// # Panics
    /// As [`request`](Self::request).
    #[track_caller]
    pub fn request_as<T: DeserializeOwned>(
        &mut self,
        kind: &str,
        data: &(impl Serialize + Sync),
    ) -> impl Future<Output = T> + Send {
        let place = self.here();
        let kind = kind.to_owned();
        let asking = self.ask(kind.clone(), data, place.clone());
        async move {
            match asking.await {
                Ok(reply) => reply,
                Err(error) => place.fail(format_args!(
                    "expected a reply to `{kind}`, but {} was answered: {}",
                    error.code, error.message
                )),
            }
        }
    }

    /// Sends a request and waits for its reply, or for the error that is answered.
    ///
    /// # Errors
    /// The error that the application answered with.
    ///
    /// # Panics
    /// When the reply is no `T`, and as [`send`](Self::send).
    #[track_caller]
    pub fn try_request<T: DeserializeOwned>(
        &mut self,
        message: &impl Message,
    ) -> impl Future<Output = Result<T, ErrorResponse<'static>>> + Send {
        self.try_request_as(kind_of(message), message)
    }

    /// As [`try_request`](Self::try_request), with any data under any type.
    ///
    /// # Errors
    /// The error that the application answered with.
    ///
    /// # Panics
    /// As [`try_request`](Self::try_request).
    #[track_caller]
    pub fn try_request_as<T: DeserializeOwned>(
        &mut self,
        kind: &str,
        data: &(impl Serialize + Sync),
    ) -> impl Future<Output = Result<T, ErrorResponse<'static>>> + Send {
        let place = self.here();
        self.ask(kind.to_owned(), data, place)
    }

    fn ask<T: DeserializeOwned>(
        &mut self,
        kind: String,
        data: &(impl Serialize + Sync),
        place: Place,
    ) -> impl Future<Output = Result<T, ErrorResponse<'static>>> + Send {
        self.last_ref += 1;
        let reference = self.last_ref;
        let sending = self.deliver_at(place.clone(), &kind, Some(reference), data);
        let socket = self.socket.clone();
        async move {
            sending.await;
            let what = || format!("expected a reply to `{kind}`, but none came");
            let found = socket.wait(|state| {
                let answers = |it: &Received| it.reference == Some(reference);
                if let Some(at) = state.inbox.iter().position(answers) {
                    return state.inbox.remove(at).map(Ok);
                }
                state.end.is_some().then(|| Err(state.ended()))
            });
            let answer = match place.within(what, found).await {
                Ok(answer) => answer,
                Err(ended) => place.fail(format_args!("expected a reply to `{kind}`, but {ended}")),
            };
            let decoded = match answer.kind.as_str() {
                "error" => answer.decode().map(Err),
                _ => answer.decode().map(Ok),
            };
            match decoded {
                Ok(decoded) => decoded,
                Err(why) => {
                    let expected = std::any::type_name::<T>();
                    place
                        .fail(format_args!("expected `{kind}` to be answered with a `{expected}`, but {why}: {answer}"))
                }
            }
        }
    }
}

fn kind_of<M: Message>(_: &M) -> &'static str {
    M::TYPE
}
