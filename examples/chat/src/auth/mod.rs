//! Authentication of users, and the key of programs that publish.

mod publish_key;
mod tokens;

pub(crate) use publish_key::PublishKey;
pub(crate) use tokens::{TOKEN_LIFETIME, Tokens};
