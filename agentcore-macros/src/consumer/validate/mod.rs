//! The rules of consumers that need more than one argument.

mod handlers;
mod route;

pub(super) use handlers::{impl_half, plain, struct_half};
