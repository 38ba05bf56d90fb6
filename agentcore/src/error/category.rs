//! The kinds of error, and what follows from a kind.

use std::fmt;

use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CloseCode;

/// The kind of an error; clients and dashboards group by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorCategory {
    /// The client has not shown who it is.
    Authentication,
    /// The client may not do this.
    Authorization,
    /// What the client sent breaks a rule.
    Validation,
    /// The client sent too much.
    RateLimit,
    /// A bound on connections or groups is met, or the connection is gone.
    Connection,
    /// The backend or a store did not answer.
    Backend,
    /// A message could not be sent as it is.
    Message,
    /// A fault of ours.
    System,
    /// Something took longer than it may.
    Timeout,
}

/// How bad an error is; `High` and above are logged with the id that the client sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// A client's mistake.
    Low,
    /// Worth counting.
    Medium,
    /// Somebody should look at it.
    High,
    /// Somebody must look at it now.
    Critical,
}

impl ErrorCategory {
    /// How bad an error of this kind is.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::Validation | Self::RateLimit | Self::Authorization => Severity::Low,
            Self::Authentication | Self::Connection | Self::Message => Severity::Medium,
            Self::Backend | Self::System | Self::Timeout => Severity::High,
        }
    }

    /// The HTTP status of a refused request.
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

    /// Its name, as clients see it.
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

    /// Whether the client caused it, rather than a fault of ours: those count against the connection.
    #[must_use]
    pub fn is_of_client(self) -> bool {
        !matches!(self, Self::Backend | Self::System | Self::Timeout)
    }

    /// Whether the same request may succeed later.
    pub(super) fn retryable(self) -> bool {
        matches!(self, Self::RateLimit | Self::Connection | Self::Backend | Self::Timeout)
    }

    /// Closes the connection by itself: only when nothing that follows could succeed.
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
