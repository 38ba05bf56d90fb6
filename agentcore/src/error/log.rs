//! Logs an error as one event on one line, with the id that the client sees.

use super::context::MetadataLine;
use super::{Error, Severity, one_line};
use crate::id::{ConnectionId, UserId};

impl Error {
    /// Returns whether the severity is high enough to log the error.
    pub(crate) fn is_logged(&self) -> bool {
        self.severity() >= Severity::High
    }

    /// Logs the error if its severity is high enough.
    pub(crate) fn log(&self) {
        self.log_after(0);
    }

    /// Logs the error with its connection, user and message type. `suppressed` is the number of errors of the same kind
    /// that were not logged since the last one.
    pub(crate) fn log_of(
        &mut self,
        connection: ConnectionId,
        user: &UserId,
        message_type: Option<&str>,
        suppressed: u64,
    ) {
        if self.is_logged() {
            self.context_mut().fill(connection, user, message_type);
            self.log_after(suppressed);
        }
    }

    fn log_after(&self, suppressed: u64) {
        if !self.is_logged() {
            return;
        }
        let context = self.context();
        // Each log event is one line; a message type, a user id or the text of a panic may contain line breaks.
        let text = format!("{self:?}");
        tracing::error!(
            error_id = %self.id(),
            code = self.code(),
            category = %self.category(),
            severity = %self.severity(),
            connection = context.connection.map(tracing::field::display),
            user = context.user.as_ref().map(|user| tracing::field::display(one_line(user.as_str()))),
            message_type = context.message_type.as_deref().map(|text| tracing::field::display(one_line(text))),
            component = context.component.as_deref().map(|text| tracing::field::display(one_line(text))),
            metadata = (!context.metadata.is_empty()).then(|| tracing::field::display(MetadataLine(&context.metadata))),
            suppressed = (suppressed > 0).then_some(suppressed),
            "{}",
            one_line(&text),
        );
    }
}
