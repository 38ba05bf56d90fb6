//! Who a client is.

mod tokens;

pub(crate) use tokens::{LIFETIME, Tokens};
