//! From tokens to the model.

mod impl_block;
pub(crate) mod on;

pub(super) use impl_block::{Block, impl_half, is_impl, struct_half};
