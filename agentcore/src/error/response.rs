//! The form in which a client sees an error: in an `error` message, and under `error` in HTTP.

use serde::Serialize;
use uuid::Uuid;

use super::{Error, ErrorCategory, Severity, close::millis};
use crate::time::Timestamp;

/// One broken rule and the field that broke it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorDetail {
    /// The path of the field, such as `a.b[2]`; empty for the whole.
    pub field: String,
    /// The rule, such as `length`, `required` or `type`.
    pub rule: &'static str,
    /// The text for people.
    pub message: String,
}

/// The data of an `error` message.
#[derive(Debug, Serialize)]
pub struct ErrorResponse<'a> {
    /// The code that clients decide by.
    pub code: &'a str,
    /// The kind of error.
    pub category: ErrorCategory,
    /// How bad it is.
    pub severity: Severity,
    /// The text for people.
    pub message: &'a str,
    /// The id under which the log knows it.
    pub error_id: Uuid,
    /// When it was answered.
    pub timestamp: Timestamp,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// When trying again makes sense.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The type of the message that caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_type: Option<&'a str>,
    /// The broken rules.
    pub details: Details<'a>,
}

/// `details` of an error: an object, so that it can grow.
#[derive(Debug, Serialize)]
pub struct Details<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ErrorDetail],
}

impl<'a> ErrorResponse<'a> {
    /// What a client may know of `error`, which a message of type `message_type` caused.
    #[must_use]
    pub fn new(error: &'a Error, message_type: Option<&'a str>) -> Self {
        Self {
            code: error.code(),
            category: error.category(),
            severity: error.severity(),
            message: error.message(),
            error_id: error.id(),
            timestamp: Timestamp::now(),
            retryable: error.is_retryable(),
            retry_after_ms: error.retry_after().map(millis),
            message_type,
            details: Details { errors: error.details() },
        }
    }
}
