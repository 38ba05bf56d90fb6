//! Expands the rules of `#[validate(..)]` into `impl Validate`.
//!
//! Each rule becomes a call of a function in `rules`, whose bound states which types the rule can check. The call has
//! the span of the rule's name, so the compiler reports a rule on a wrong type there.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Data, LitStr, Member, Path};

use crate::crate_path::respan;
use crate::message::model::{Check, FieldGroup, Length, Message, MessageField, Range, Rule};

/// Returns one static for each inline pattern, which compiles the pattern once.
pub(super) fn patterns(message: &Message) -> TokenStream {
    let statics = inline_patterns(message).enumerate().map(|(index, pattern)| {
        let name = pattern_ident(index);
        quote!(static #name: __agentcore::rules::InlinePattern = __agentcore::rules::InlinePattern::new(#pattern);)
    });
    quote!(#(#statics)*)
}

/// Returns the method `check_rules()`, which reports invalid patterns when the application starts.
pub(super) fn check_rules(message: &Message) -> Option<TokenStream> {
    let statics: Vec<Ident> = inline_patterns(message).enumerate().map(|(index, _)| pattern_ident(index)).collect();
    let name = message.item.ident.to_string();
    (!statics.is_empty()).then(|| {
        quote! {
            fn check_rules() -> __agentcore::Result<(), __agentcore::Vec<__agentcore::String>> {
                __agentcore::rules::check_inline(#name, &[#(&#statics),*])
            }
        }
    })
}

/// Returns `impl Validate`.
pub(super) fn impl_validate(message: &Message) -> TokenStream {
    let ident = &message.item.ident;
    let body = match &message.item.data {
        Data::Enum(_) => match_variants(message),
        _ => check_fields(message),
    };
    quote! {
        #[automatically_derived]
        impl __agentcore::Validate for #ident {
            fn validate(&self, __agentcore_report: &mut __agentcore::ValidationReport) {
                #body
            }
        }
    }
}

/// Returns the inline patterns of all rules, in source order.
fn inline_patterns(message: &Message) -> impl Iterator<Item = &LitStr> {
    message.fields().flat_map(|field| &field.rules).filter_map(|rule| match &rule.check {
        Check::RegexPattern(pattern) => Some(pattern),
        _ => None,
    })
}

fn pattern_ident(index: usize) -> Ident {
    format_ident!("__AGENTCORE_PATTERN_{index}")
}

fn check_fields(message: &Message) -> TokenStream {
    let mut patterns = (0..).map(pattern_ident);
    let value = |member: &Member, span| {
        let member = respan(member, span);
        quote_spanned!(span=> &self.#member)
    };
    message.fields().map(|field| field_checks(field, &value, &mut patterns)).collect()
}

fn match_variants(message: &Message) -> TokenStream {
    let mut patterns = (0..).map(pattern_ident);
    let groups = message.field_groups.iter();
    let arms: Vec<_> = groups.filter_map(|group| variant_arm(group, &mut patterns)).collect();
    quote! {
        #[allow(unreachable_patterns)]
        match self {
            #(#arms)*
            _ => {}
        }
    }
}

/// Returns the arm of a variant; `None` when its fields have no rules.
fn variant_arm(group: &FieldGroup, patterns: &mut impl Iterator<Item = Ident>) -> Option<TokenStream> {
    let fields: Vec<&MessageField> = group.fields.iter().filter(|field| !field.rules.is_empty()).collect();
    let variant = group.variant.as_ref().filter(|_| !fields.is_empty())?;
    let name = |member: &Member, span| match member {
        Member::Named(ident) => format_ident!("__agentcore_{ident}", span = span),
        Member::Unnamed(index) => format_ident!("__agentcore_{}", index.index, span = span),
    };
    let value = |member: &Member, span| name(member, span).to_token_stream();
    let bindings = fields.iter().map(|field| {
        let (member, name) = (&field.member, name(&field.member, Span::call_site()));
        quote!(#member: #name)
    });
    let mut checks: TokenStream = fields.iter().map(|field| field_checks(field, &value, patterns)).collect();
    for key in group.outer_keys.iter().rev() {
        checks = quote!(__agentcore_report.field(#key, |__agentcore_report| { #checks }););
    }
    Some(quote!(Self::#variant { #(#bindings,)* .. } => { #checks }))
}

fn field_checks(
    field: &MessageField,
    value: &dyn Fn(&Member, Span) -> TokenStream,
    patterns: &mut impl Iterator<Item = Ident>,
) -> TokenStream {
    if field.rules.is_empty() {
        return TokenStream::new();
    }
    let checks: TokenStream = field
        .rules
        .iter()
        .map(|rule| {
            let pattern = matches!(rule.check, Check::RegexPattern(_)).then(|| patterns.next()).flatten();
            check(rule, &value(&field.member, rule.span()), pattern)
        })
        .collect();
    match &field.key {
        Some(key) => quote!(__agentcore_report.field(#key, |__agentcore_report| { #checks });),
        None => checks,
    }
}

/// Returns the call that checks one rule.
fn check(rule: &Rule, value: &TokenStream, pattern: Option<Ident>) -> TokenStream {
    let span = rule.span();
    let report = Ident::new("__agentcore_report", Span::call_site());
    let text = option(rule.message.as_ref());
    match &rule.check {
        Check::Length(length) => {
            let bounds = length_bounds(length, span);
            quote_spanned!(span=> __agentcore::rules::length(#value, #bounds, #text, #report);)
        }
        Check::Range(range) => {
            let bounds = range_bounds(range, span);
            quote_spanned!(span=> __agentcore::rules::range(#value, #bounds, #text, #report);)
        }
        Check::RegexPath(path) => quote_spanned!(span=> __agentcore::rules::regex(#value, &#path, #text, #report);),
        Check::RegexPattern(_) => quote_spanned!(span=> __agentcore::rules::regex(#value, &#pattern, #text, #report);),
        Check::Email => quote_spanned!(span=> __agentcore::rules::email(#value, #text, #report);),
        Check::Url => quote_spanned!(span=> __agentcore::rules::url(#value, #text, #report);),
        Check::Custom(function) => custom(function, value, &report),
        Check::Nested => quote_spanned!(span=> __agentcore::rules::nested(#value, #report);),
    }
}

fn length_bounds(length: &Length, span: Span) -> TokenStream {
    let [min, max, equal] = [&length.min, &length.max, &length.equal].map(|bound| option(bound.as_ref()));
    quote_spanned!(span=> __agentcore::rules::LengthBounds { min: #min, max: #max, equal: #equal })
}

fn range_bounds(range: &Range, span: Span) -> TokenStream {
    let [min, max, exclusive_min, exclusive_max] =
        [&range.min, &range.max, &range.exclusive_min, &range.exclusive_max].map(|bound| option(bound.as_ref()));
    quote_spanned! {span=>
        __agentcore::rules::RangeBounds {
            min: #min, max: #max, exclusive_min: #exclusive_min, exclusive_max: #exclusive_max
        }
    }
}

/// Returns the call of a custom function. It is in a closure, where a `&String` coerces to the `&str` that the function
/// may take.
fn custom(function: &Path, value: &TokenStream, report: &Ident) -> TokenStream {
    let span = function.span();
    let argument = Ident::new("__agentcore_value", span);
    quote_spanned! {span=>
        {
            #[allow(unused_imports)]
            use __agentcore::rules::CheckValue as _;
            __agentcore::rules::Custom(#value).check(|#argument| #function(#argument), #report);
        }
    }
}

/// The tokens of `Some` and `None` have no user's span: a lint must not report them in the user's code.
fn option(value: Option<&impl ToTokens>) -> TokenStream {
    match value {
        Some(value) => quote!(__agentcore::Some(#value)),
        None => quote!(__agentcore::None),
    }
}
