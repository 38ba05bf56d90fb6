//! The types that the fields of a consumer may have: parsed parameters, and the connection's user.

use std::fmt::Display;
use std::marker::PhantomData;
use std::str::FromStr;

use crate::error::{Error, ErrorDetail, Result};
use crate::id::UserId;

/// A type that is parsed from a path or query parameter: every [`FromStr`] type whose error implements [`Display`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be parsed from a path or query parameter",
    label = "this type does not implement `FromStr`",
    note = "the type of a `#[path]` or `#[query]` field implements `FromStr`, with an error that implements `Display`",
    note = "a `#[query]` field may also be an `Option` of such a type"
)]
pub trait FromParam: Sized {
    /// Parses the text.
    ///
    /// # Errors
    /// The text of the type's own error.
    fn from_param(text: &str) -> std::result::Result<Self, String>;
}

#[diagnostic::do_not_recommend]
impl<T: FromStr<Err: Display>> FromParam for T {
    fn from_param(text: &str) -> std::result::Result<Self, String> {
        text.parse().map_err(|error: T::Err| error.to_string())
    }
}

/// A type that a `#[user]` field may have: it names the user of the connection.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a `#[user]` field",
    label = "this type does not name a user",
    note = "make the field a `UserId` or an `Option<UserId>`, or implement `agentcore::consumer::AsUserId`"
)]
pub trait AsUserId {
    /// Returns the user, `None` for an anonymous one.
    fn as_user_id(&self) -> Option<&UserId>;
}

impl AsUserId for UserId {
    fn as_user_id(&self) -> Option<&UserId> {
        Some(self)
    }
}

impl AsUserId for Option<UserId> {
    fn as_user_id(&self) -> Option<&UserId> {
        self.as_ref()
    }
}

/// A path or query parameter that becomes a `T`: generated code calls `Param::<T>::new("name").parse(text)`.
///
/// For an `Option`, the inherent method takes precedence over [`ParseParam`]; so generated code need not know whether
/// the parameter may be missing.
#[derive(Debug)]
pub struct Param<T> {
    name: &'static str,
    value: PhantomData<fn() -> T>,
}

impl<T> Param<T> {
    /// Names the parameter.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self { name, value: PhantomData }
    }
}

impl<T> Param<Option<T>> {
    /// Parses an optional parameter.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` when the text cannot be parsed.
    pub fn parse(&self, text: Option<&str>) -> Result<Option<T>>
    where
        T: FromParam,
    {
        text.map(|text| parse(self.name, text)).transpose()
    }
}

/// Parses a required parameter.
pub trait ParseParam {
    /// The type of the field.
    type Output;

    /// Parses the parameter.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` when the parameter is missing or cannot be parsed.
    fn parse(&self, text: Option<&str>) -> Result<Self::Output>
    where
        Self::Output: FromParam;
}

// The bound is on the method, not on the impl: then the compiler reports the field's type and not a missing method.
impl<T> ParseParam for Param<T> {
    type Output = T;
    fn parse(&self, text: Option<&str>) -> Result<T>
    where
        T: FromParam,
    {
        match text {
            Some(text) => parse(self.name, text),
            None => Err(refused(self.name, "required", "is missing".to_owned())),
        }
    }
}

fn parse<T: FromParam>(name: &str, text: &str) -> Result<T> {
    T::from_param(text).map_err(|message| refused(name, "type", message))
}

fn refused(name: &str, rule: &'static str, message: String) -> Error {
    let detail = ErrorDetail { field: name.to_owned(), rule: rule.into(), message };
    Error::validation(format!("`{name}`: {}", detail.message)).with_details(vec![detail])
}
