//! Turns the tokens of `#[consumer]` and `#[on]` into the model.

mod consumer_impl;
mod consumer_struct;
mod limits;
mod on;

pub(super) use consumer_impl::{ImplBlock, consumer_impl, is_impl_block};
pub(super) use consumer_struct::consumer_struct;
