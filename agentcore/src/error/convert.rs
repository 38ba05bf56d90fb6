//! Conversions of foreign errors, for `?`.
//!
//! An error of parsing a text or a number is the client's, and becomes `VALIDATION_FAILED`. Errors of files, sockets,
//! stored data and tasks are the server's: they are logged, and the client sees only the error id.

use std::num::{ParseFloatError, ParseIntError, TryFromIntError};
use std::str::{ParseBoolError, Utf8Error};
use std::string::FromUtf8Error;

use super::{Error, Result};
use crate::id::{ConnectionIdError, NameError};
use crate::time::TimestampError;

/// Errors of the client. Their texts describe the invalid value and reveal nothing else.
macro_rules! client_errors {
    ($($error:ty),*) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::validation(error.to_string()).with_source(error)
            }
        }
    )*};
}

client_errors!(
    NameError,
    ConnectionIdError,
    TimestampError,
    ParseIntError,
    ParseFloatError,
    ParseBoolError,
    TryFromIntError,
    Utf8Error,
    FromUtf8Error,
    std::net::AddrParseError,
    uuid::Error
);

/// Errors of the server. The client sees only the error id.
macro_rules! server_errors {
    ($($error:ty),*) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::internal(error)
            }
        }
    )*};
}

server_errors!(
    std::io::Error,
    serde_json::Error,
    tokio::task::JoinError,
    tokio::sync::oneshot::error::RecvError,
    tokio::sync::AcquireError
);

/// Becomes `TIMEOUT`, which the client may retry.
impl From<tokio::time::error::Elapsed> for Error {
    fn from(error: tokio::time::error::Elapsed) -> Self {
        Self::timeout("this took too long").with_source(error)
    }
}

/// Returns a boxed [`Error`] unchanged; any other error becomes [`Error::internal`].
impl From<Box<dyn std::error::Error + Send + Sync>> for Error {
    fn from(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        error.downcast::<Self>().map_or_else(Self::internal, |error| *error)
    }
}

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

/// Converts a foreign error into one that is logged and hidden from the client.
pub trait Internal<T> {
    /// Converts the error with [`Error::internal`].
    ///
    /// # Errors
    /// The converted error.
    fn internal(self) -> Result<T>;
}

impl<T, E: Into<Box<dyn std::error::Error + Send + Sync>>> Internal<T> for std::result::Result<T, E> {
    fn internal(self) -> Result<T> {
        self.map_err(Error::internal)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

    use super::*;

    fn code<T, E: Into<Error>>(result: std::result::Result<T, E>) -> (String, String) {
        let error: Error = result.err().unwrap().into();
        (error.code().to_owned(), error.message().to_owned())
    }

    #[test]
    fn parse_errors_are_the_clients_and_other_errors_are_the_servers() {
        assert_eq!(code("x".parse::<u32>()).0, "VALIDATION_FAILED");
        assert_eq!(code("x".parse::<f64>()).0, "VALIDATION_FAILED");
        assert_eq!(code("x".parse::<bool>()).0, "VALIDATION_FAILED");
        assert_eq!(code(u8::try_from(300)).0, "VALIDATION_FAILED");
        assert_eq!(code(String::from_utf8(vec![0xff])).0, "VALIDATION_FAILED");
        assert_eq!(code(uuid::Uuid::parse_str("x")).0, "VALIDATION_FAILED");
        let (code_, message) = code(std::fs::read("/no/such/file"));
        assert_eq!(code_, "INTERNAL_ERROR");
        assert!(!message.contains("such"), "the cause is hidden: {message}");
        assert_eq!(code(serde_json::from_str::<u32>("secret")).0, "INTERNAL_ERROR");
    }

    #[test]
    fn a_boxed_error_of_this_crate_is_unchanged() {
        let boxed: Box<dyn std::error::Error + Send + Sync> = Box::new(Error::authorization("not you"));
        assert_eq!(Error::from(boxed).code(), "FORBIDDEN");
        assert_eq!(Error::from(Box::<dyn std::error::Error + Send + Sync>::from("x")).code(), "INTERNAL_ERROR");
    }
}
