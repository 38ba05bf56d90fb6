//! Expands the rules of `#[validate(..)]` into the arguments of `#[schemars(..)]`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Expr, ExprLit, Lit, LitInt, parse_quote};

use crate::message::model::{Check, Length, Range, Rule};

/// Returns the arguments for a rule; `None` for a rule that a JSON Schema cannot express.
pub(super) fn schema_rule(private: &TokenStream, rule: &Rule) -> Option<TokenStream> {
    let span = rule.span();
    match &rule.check {
        Check::Length(length) => Some(length_rule(length, span)),
        Check::Range(range) => Some(range_rule(range, span)),
        Check::RegexPath(path) => Some(quote_spanned!(span=> regex(pattern = #private::rules::Pattern::text(&#path)))),
        Check::RegexPattern(pattern) => Some(quote_spanned!(span=> regex(pattern = #pattern))),
        Check::Email => Some(quote_spanned!(span=> email)),
        Check::Url => Some(quote_spanned!(span=> url)),
        Check::Custom(_) | Check::Nested => None,
    }
}

fn length_rule(Length { min, max, equal }: &Length, span: Span) -> TokenStream {
    let bounds = bounds([("min", min), ("max", max), ("equal", equal)], span);
    quote_spanned!(span=> length(#(#bounds),*))
}

/// schemars has no exclusive bounds, so they are set in the schema itself.
fn range_rule(Range { min, max, exclusive_min, exclusive_max }: &Range, span: Span) -> TokenStream {
    let bounds = bounds([("min", min), ("max", max)], span);
    let range = (!bounds.is_empty()).then(|| quote_spanned!(span=> range(#(#bounds),*)));
    let exclusive = [("exclusiveMinimum", exclusive_min), ("exclusiveMaximum", exclusive_max)]
        .into_iter()
        .filter_map(|(key, bound)| bound.as_ref().map(|bound| (key, with_suffix(bound))))
        .map(|(key, bound)| quote_spanned!(span=> extend(#key = #bound)));
    let arguments = range.into_iter().chain(exclusive);
    quote!(#(#arguments),*)
}

fn bounds<const N: usize>(bounds: [(&str, &Option<Expr>); N], span: Span) -> Vec<TokenStream> {
    let given = bounds.into_iter().filter_map(|(name, bound)| bound.as_ref().map(|bound| (name, bound)));
    given
        .map(|(name, bound)| {
            let name = Ident::new(name, span);
            let bound = with_suffix(bound);
            quote_spanned!(span=> #name = #bound)
        })
        .collect()
}

/// Adds a type suffix to an integer literal. The schema does not know the field's type, and a large literal without a
/// suffix would not fit into an `i32`.
fn with_suffix(bound: &Expr) -> Expr {
    match bound {
        Expr::Lit(ExprLit { lit: Lit::Int(int), .. }) if int.suffix().is_empty() => {
            let suffix = if int.base10_parse::<i64>().is_ok() { "i64" } else { "u64" };
            let int = LitInt::new(&format!("{}{suffix}", int.base10_digits()), int.span());
            parse_quote!(#int)
        }
        Expr::Unary(unary) => {
            let mut unary = unary.clone();
            *unary.expr = with_suffix(&unary.expr);
            Expr::Unary(unary)
        }
        other => other.clone(),
    }
}
