//! An error as a client sees it: in an `error` message, and under `error` in an HTTP response.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Error, ErrorCategory, Severity};
use crate::time::{Timestamp, millis};

/// One broken rule and the field that breaks it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorDetail {
    /// The path of the field, such as `a.b[2]`; empty for the whole payload.
    pub field: String,
    /// The rule, such as `length`, `required` or `type`.
    pub rule: Cow<'static, str>,
    /// A text for people.
    pub message: String,
}

/// The data of an `error` message. A client in Rust reads it as `ErrorResponse<'static>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorResponse<'a> {
    /// The code for programs to act on, such as `FORBIDDEN`.
    pub code: Cow<'a, str>,
    /// The category of the error.
    pub category: ErrorCategory,
    /// The severity of the error.
    pub severity: Severity,
    /// A text for people.
    pub message: Cow<'a, str>,
    /// The id of the error in the log.
    #[schemars(with = "String")]
    pub error_id: Uuid,
    /// The time at which the error was created.
    pub timestamp: Timestamp,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// The time after which a retry makes sense, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The type of the message that caused the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_type: Option<Cow<'a, str>>,
    /// Further information.
    #[serde(default)]
    pub details: Details<'a>,
}

/// The `details` of an error. It is an object, so that fields can be added.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Details<'a> {
    /// The broken rules.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub errors: Cow<'a, [ErrorDetail]>,
}

fn is_empty(errors: &[ErrorDetail]) -> bool {
    errors.is_empty()
}

impl<'a> ErrorResponse<'a> {
    /// Creates the client's view of `error`, which a message of type `message_type` caused.
    #[must_use]
    pub fn new(error: &'a Error, message_type: Option<&'a str>) -> Self {
        Self {
            code: error.code().into(),
            category: error.category(),
            severity: error.severity(),
            message: error.message().into(),
            error_id: error.id(),
            timestamp: error.timestamp(),
            retryable: error.is_retryable(),
            retry_after_ms: error.retry_after().map(millis),
            message_type: message_type.map(Cow::Borrowed),
            details: Details { errors: error.details().into() },
        }
    }
}
