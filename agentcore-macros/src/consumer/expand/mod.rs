//! From the model to code: one function for each part of the output.

mod consumer_struct;
mod handlers;

pub(super) use consumer_struct::struct_half;
pub(super) use handlers::impl_half;
