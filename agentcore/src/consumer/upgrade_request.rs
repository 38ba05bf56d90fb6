//! What a consumer is built from: the request that asks for the upgrade, and the application's states.

use std::any::TypeId;
use std::fmt::Display;
use std::marker::PhantomData;
use std::str::FromStr;

use crate::error::{Error, ErrorDetail, Result};
use crate::id::UserId;
use crate::state::States;

/// The request of one connection, before its upgrade.
#[derive(Debug)]
pub struct UpgradeRequest<'a> {
    path: &'a [(String, String)],
    query: &'a [(String, String)],
    states: &'a States,
}

impl<'a> UpgradeRequest<'a> {
    pub(crate) fn new(path: &'a [(String, String)], query: &'a [(String, String)], states: &'a States) -> Self {
        Self { path, query, states }
    }

    /// The value of `{name}` in the path, percent-decoded.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<&str> {
        self.path.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first value of `name` in the query, percent-decoded.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A state of the application.
    ///
    /// # Errors
    /// `INTERNAL_ERROR` when it is missing; the start checks that it is not.
    pub fn state<T: Clone + Send + Sync + 'static>(&self) -> Result<T> {
        self.states
            .get::<T>()
            .ok_or_else(|| Error::internal(format!("no state of type `{}`", std::any::type_name::<T>())))
    }
}

/// A `#[state]` field, as the start checks it.
#[derive(Debug, Clone, Copy)]
pub struct RequiredState {
    /// The type of the field.
    pub type_id: TypeId,
    /// Its name, for the error.
    pub type_name: &'static str,
}

impl RequiredState {
    /// A field of type `T`.
    #[must_use]
    pub fn of<T: Clone + Send + Sync + 'static>() -> Self {
        Self { type_id: TypeId::of::<T>(), type_name: std::any::type_name::<T>() }
    }
}

/// Chooses how a `#[path]` or `#[query]` field is parsed: `Param::<T>::new("name").parse(text)`.
///
/// The inherent method for `Param<Option<T>>` comes before the one of [`ParseParam`], so an optional value needs no
/// trait of its own.
#[derive(Debug)]
pub struct Param<T> {
    name: &'static str,
    value: PhantomData<fn() -> T>,
}

impl<T> Param<T> {
    /// The value called `name`.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self { name, value: PhantomData }
    }
}

impl<T> Param<Option<T>> {
    /// Parses the value if there is one.
    ///
    /// # Errors
    /// `VALIDATION_FAILED`, naming the value.
    pub fn parse(&self, text: Option<&str>) -> Result<Option<T>>
    where
        T: FromParam,
    {
        text.map(|text| parse(self.name, text)).transpose()
    }
}

/// Parses a value that must be there.
pub trait ParseParam {
    /// What it is parsed to.
    type Value;

    /// Parses the value.
    ///
    /// # Errors
    /// `VALIDATION_FAILED`, naming the value.
    fn parse(&self, text: Option<&str>) -> Result<Self::Value>
    where
        Self::Value: FromParam;
}

// The bound stands on the method and not on the impl, so that a type that cannot be parsed is told as such.
impl<T> ParseParam for Param<T> {
    type Value = T;
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

/// A type that is parsed from a text: every [`FromStr`] whose error can be shown.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from the path or the query",
    label = "this type is not parsed from a text",
    note = "a `#[path]` or `#[query]` field implements `FromStr`, with an error that implements `Display`",
    note = "a `#[query]` field may be an `Option` of such a type"
)]
pub trait FromParam: Sized {
    /// Parses the text.
    ///
    /// # Errors
    /// What is wrong with it.
    fn from_param(text: &str) -> std::result::Result<Self, String>;
}

#[diagnostic::do_not_recommend]
impl<T: FromStr<Err: Display>> FromParam for T {
    fn from_param(text: &str) -> std::result::Result<Self, String> {
        text.parse().map_err(|error: T::Err| error.to_string())
    }
}

fn parse<T: FromParam>(name: &str, text: &str) -> Result<T> {
    T::from_param(text).map_err(|wrong| refused(name, "type", wrong))
}

fn refused(name: &str, rule: &'static str, message: String) -> Error {
    let detail = ErrorDetail { field: name.to_owned(), rule: rule.into(), message };
    Error::validation(format!("`{name}`: {}", detail.message)).with_details(vec![detail])
}

/// A field that can name the connection's user.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the `#[user]`",
    label = "this names no user",
    note = "the field marked `#[user]` is a `UserId` or an `Option<UserId>`"
)]
pub trait AsUserId {
    /// The user.
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
