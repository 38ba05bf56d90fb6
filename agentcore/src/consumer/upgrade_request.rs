//! The values from which a consumer is built: path and query parameters, and the application's states.

use std::any::TypeId;

use crate::error::{Error, Result};
use crate::state::States;

/// The parameters of one upgrade request, and the states of the application.
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

    /// Returns the value of `{name}` in the path of the consumer, percent-decoded.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<&str> {
        // A router of the application around this one may have a parameter of the same name; it comes first.
        self.path.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns the first value of `name` in the query, percent-decoded.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns the application's state of type `T`.
    ///
    /// # Errors
    /// `INTERNAL_ERROR` when there is none. The application checks at start that there is one.
    pub fn state<T: Clone + Send + Sync + 'static>(&self) -> Result<T> {
        self.states
            .get::<T>()
            .ok_or_else(|| Error::internal(format!("no state of type `{}`", std::any::type_name::<T>())))
    }
}

/// The type of a `#[state]` field, which the application must have registered.
#[derive(Debug, Clone, Copy)]
pub struct RequiredState {
    /// The type.
    pub type_id: TypeId,
    /// The name of the type, for the error.
    pub type_name: &'static str,
}

impl RequiredState {
    /// Describes a field of type `T`.
    #[must_use]
    pub fn of<T: Clone + Send + Sync + 'static>() -> Self {
        Self { type_id: TypeId::of::<T>(), type_name: std::any::type_name::<T>() }
    }
}
