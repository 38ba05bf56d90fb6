//! Compile errors: their form, and the list of all errors of one item.
//!
//! A diagnostic points at the smallest token to change. Its first line states the mistake; a `help:` line states what
//! to type, a `note:` line states the reason.

mod similar;

use std::fmt::{Display, Write as _};

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use syn::Type;
use syn::spanned::Spanned as _;

use self::similar::most_similar;

/// One mistake, at the user's token.
#[must_use]
pub(crate) struct Diagnostic {
    tokens: TokenStream,
    text: String,
}

impl Diagnostic {
    /// Reports a mistake in `tokens`.
    pub(crate) fn new(tokens: impl ToTokens, text: impl Display) -> Self {
        Self { tokens: tokens.to_token_stream(), text: text.to_string() }
    }

    /// Reports a mistake at `span`, for a mistake without a token in the model.
    pub(crate) fn at(span: Span, text: impl Display) -> Self {
        Self::new(Ident::new("_x", span), text)
    }

    /// Reports that `name` is not in a closed set. `kind` names the set, such as "`#[on]` argument".
    pub(crate) fn unknown(name: &Ident, kind: &str, expected: &[&str]) -> Self {
        let mut diagnostic = Self::new(name, format_args!("unknown {kind} `{name}`"));
        if let Some(similar) = most_similar(&name.to_string(), expected) {
            diagnostic = diagnostic.help(format_args!("did you mean `{similar}`?"));
        }
        diagnostic.note(format_args!("expected {}", one_of(expected)))
    }

    /// Adds a line that states what to type.
    pub(crate) fn help(self, text: impl Display) -> Self {
        self.line("help", text)
    }

    /// Adds a line that states the reason.
    pub(crate) fn note(self, text: impl Display) -> Self {
        self.line("note", text)
    }

    fn line(mut self, kind: &str, text: impl Display) -> Self {
        // Writing to a String cannot fail.
        let _ = write!(self.text, "\n{kind}: {text}");
        self
    }
}

impl From<Diagnostic> for syn::Error {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::new_spanned(diagnostic.tokens, diagnostic.text)
    }
}

/// All errors of one item, in the order in which they were found.
///
/// In debug builds, dropping it without [`into_tokens`](Self::into_tokens) panics: the errors would be lost, and the
/// macro would accept an item that it has found to be wrong.
#[must_use]
pub(crate) struct Errors {
    found: Vec<syn::Error>,
    reported: bool,
}

impl Errors {
    pub(crate) fn new() -> Self {
        Self { found: Vec::new(), reported: false }
    }

    /// Adds an error.
    pub(crate) fn push(&mut self, error: impl Into<syn::Error>) {
        self.found.push(error.into());
    }

    /// Returns the value, or adds the error and returns `None`.
    pub(crate) fn check<T, E: Into<syn::Error>>(&mut self, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// Returns the number of errors so far. A caller compares two counts to learn whether a step has failed.
    pub(crate) fn count(&self) -> usize {
        self.found.len()
    }

    /// Returns one `compile_error!` for each error.
    pub(crate) fn into_tokens(mut self) -> TokenStream {
        self.reported = true;
        self.found.iter().map(syn::Error::to_compile_error).collect()
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        // A panic of its own must stay the one that is reported.
        debug_assert!(self.reported || std::thread::panicking(), "the errors of an item were dropped unreported");
    }
}

/// Returns the item as the user wrote it, with the error, for an item that cannot be parsed.
pub(crate) fn refuse(item: &TokenStream, error: impl Into<syn::Error>) -> TokenStream {
    let mut tokens = item.clone();
    tokens.extend(error.into().to_compile_error());
    tokens
}

/// Returns a type as the user wrote it, or with the spaces between its tokens when the source is not available.
pub(crate) fn source_text(ty: &Type) -> String {
    let source = ty.span().source_text();
    source.unwrap_or_else(|| ty.to_token_stream().to_string())
}

/// Lists a closed set: "`a`", or "one of `a`, `b`".
fn one_of(names: &[&str]) -> String {
    match names {
        [only] => format!("`{only}`"),
        _ => format!("one of {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reported_error_becomes_a_compile_error() {
        let mut errors = Errors::new();
        errors.push(Diagnostic::at(Span::call_site(), "first"));
        errors.push(Diagnostic::at(Span::call_site(), "second"));
        assert_eq!(errors.count(), 2);
        assert_eq!(errors.into_tokens().to_string().matches("compile_error").count(), 2);
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "the errors of an item were dropped unreported")]
    fn errors_that_are_dropped_unreported_panic() {
        let mut errors = Errors::new();
        errors.push(Diagnostic::at(Span::call_site(), "lost"));
    }

    #[test]
    #[expect(clippy::panic, reason = "the test needs a panic")]
    #[should_panic(expected = "another failure")]
    fn errors_that_are_dropped_by_a_panic_do_not_panic_again() {
        let _errors = Errors::new();
        panic!("another failure");
    }
}
