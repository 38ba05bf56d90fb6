//! The error type of this crate, with a category and a code for clients, and a source and an id for the log.
//!
//! [`Error`] is defined here. The other files add its constructors, its circumstances, its conversions, and the forms
//! in which clients and the log see it.

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
pub use close_code::CloseCode;
pub use context::ErrorContext;
pub use convert::Internal;
pub(crate) use one_line::{excerpt, one_line};
pub use response::{Details, ErrorDetail, ErrorResponse};

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use axum::http::StatusCode;
use uuid::Uuid;

use crate::time::Timestamp;

/// A result with [`Error`] as its default error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error. Clients see its category, code, message and retry hint; only the log has its source.
///
/// Handlers create errors with the constructor of a category, or with `?`. It converts common errors of the standard
/// library, serde_json and tokio, and an application's own errors through `impl From<MyError> for agentcore::Error`.
/// Any other error is converted with [`.internal()`](Internal::internal).
///
/// | category | constructor | code |
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
/// `?` converts parse errors (of numbers, UUIDs, UTF-8) to `VALIDATION_FAILED`. It converts [`std::io::Error`],
/// [`serde_json::Error`] and errors of tasks to `INTERNAL_ERROR`, of which the client sees only the id.
///
/// ```
/// # use agentcore::prelude::*;
/// async fn parse_limit(text: &str) -> Result<u32> {
///     let limit: u32 = text.parse()?;
///     if limit > 1000 {
///         return Err(Error::invalid_field("limit", "range", "must be 1 to 1000"));
///     }
///     let _page = std::fs::read_to_string("page.html")?;
///     Ok(limit)
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// assert_eq!(parse_limit("many").await.unwrap_err().code(), "VALIDATION_FAILED");
/// assert_eq!(parse_limit("5").await.unwrap_err().code(), "INTERNAL_ERROR");
/// # }
/// # use agentcore::tokio;
/// ```
pub struct Error(Box<ErrorFields>);

struct ErrorFields {
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
    /// Creates an error with an application-specific code in upper case, such as `ROOM_IS_FULL`.
    pub fn new(
        category: ErrorCategory,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(ErrorFields {
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

    /// Sets the time after which a retry makes sense, and marks the error as retryable.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.0.retryable = true;
        self.0.retry_after = Some(after);
        self
    }

    /// Sets whether the same request may succeed later, instead of the default of the category.
    #[must_use]
    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = retryable;
        if !retryable {
            self.0.retry_after = None;
        }
        self
    }

    /// Sets the severity, instead of the default of the category. Errors of [`Severity::High`] and above are logged.
    #[must_use]
    pub fn with_severity(mut self, severity: Severity) -> Self {
        self.0.severity = severity;
        self
    }

    /// Closes the connection with `code` after the error is sent.
    #[must_use]
    pub fn with_close(mut self, code: CloseCode) -> Self {
        self.0.close = Some(code);
        self
    }

    /// Sets the status of an HTTP response, instead of the default of the category. It has no effect on connections.
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

    /// Replaces the message.
    pub(crate) fn with_message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.0.message = message.into();
        self
    }

    /// Closes the connection with 1008, unless another close code is set.
    pub(crate) fn with_default_close(mut self) -> Self {
        self.0.close.get_or_insert(CloseCode::Policy);
        self
    }

    /// Sets the cause, which is logged and hidden from the client.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Sets the broken rules, each with its field.
    #[must_use]
    pub fn with_details(mut self, details: Vec<ErrorDetail>) -> Self {
        self.0.details = details;
        self
    }

    /// Returns the category.
    #[must_use]
    pub fn category(&self) -> ErrorCategory {
        self.0.category
    }

    /// Returns the severity. Errors of [`Severity::High`] and above are logged with their id.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.0.severity
    }

    /// Returns the code for programs to act on, such as `FORBIDDEN`.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// Returns the text for people, which never reveals internals.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the id, which the client's error and the log have in common.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.0.id
    }

    /// Returns the time at which the error was created.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        self.0.timestamp
    }

    /// Returns whether the same request may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// Returns the time after which a retry makes sense.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Returns the broken rules.
    #[must_use]
    pub fn details(&self) -> &[ErrorDetail] {
        &self.0.details
    }

    /// Returns whether the connection is closed after this error is sent.
    #[must_use]
    pub fn should_disconnect(&self) -> bool {
        self.0.close.is_some()
    }

    /// Returns the status of an HTTP response.
    ///
    /// Unless [`with_status`](Self::with_status) sets it, it is 401 for authentication, 403 for authorization, 400 for
    /// validation and message, 429 for rate limit, 503 for connection and backend, 504 for timeout and 500 for system.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status.unwrap_or_else(|| self.category().status())
    }

    /// Returns the code with which the connection is closed; 1008 unless [`with_close`](Self::with_close) or the
    /// category sets another.
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

/// Writes the message and the chain of causes on one line, as `main` prints it.
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
