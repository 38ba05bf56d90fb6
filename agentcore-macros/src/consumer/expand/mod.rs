//! Turns the model into code. It cannot fail: every mistake has been reported before.

mod bounds;
mod consumer_struct;
mod dispatch;
mod fields;
mod handler_table;
mod handlers;

pub(super) use consumer_struct::consumer_struct;
pub(super) use handlers::handlers;
