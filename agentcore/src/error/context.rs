//! The circumstances of an error, for the log and never for the client.

use std::borrow::Cow;
use std::fmt;

use super::{Error, one_line};
use crate::id::{ConnectionId, UserId};

/// The circumstances of an [`Error`].
///
/// Before an error is logged, the framework fills in the user, the connection and the message type if the application
/// has not set them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorContext {
    /// The user whose request failed.
    pub user: Option<UserId>,
    /// The connection of the request.
    pub connection: Option<ConnectionId>,
    /// The type of the message that was being handled.
    pub message_type: Option<Cow<'static, str>>,
    /// The part of the application that failed, such as `history`.
    pub component: Option<Cow<'static, str>>,
    /// Further facts that help to find the cause, in the order in which they were added.
    pub metadata: Vec<(Cow<'static, str>, String)>,
}

impl ErrorContext {
    /// The context of errors without one.
    pub(super) const NONE: &'static Self =
        &Self { user: None, connection: None, message_type: None, component: None, metadata: Vec::new() };

    /// Sets the fields that are not set yet.
    pub(super) fn fill(&mut self, connection: ConnectionId, user: &UserId, message_type: Option<&str>) {
        self.connection.get_or_insert(connection);
        self.user.get_or_insert_with(|| user.clone());
        if self.message_type.is_none() {
            self.message_type = message_type.map(|text| Cow::Owned(text.to_owned()));
        }
    }
}

impl Error {
    /// Sets the user whose request failed.
    #[must_use]
    pub fn with_user(mut self, user: UserId) -> Self {
        self.context_mut().user = Some(user);
        self
    }

    /// Sets the connection of the request.
    #[must_use]
    pub fn with_connection(mut self, connection: ConnectionId) -> Self {
        self.context_mut().connection = Some(connection);
        self
    }

    /// Sets the type of the message that was being handled.
    #[must_use]
    pub fn with_message_type(mut self, message_type: impl Into<Cow<'static, str>>) -> Self {
        self.context_mut().message_type = Some(message_type.into());
        self
    }

    /// Sets the part of the application that failed, such as `history`.
    #[must_use]
    pub fn with_component(mut self, component: impl Into<Cow<'static, str>>) -> Self {
        self.context_mut().component = Some(component.into());
        self
    }

    /// Adds a fact that helps to find the cause. It is logged, and the client does not see it.
    #[must_use]
    pub fn with_metadata(mut self, key: impl Into<Cow<'static, str>>, value: impl fmt::Display) -> Self {
        self.context_mut().metadata.push((key.into(), value.to_string()));
        self
    }

    /// Returns the circumstances that are known.
    #[must_use]
    pub fn context(&self) -> &ErrorContext {
        self.0.context.as_deref().unwrap_or(ErrorContext::NONE)
    }

    pub(super) fn context_mut(&mut self) -> &mut ErrorContext {
        self.0.context.get_or_insert_default()
    }
}

/// Formats metadata as one line, `key=value key=value`.
pub(super) struct MetadataLine<'a>(pub(super) &'a [(Cow<'static, str>, String)]);

impl fmt::Display for MetadataLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (key, value)) in self.0.iter().enumerate() {
            let space = if at == 0 { "" } else { " " };
            write!(f, "{space}{}={}", one_line(key), one_line(value))?;
        }
        Ok(())
    }
}
