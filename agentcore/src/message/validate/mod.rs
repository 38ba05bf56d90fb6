//! The rules of `#[validate(..)]`, and the report that collects the broken ones.
//!
//! Traits decide how a rule applies to a type: [`Length`] for `length`, [`Text`] for `regex`, `email` and `url`, and
//! [`Number`] for `range`. An application implements them for its own types.

mod nested;
mod report;
#[doc(hidden)]
pub mod rules;
mod values;

pub use regex::Regex;
pub(in crate::message) use report::MAX_TEXT;
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
