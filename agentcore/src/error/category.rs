//! The categories of errors, and the severity, HTTP status and close code of each.

use std::fmt;

use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CloseCode;

/// The category of an error, for clients and dashboards to group by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorCategory {
    /// The client is not authenticated.
    Authentication,
    /// The client is not permitted to do this.
    Authorization,
    /// The client sent invalid data.
    Validation,
    /// The client exceeded a rate limit.
    RateLimit,
    /// A limit on connections or groups is reached, or the connection is gone.
    Connection,
    /// The backend or a store did not answer.
    Backend,
    /// A valid message cannot be accepted or sent in its current form.
    Message,
    /// A fault of the server.
    System,
    /// An operation exceeded its deadline.
    Timeout,
}

/// The severity of an error. `High` and above are logged with the id that the client sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// A mistake of a client.
    Low,
    /// Worth counting, but not logging.
    Medium,
    /// Needs attention.
    High,
    /// Needs immediate attention.
    Critical,
}

impl ErrorCategory {
    /// Returns the default severity of the category.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::Validation | Self::RateLimit | Self::Authorization => Severity::Low,
            Self::Authentication | Self::Connection | Self::Message => Severity::Medium,
            Self::Backend | Self::System | Self::Timeout => Severity::High,
        }
    }

    /// Returns the default HTTP status of the category.
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Authentication => StatusCode::UNAUTHORIZED,
            Self::Authorization => StatusCode::FORBIDDEN,
            Self::Validation | Self::Message => StatusCode::BAD_REQUEST,
            Self::RateLimit => StatusCode::TOO_MANY_REQUESTS,
            Self::Connection | Self::Backend => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::System => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Returns the name that clients see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Authorization => "authorization",
            Self::Validation => "validation",
            Self::RateLimit => "rate_limit",
            Self::Connection => "connection",
            Self::Backend => "backend",
            Self::Message => "message",
            Self::System => "system",
            Self::Timeout => "timeout",
        }
    }

    /// Returns whether the client caused the error. Such errors count as abuse of the connection when they are
    /// frequent.
    #[must_use]
    pub fn is_of_client(self) -> bool {
        !matches!(self, Self::Backend | Self::System | Self::Timeout)
    }

    /// Returns whether the same request may succeed later.
    pub(super) fn retryable(self) -> bool {
        matches!(self, Self::RateLimit | Self::Connection | Self::Backend | Self::Timeout)
    }

    /// Returns the close code of categories after which no further request can succeed.
    pub(super) fn close_code(self) -> Option<CloseCode> {
        matches!(self, Self::Authentication).then_some(CloseCode::Library(4401))
    }
}

impl fmt::Display for ErrorCategory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}
