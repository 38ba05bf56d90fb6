//! From the model to code: one function for each part of the output.

mod impl_half;
mod struct_half;

pub(super) use impl_half::impl_half;
pub(super) use struct_half::struct_half;
