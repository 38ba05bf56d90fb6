//! Constructors of errors: one for each category, and those of the framework itself.

use std::borrow::Cow;
use std::time::Duration;

use super::{CloseCode, Error, ErrorCategory, ErrorDetail, one_line};

impl Error {
    /// The client is not authenticated: `UNAUTHENTICATED`, closes the connection with 4401.
    pub fn authentication(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCategory::Authentication, "UNAUTHENTICATED", message)
    }

    /// The client is not permitted to do this: `FORBIDDEN`.
    pub fn authorization(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCategory::Authorization, "FORBIDDEN", message)
    }

    /// The client sent invalid data: `VALIDATION_FAILED`.
    pub fn validation(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCategory::Validation, "VALIDATION_FAILED", message)
    }

    /// One field is invalid: `VALIDATION_FAILED` with the field in its details, as for the validation rules of a
    /// message. An empty `field` stands for the whole payload.
    ///
    /// ```
    /// # use agentcore::Error;
    /// let error = Error::invalid_field("limit", "range", "must be 1 to 1000");
    /// assert_eq!(error.message(), "`limit` must be 1 to 1000");
    /// assert_eq!(error.details()[0].rule, "range");
    /// ```
    pub fn invalid_field(
        field: impl Into<String>,
        rule: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        let detail = ErrorDetail { field: field.into(), rule: rule.into(), message: message.into() };
        let text = match detail.field.as_str() {
            "" => detail.message.clone(),
            field => format!("`{field}` {}", detail.message),
        };
        Self::validation(text).with_details(vec![detail])
    }

    /// The client exceeded a rate limit: `RATE_LIMIT_EXCEEDED`, may be retried after `retry_after`.
    #[must_use]
    pub fn rate_limit(retry_after: Duration) -> Self {
        Self::new(ErrorCategory::RateLimit, "RATE_LIMIT_EXCEEDED", "too many messages; slow down")
            .with_retry_after(retry_after)
    }

    /// A limit on connections or groups is reached: `LIMIT_EXCEEDED`.
    pub fn limit(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCategory::Connection, "LIMIT_EXCEEDED", message)
    }

    /// The connection cannot do this now, or is gone: `CONNECTION_ERROR`, may be retried.
    pub fn connection(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCategory::Connection, "CONNECTION_ERROR", message)
    }

    /// A valid message cannot be accepted in its current form: `MESSAGE_ERROR`.
    pub fn message_error(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCategory::Message, "MESSAGE_ERROR", message)
    }

    /// The backend or a store did not answer: `BACKEND_UNAVAILABLE`, may be retried after a second.
    pub fn backend(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCategory::Backend, "BACKEND_UNAVAILABLE", message).with_retry_after(Duration::from_secs(1))
    }

    /// An operation exceeded its deadline: `TIMEOUT`, may be retried.
    pub fn timeout(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCategory::Timeout, "TIMEOUT", message)
    }

    /// A fault of the server with a message for the client: `INTERNAL_ERROR`. To hide the cause from the client, use
    /// [`internal`](Self::internal) or [`with_source`](Self::with_source).
    pub fn system(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCategory::System, "INTERNAL_ERROR", message)
    }

    /// A fault of the server: `INTERNAL_ERROR`. `source` is logged, and the client sees only the error id.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(ErrorCategory::System, "INTERNAL_ERROR", "something went wrong on our side").with_source(source)
    }

    /// The client was silent for `WS_HEARTBEAT_TIMEOUT`: `HEARTBEAT_LOST`, closes the connection with 4408.
    pub(crate) fn heartbeat_lost() -> Self {
        Self::new(ErrorCategory::Connection, "HEARTBEAT_LOST", "the client was silent for too long")
            .with_close(CloseCode::Library(4408))
    }

    /// The client reads too slowly: `SLOW_CONSUMER`, closes the connection with 1013.
    pub(crate) fn slow_consumer(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCategory::Connection, "SLOW_CONSUMER", message)
            .with_retry_after(Duration::from_secs(1))
            .with_close(CloseCode::Again)
    }

    pub(crate) fn invalid_json(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCategory::Validation, "INVALID_JSON", message)
    }

    pub(crate) fn invalid_envelope(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCategory::Validation, "INVALID_ENVELOPE", message)
    }

    pub(crate) fn unknown_message_type(message_type: &str) -> Self {
        let message = format!("there is no message type `{}` here", one_line(message_type));
        Self::new(ErrorCategory::Validation, "UNKNOWN_MESSAGE_TYPE", message)
    }

    /// The application cannot start, for example because of an invalid setting, a port in use or a missing state.
    pub(crate) fn start(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCategory::System, "CANNOT_START", message)
    }
}
