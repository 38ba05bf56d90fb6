//! Who a client is, and whether another program may publish.

mod publish_key;
mod tokens;

pub(crate) use publish_key::PublishKey;
pub(crate) use tokens::{TOKEN_LIFETIME, Tokens};
