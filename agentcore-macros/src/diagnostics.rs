//! How errors are written and collected.
//!
//! A diagnostic stands on the smallest token to change. Its first line says what is wrong; `help:` lines say what to
//! type, `note:` lines why.

use std::fmt::{Display, Write as _};

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;

/// One mistake, on the user's token.
#[must_use]
pub(crate) struct Diagnostic {
    at: TokenStream,
    text: String,
}

impl Diagnostic {
    /// Says what is wrong with `at`.
    pub(crate) fn new(at: impl ToTokens, what: impl Display) -> Self {
        Self { at: at.to_token_stream(), text: what.to_string() }
    }

    /// Says what is wrong where there is no token but a place.
    pub(crate) fn at(span: Span, what: impl Display) -> Self {
        Self::new(Ident::new("_x", span), what)
    }

    /// `$name` is none of a closed set; `what` is such as "`#[on]` argument".
    pub(crate) fn unknown(name: &Ident, what: &str, expected: &[&str]) -> Self {
        let mut diagnostic = Self::new(name, format_args!("unknown {what} `{name}`"));
        if let Some(meant) = closest(&name.to_string(), expected) {
            diagnostic = diagnostic.help(format_args!("did you mean `{meant}`?"));
        }
        diagnostic.note(format_args!("expected {}", one_of(expected)))
    }

    /// Adds what to type.
    pub(crate) fn help(self, text: impl Display) -> Self {
        self.line("help", text)
    }

    /// Adds why.
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
        Self::new_spanned(diagnostic.at, diagnostic.text)
    }
}

/// Everything that is wrong with one item, in the order it was found.
#[derive(Default)]
#[must_use]
pub(crate) struct Errors(Vec<syn::Error>);

impl Errors {
    /// Adds one mistake.
    pub(crate) fn push(&mut self, error: impl Into<syn::Error>) {
        self.0.push(error.into());
    }

    /// Keeps the value, or the mistake.
    pub(crate) fn check<T, E: Into<syn::Error>>(&mut self, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// How many there are so far: a later, larger number says that something was wrong in between.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// One `compile_error!` for each mistake.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.0.iter().map(syn::Error::to_compile_error).collect()
    }
}

/// The item as it came, and what is wrong with it: for an item of which nothing can be understood.
pub(crate) fn refuse(item: &TokenStream, error: impl Into<syn::Error>) -> TokenStream {
    let mut tokens = item.clone();
    tokens.extend(error.into().to_compile_error());
    tokens
}

/// Lists a closed set: "`a`", or "one of `a`, `b`".
fn one_of(names: &[&str]) -> String {
    match names {
        [only] => format!("`{only}`"),
        _ => format!("one of {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    }
}

/// The name of `names` that `name` was probably meant to be.
fn closest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    let distances = names.iter().map(|candidate| (distance(name, candidate), *candidate));
    let (edits, candidate) = distances.min()?;
    let allowed = candidate.chars().count().div_ceil(3);
    let extended = || names.iter().copied().find(|candidate| candidate.len() > 2 && name.starts_with(candidate));
    if edits <= allowed { Some(candidate) } else { extended() }
}

/// How many characters to insert, remove, replace or swap with their neighbour to get from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let mut last = None;
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - 1);
            let replaced = at(&row, j) + usize::from(x != *y);
            let mut best = replaced.min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            if j > 0 && last == Some(*y) && b.get(j - 1) == Some(&x) {
                best = best.min(at(&before, j - 1) + 1);
            }
            next.push(best);
        }
        last = Some(x);
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_miss_is_recognized() {
        assert_eq!(closest("rate_limt", &["rate_limit", "timeout", "cancel_safe"]), Some("rate_limit"));
        assert_eq!(closest("lenght", &["length", "range"]), Some("length"));
        assert_eq!(closest("conect", &["connect", "disconnect"]), Some("connect"));
        assert_eq!(closest("minimum", &["min", "max"]), Some("min"));
        assert_eq!(closest("required", &["length", "range", "url"]), None);
    }

    #[test]
    fn a_swap_is_one_edit() {
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
    }
}
