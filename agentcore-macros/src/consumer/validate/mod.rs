//! Checks the rules that involve more than one argument of `#[consumer]` and `#[on]`.

mod consumer_struct;
mod handlers;
mod route;
mod signature;

pub(super) use consumer_struct::consumer_struct;
pub(super) use handlers::handlers;
