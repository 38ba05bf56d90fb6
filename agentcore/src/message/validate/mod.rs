//! The rules of `#[validate(..)]`, and the report that collects the broken ones.
//!
//! What a rule means for a value is up to the traits here, never to the name of a type: an own type takes part in
//! `length` by implementing [`Length`], in `regex`, `email` and `url` by implementing [`Text`], in `range` by
//! implementing [`Number`].

mod nested;
mod report;
#[doc(hidden)]
pub mod rules;
mod values;

pub use regex::Regex;
pub use report::ValidationReport;
pub use rules::Pattern;
pub use values::{Length, Number, Size, Text};

/// Checks the rules of a value. `#[message]` implements it from `#[validate(..)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no rules of its own to check",
    label = "`nested` checks a type with `#[message]`, or an `Option`, a `Vec`, a `Box` or a map of one",
    note = "put `#[message]` on `{Self}`, or remove `nested`"
)]
pub trait Validate {
    /// Adds every broken rule to `report`.
    fn validate(&self, report: &mut ValidationReport);
}
