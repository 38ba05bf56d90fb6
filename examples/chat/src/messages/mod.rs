//! The messages between clients and the chat. The `#[message]` attribute generates the schema, validation and encoding
//! of a struct; its argument is the message's `type`.

mod events;
mod requests;

pub(crate) use events::*;
pub(crate) use requests::*;
