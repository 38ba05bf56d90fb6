//! How an error is logged: one event, one line, under the id that the client sees.

use super::context::Metadata;
use super::{Error, Severity, one_line};
use crate::id::{ConnectionId, UserId};

impl Error {
    /// Whether its severity asks for a line in the log.
    pub(crate) fn is_logged(&self) -> bool {
        self.severity() >= Severity::High
    }

    /// Logs it if its severity asks for it.
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
        // One event is one line: a user's name, an unknown type and the text of a panic may have more.
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
            metadata = (!context.metadata.is_empty()).then(|| tracing::field::display(Metadata(&context.metadata))),
            suppressed = (suppressed > 0).then_some(suppressed),
            "{}",
            one_line(&text),
        );
    }
}
