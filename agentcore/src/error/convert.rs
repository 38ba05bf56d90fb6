//! What `?` makes of the errors of others.
//!
//! Reading a text or a number that somebody sent fails through the client: that is `VALIDATION_FAILED`. Everything that
//! concerns files, sockets, stored data and tasks is ours: the log says it and the client sees only its id.

use std::num::{ParseFloatError, ParseIntError, TryFromIntError};
use std::str::{ParseBoolError, Utf8Error};
use std::string::FromUtf8Error;

use super::{Error, Result};
use crate::id::{ConnectionIdError, NameError};
use crate::time::TimestampError;

/// The client's: the text says nothing but what is wrong with a value.
macro_rules! of_the_client {
    ($($error:ty),*) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::validation(error.to_string()).with_source(error)
            }
        }
    )*};
}

of_the_client!(
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

/// Ours: the client sees the id.
macro_rules! of_ours {
    ($($error:ty),*) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::internal(error)
            }
        }
    )*};
}

of_ours!(
    std::io::Error,
    serde_json::Error,
    tokio::task::JoinError,
    tokio::sync::oneshot::error::RecvError,
    tokio::sync::AcquireError
);

/// Something took longer than it may: `TIMEOUT`, which the client may try again.
impl From<tokio::time::error::Elapsed> for Error {
    fn from(error: tokio::time::error::Elapsed) -> Self {
        Self::timeout("this took too long").with_source(error)
    }
}

/// An error of this crate comes out of the box as it went in; any other is [`Error::internal`].
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test ends so")]

    use super::*;

    fn code<T, E: Into<Error>>(result: std::result::Result<T, E>) -> (String, String) {
        let error: Error = result.err().unwrap().into();
        (error.code().to_owned(), error.message().to_owned())
    }

    #[test]
    fn what_somebody_sent_is_theirs_and_what_we_keep_is_ours() {
        assert_eq!(code("x".parse::<u32>()).0, "VALIDATION_FAILED");
        assert_eq!(code("x".parse::<f64>()).0, "VALIDATION_FAILED");
        assert_eq!(code("x".parse::<bool>()).0, "VALIDATION_FAILED");
        assert_eq!(code(u8::try_from(300)).0, "VALIDATION_FAILED");
        assert_eq!(code(String::from_utf8(vec![0xff])).0, "VALIDATION_FAILED");
        assert_eq!(code(uuid::Uuid::parse_str("x")).0, "VALIDATION_FAILED");
        let (code_, message) = code(std::fs::read("/no/such/file"));
        assert_eq!(code_, "INTERNAL_ERROR");
        assert!(!message.contains("such"), "nothing of the cause: {message}");
        assert_eq!(code(serde_json::from_str::<u32>("secret")).0, "INTERNAL_ERROR");
    }

    #[test]
    fn an_error_of_ours_survives_a_box() {
        let boxed: Box<dyn std::error::Error + Send + Sync> = Box::new(Error::authorization("not you"));
        assert_eq!(Error::from(boxed).code(), "FORBIDDEN");
        assert_eq!(Error::from(Box::<dyn std::error::Error + Send + Sync>::from("x")).code(), "INTERNAL_ERROR");
    }
}
