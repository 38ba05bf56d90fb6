//! What can go wrong, in one type: a category and a code for clients, a source and an id for the log.

mod category;
mod close;
mod close_code;
mod context;
mod convert;
mod kinds;
mod log;
mod one_line;
mod response;

pub use category::{ErrorCategory, Severity};
pub use close::CloseReason;
pub(crate) use close::millis;
pub use close_code::CloseCode;
pub use context::ErrorContext;
pub use convert::Internal;
pub(crate) use one_line::one_line;
pub use response::{Details, ErrorDetail, ErrorResponse};

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use axum::http::StatusCode;
use uuid::Uuid;

use crate::time::Timestamp;

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error with what a client may know (category, code, message, retry hint) and what only the log may (the source).
///
/// A handler makes one with the constructor named after its category, or with `?`: from an own error type through
/// `impl From<Mine> for agentcore::Error`, from the usual ones of the standard library, serde_json and tokio as they are,
/// from any other with [`.internal()`](Internal::internal).
///
/// | kind | constructor | code |
/// |---|---|---|
/// | authentication | [`authentication`](Self::authentication) | `UNAUTHENTICATED` |
/// | authorization | [`authorization`](Self::authorization) | `FORBIDDEN` |
/// | validation | [`validation`](Self::validation), [`invalid_field`](Self::invalid_field) | `VALIDATION_FAILED` |
/// | rate limit | [`rate_limit`](Self::rate_limit) | `RATE_LIMIT_EXCEEDED` |
/// | connection | [`connection`](Self::connection), [`limit`](Self::limit) | `CONNECTION_ERROR`, `LIMIT_EXCEEDED` |
/// | backend | [`backend`](Self::backend) | `BACKEND_UNAVAILABLE` |
/// | message | [`message_error`](Self::message_error) | `MESSAGE_ERROR` |
/// | system | [`internal`](Self::internal), [`system`](Self::system) | `INTERNAL_ERROR` |
/// | timeout | [`timeout`](Self::timeout) | `TIMEOUT` |
///
/// A value that a client sent and that cannot be read (a number, a UUID, UTF-8) is `VALIDATION_FAILED`; an
/// [`std::io::Error`], a [`serde_json::Error`] or a failed task is `INTERNAL_ERROR`, of which the client sees only the id.
///
/// ```
/// # use agentcore::prelude::*;
/// async fn limit_of(text: &str) -> Result<u32> {
///     let limit: u32 = text.parse()?;
///     if limit > 1000 {
///         return Err(Error::invalid_field("limit", "range", "must be 1 to 1000"));
///     }
///     let _page = std::fs::read_to_string("page.html")?;
///     Ok(limit)
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// assert_eq!(limit_of("many").await.unwrap_err().code(), "VALIDATION_FAILED");
/// assert_eq!(limit_of("5").await.unwrap_err().code(), "INTERNAL_ERROR");
/// # }
/// # use agentcore::tokio;
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    id: Uuid,
    timestamp: Timestamp,
    category: ErrorCategory,
    severity: Severity,
    code: Cow<'static, str>,
    message: Cow<'static, str>,
    retryable: bool,
    retry_after: Option<Duration>,
    close: Option<CloseCode>,
    status: Option<StatusCode>,
    details: Vec<ErrorDetail>,
    context: Option<Box<ErrorContext>>,
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
            timestamp: Timestamp::now(),
            category,
            severity: category.severity(),
            code: code.into(),
            message: message.into(),
            retryable: category.retryable(),
            retry_after: None,
            close: category.close_code(),
            status: None,
            details: Vec::new(),
            context: None,
            source: None,
        }))
    }

    /// Adds the time after which trying again makes sense, and marks the error retryable.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.0.retryable = true;
        self.0.retry_after = Some(after);
        self
    }

    /// Says whether the same request may succeed later, where the category does not say it right.
    #[must_use]
    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = retryable;
        if !retryable {
            self.0.retry_after = None;
        }
        self
    }

    /// Says how bad it is, where the category does not say it right: from high on it is logged.
    #[must_use]
    pub fn with_severity(mut self, severity: Severity) -> Self {
        self.0.severity = severity;
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
    /// # use agentcore::{Error, axum::http::StatusCode, error::ErrorCategory};
    /// let error = Error::new(ErrorCategory::Validation, "NO_SUCH_ROOM", "there is no such room")
    ///     .with_status(StatusCode::NOT_FOUND);
    /// assert_eq!(error.status(), StatusCode::NOT_FOUND);
    /// ```
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Says it in other words.
    pub(crate) fn with_message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.0.message = message.into();
        self
    }

    /// Closes the connection with 1008 if nothing else was said.
    pub(crate) fn with_default_close(mut self) -> Self {
        self.0.close.get_or_insert(CloseCode::Policy);
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
        self.0.severity
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

    /// When it was made.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        self.0.timestamp
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
