//! Limits the size and depth of messages before their data are decoded.

use std::borrow::Cow;

use super::{Incoming, Middleware, Next, Reply, Start};
use crate::error::{Error, Result};

/// Refuses messages that are too big or nested too deeply with `VALIDATION_FAILED`, without decoding their data.
///
/// `WS_MAX_MESSAGE_SIZE`, the checks of the envelope and the rules of each payload apply in any case.
///
/// ```
/// use agentcore::middleware::{Chain, Validation};
///
/// let chain = Chain::new()
///     >> Validation::default().max_size(64 * 1024).max_data("typing", 200).max_depth(8);
/// # let _ = chain;
/// ```
///
/// # Errors at start
/// A limit is 0, or is for a message type that no consumer of the application handles.
#[derive(Debug, Clone)]
#[must_use = "it checks nothing outside a chain"]
pub struct Validation {
    max_size: Option<usize>,
    max_depth: usize,
    max_data: Vec<(Cow<'static, str>, usize)>,
}

/// The default limit on the nesting depth of data.
const DEFAULT_DEPTH: usize = 32;

impl Default for Validation {
    /// Allows 32 levels of nesting, and any size that the connection allows.
    fn default() -> Self {
        Self { max_size: None, max_depth: DEFAULT_DEPTH, max_data: Vec::new() }
    }
}

impl Validation {
    /// Limits the size of a whole message in bytes, including the envelope. A limit above `WS_MAX_MESSAGE_SIZE` has no
    /// effect: a message of that size closes its connection with 1009.
    pub fn max_size(mut self, bytes: usize) -> Self {
        self.max_size = Some(bytes);
        self
    }

    /// Limits the size of the `data` of one message type, in bytes.
    pub fn max_data(mut self, message_type: impl Into<Cow<'static, str>>, bytes: usize) -> Self {
        self.max_data.push((message_type.into(), bytes));
        self
    }

    /// Limits the nesting depth of objects and arrays in `data`; the default is 32. A payload can be decoded up to 127
    /// levels.
    pub fn max_depth(mut self, levels: usize) -> Self {
        self.max_depth = levels;
        self
    }

    fn refusal(&self, message: &Incoming<'_>) -> Option<Error> {
        let size = message.size();
        if let Some(max) = self.max_size.filter(|max| size > *max) {
            return Some(refuse("size", format!("a message has at most {max} bytes, this one has {size}")));
        }
        let (message_type, size) = (message.message_type(), message.data().len());
        let limit = self.max_data.iter().find(|(limited, max)| limited == message_type && size > *max);
        if let Some((message_type, max)) = limit {
            let text = format!("the data of `{message_type}` have at most {max} bytes, these have {size}");
            return Some(refuse("size", text));
        }
        let max = self.max_depth;
        let deep = message.data().is_deeper_than(max);
        deep.then(|| refuse("depth", format!("the data are nested more than {max} levels deep")))
    }
}

fn refuse(rule: &'static str, message: String) -> Error {
    Error::invalid_field("", rule, message)
}

impl Middleware for Validation {
    async fn handle<N: Next>(&self, message: Incoming<'_>, next: N) -> Result<Reply> {
        match self.refusal(&message) {
            Some(error) => Err(error),
            None => next.run(message).await,
        }
    }

    fn check(&self, start: &mut Start<'_>) {
        if self.max_size == Some(0) || self.max_data.iter().any(|(_, bytes)| *bytes == 0) {
            start.problem("`Validation` has a size limit of 0 bytes, which refuses every message");
        }
        if self.max_depth == 0 {
            start.problem("`Validation` has `.max_depth(0)`, but data are an object and so have at least 1 level");
        }
        let known: Vec<_> = start.handlers().map(|(_, handler)| handler.message_type).collect();
        for (message_type, _) in &self.max_data {
            if !known.contains(&&**message_type) {
                start.problem(format!(
                    "`Validation` limits the data of `{message_type}`, which no consumer handles; handled types: {}",
                    known.join(", ")
                ));
            }
        }
    }
}
