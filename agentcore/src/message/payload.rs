//! The traits of payloads and messages, and their description for the catalogue.

use schemars::{Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Overflow;
use super::validate::Validate;

/// The data of a message: a type with serde, rules and a schema.
///
/// Only `#[message]` implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message",
    label = "this type has no `#[message]`",
    note = "put `#[message(\"its_type\")]` on the struct, or `#[message]` if it is only a part of messages"
)]
pub trait Payload: Serialize + DeserializeOwned + schemars::JsonSchema + Validate + Send + Sync + 'static {
    /// The message type; `None` for a payload without a name of its own.
    const NAME: Option<&'static str>;

    /// Compiles the patterns of the payload's rules, so that the start reports invalid ones.
    ///
    /// # Errors
    /// A text for each invalid regular expression.
    fn check_rules() -> Result<(), Vec<String>> {
        Ok(())
    }
}

/// A payload with a name: it can be sent and returned.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent: it has no message type",
    label = "only a message with a name can be sent",
    note = "put `#[message(\"its_type\")]` on `{Self}`"
)]
pub trait Message: Payload {
    /// The message type, the `type` of the envelope.
    const TYPE: &'static str;

    /// Returns the policy for connections that do not read fast enough, as set by `overflow` of `#[message]`.
    fn overflow(&self) -> Overflow {
        Overflow::Disconnect
    }
}

/// A payload type as the catalogue describes it.
#[derive(Debug, Clone, Copy)]
pub struct Description {
    /// The message type; `None` for a payload without a name.
    pub name: Option<&'static str>,
    /// Returns the Rust type with its path.
    pub type_name: fn() -> &'static str,
    /// Generates the JSON Schema.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    /// See [`Payload::check_rules`].
    pub check_rules: fn() -> Result<(), Vec<String>>,
}

impl Description {
    /// Describes `P`.
    #[must_use]
    pub const fn of<P: Payload>() -> Self {
        Self {
            name: P::NAME,
            type_name: std::any::type_name::<P>,
            schema: SchemaGenerator::subschema_for::<P>,
            check_rules: P::check_rules,
        }
    }
}
