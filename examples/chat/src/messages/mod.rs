//! Everything that travels between clients and the chat. The attribute on a struct makes its schema, its checks and its
//! encoding; the name in it is the message's `type`.

mod events;
mod requests;

pub(crate) use events::*;
pub(crate) use requests::*;
