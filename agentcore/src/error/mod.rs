//! What can go wrong, in one type: a category and a code for clients, a source and an id for the log.

mod category;
mod close;
mod one_line;
mod response;

pub use category::{ErrorCategory, Severity};
pub use close::{CloseCode, CloseReason};
pub(crate) use one_line::one_line;
pub use response::{ErrorDetail, ErrorResponse};

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use axum::http::StatusCode;
use uuid::Uuid;

use crate::id::{ConnectionIdError, NameError};

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error with what a client may know (category, code, message, retry hint) and what only the log may (the source).
///
/// A handler makes one with the constructor named after its category, or with `?`: from an own error type through
/// `impl From<Mine> for agentcore::Error`, from a foreign one with [`.internal()`](Internal::internal).
pub struct Error(Box<Inner>);

struct Inner {
    id: Uuid,
    category: ErrorCategory,
    code: Cow<'static, str>,
    message: Cow<'static, str>,
    retryable: bool,
    retry_after: Option<Duration>,
    close: Option<CloseCode>,
    status: Option<StatusCode>,
    details: Vec<ErrorDetail>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of an application's own, with a code in upper case such as `ROOM_IS_FULL`.
    pub fn new(
        category: ErrorCategory,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(Inner {
            id: Uuid::new_v4(),
            category,
            code: code.into(),
            message: message.into(),
            retryable: category.retryable(),
            retry_after: None,
            close: category.close_code(),
            status: None,
            details: Vec::new(),
            source: None,
        }))
    }

    /// The client has not shown who it is: `UNAUTHENTICATED`, closes with 4401.
    pub fn authentication(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCategory::Authentication, "UNAUTHENTICATED", message)
    }

    /// The client may not do this: `FORBIDDEN`.
    pub fn authorization(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCategory::Authorization, "FORBIDDEN", message)
    }

    /// What the client sent breaks a rule: `VALIDATION_FAILED`.
    pub fn validation(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCategory::Validation, "VALIDATION_FAILED", message)
    }

    /// The client sent too much: `RATE_LIMIT_EXCEEDED`, to be tried again after `retry_after`.
    #[must_use]
    pub fn rate_limit(retry_after: Duration) -> Self {
        Self::new(ErrorCategory::RateLimit, "RATE_LIMIT_EXCEEDED", "too many messages; slow down")
            .with_retry_after(retry_after)
    }

    /// A bound on connections or groups is met: `LIMIT_EXCEEDED`.
    pub fn limit(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCategory::Connection, "LIMIT_EXCEEDED", message)
    }

    /// The backend or a store did not answer: `BACKEND_UNAVAILABLE`, to be tried again.
    pub fn backend(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCategory::Backend, "BACKEND_UNAVAILABLE", message).with_retry_after(Duration::from_secs(1))
    }

    /// Something took longer than it may: `TIMEOUT`.
    pub fn timeout(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCategory::Timeout, "TIMEOUT", message)
    }

    /// A fault of ours: `INTERNAL_ERROR`. The client sees the error id, the log sees `source`.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(ErrorCategory::System, "INTERNAL_ERROR", "something went wrong on our side").with_source(source)
    }

    /// The client reads too slowly: `SLOW_CONSUMER`, closes with 1013.
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

    /// A start that cannot be made: bad settings, a taken port, a missing state.
    pub(crate) fn start(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCategory::System, "CANNOT_START", message)
    }

    /// Adds the time after which trying again makes sense, and marks the error retryable.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.0.retryable = true;
        self.0.retry_after = Some(after);
        self
    }

    /// Closes the connection with `code` after the error was sent.
    #[must_use]
    pub fn with_close(mut self, code: CloseCode) -> Self {
        self.0.close = Some(code);
        self
    }

    /// Answers an HTTP request with this status instead of the one of the category. It changes nothing for a connection.
    ///
    /// ```
    /// # use agentcore::{Error, ErrorCategory, axum::http::StatusCode};
    /// let error = Error::new(ErrorCategory::Validation, "NO_SUCH_ROOM", "there is no such room")
    ///     .with_status(StatusCode::NOT_FOUND);
    /// assert_eq!(error.status(), StatusCode::NOT_FOUND);
    /// ```
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Adds the cause: the log says it, the client does not see it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds broken rules, each with the field that broke it.
    #[must_use]
    pub fn with_details(mut self, details: Vec<ErrorDetail>) -> Self {
        self.0.details = details;
        self
    }

    /// What kind of error it is.
    #[must_use]
    pub fn category(&self) -> ErrorCategory {
        self.0.category
    }

    /// How bad it is; from high on it is logged with its id.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.0.category.severity()
    }

    /// The code that clients decide by, such as `FORBIDDEN`.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The text for people; never internals.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The id that joins what the client saw with what the log says.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.0.id
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// When trying again makes sense.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The broken rules.
    #[must_use]
    pub fn details(&self) -> &[ErrorDetail] {
        &self.0.details
    }

    /// Whether the connection is closed after this error was sent.
    #[must_use]
    pub fn should_disconnect(&self) -> bool {
        self.0.close.is_some()
    }

    /// The status with which it answers an HTTP request: its own, else 401 for authentication, 403 for authorization, 400
    /// for validation and message, 429 for rate limit, 503 for connection and backend, 504 for timeout, 500 for system.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status.unwrap_or_else(|| self.category().status())
    }

    /// The close code when it is; 1008 stands for an error that has none of its own.
    #[must_use]
    pub fn ws_code(&self) -> CloseCode {
        self.0.close.unwrap_or(CloseCode::Policy)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

/// One line, as `main` prints it: the message, then what caused it.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<NameError> for Error {
    fn from(error: NameError) -> Self {
        Self::validation(error.to_string())
    }
}

impl From<ConnectionIdError> for Error {
    fn from(error: ConnectionIdError) -> Self {
        Self::validation(error.to_string())
    }
}

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

/// Turns a foreign error into one that the log sees and the client does not.
pub trait Internal<T> {
    /// Makes it an [`Error::internal`].
    ///
    /// # Errors
    /// The error itself, wrapped.
    fn internal(self) -> Result<T>;
}

impl<T, E: Into<Box<dyn std::error::Error + Send + Sync>>> Internal<T> for std::result::Result<T, E> {
    fn internal(self) -> Result<T> {
        self.map_err(Error::internal)
    }
}
