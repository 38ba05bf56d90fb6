//! The checks of `#[validate(..)]`.
//!
//! Every check is a call of a function in `rules` whose bound says what a value must be for the rule; the call stands
//! at the name of the rule, so that a rule on a wrong type is reported there.

use super::*;

/// The regular expressions that stand in the rules, in their order.
fn inline(message: &Message) -> impl Iterator<Item = &syn::LitStr> {
    let rules = message.shapes.iter().flat_map(|shape| &shape.fields).flat_map(|field| &field.rules);
    rules.filter_map(|rule| match &rule.check {
        Check::RegexPattern(pattern) => Some(pattern),
        _ => None,
    })
}

fn pattern_ident(index: usize) -> Ident {
    format_ident!("__AGENTCORE_PATTERN_{index}")
}

/// A static for each regular expression, which compiles it once.
pub(super) fn patterns(message: &Message) -> TokenStream {
    let private = message.paths.private();
    let statics = inline(message).enumerate().map(|(index, pattern)| {
        let name = pattern_ident(index);
        quote!(static #name: #private::rules::InlinePattern = #private::rules::InlinePattern::new(#pattern);)
    });
    quote!(#(#statics)*)
}

/// Reports patterns that are no regular expressions, at start.
pub(super) fn check_rules(message: &Message) -> Option<TokenStream> {
    let private = message.paths.private();
    let statics: Vec<Ident> = inline(message).enumerate().map(|(index, _)| pattern_ident(index)).collect();
    let name = message.item.ident.to_string();
    (!statics.is_empty()).then(|| {
        quote! {
            fn check_rules() -> ::core::result::Result<(), #private::Vec<#private::String>> {
                #private::rules::check_inline(#name, &[#(&#statics),*])
            }
        }
    })
}

/// `impl Validate`.
pub(super) fn validate(message: &Message) -> TokenStream {
    let private = message.paths.private();
    let ident = &message.item.ident;
    let mut patterns = (0..).map(pattern_ident);
    let body = match &message.item.data {
        Data::Enum(_) => {
            let arms: Vec<_> = message.shapes.iter().filter_map(|shape| arm(message, shape, &mut patterns)).collect();
            quote! {
                #[allow(unreachable_patterns)]
                match self {
                    #(#arms)*
                    _ => {}
                }
            }
        }
        _ => {
            let fields = message.shapes.iter().flat_map(|shape| &shape.fields);
            let value = |member: &syn::Member, span| {
                let member = respan(member, span);
                quote_spanned!(span=> &self.#member)
            };
            fields.map(|field| self::field(message, field, &value, &mut patterns)).collect()
        }
    };
    quote! {
        #[automatically_derived]
        impl #private::Validate for #ident {
            fn validate(&self, __agentcore_report: &mut #private::ValidationReport) {
                let _ = &__agentcore_report;
                #body
            }
        }
    }
}

/// The arm of a variant; `None` when its fields have no rules.
fn arm(message: &Message, shape: &Shape, patterns: &mut impl Iterator<Item = Ident>) -> Option<TokenStream> {
    let fields: Vec<&Field> = shape.fields.iter().filter(|field| !field.rules.is_empty()).collect();
    let variant = shape.variant.as_ref().filter(|_| !fields.is_empty())?;
    let name = |member: &syn::Member, span| match member {
        syn::Member::Named(ident) => format_ident!("__agentcore_{ident}", span = span),
        syn::Member::Unnamed(index) => format_ident!("__agentcore_{}", index.index, span = span),
    };
    let value = |member: &syn::Member, span| name(member, span).to_token_stream();
    let bound = fields.iter().map(|field| {
        let (member, name) = (&field.member, name(&field.member, Span::call_site()));
        quote!(#member: #name)
    });
    let mut checks: TokenStream = fields.iter().map(|field| self::field(message, field, &value, patterns)).collect();
    for key in shape.around.iter().rev() {
        checks = quote!(__agentcore_report.field(#key, |__agentcore_report| { #checks }););
    }
    Some(quote!(Self::#variant { #(#bound,)* .. } => { #checks }))
}

fn field(
    message: &Message,
    field: &Field,
    value: &dyn Fn(&syn::Member, Span) -> TokenStream,
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
            let span = rule.span();
            check(message, rule, &value(&field.member, span), pattern)
        })
        .collect();
    match &field.key {
        Some(key) => quote!(__agentcore_report.field(#key, |__agentcore_report| { #checks });),
        None => checks,
    }
}

/// The call that checks one rule.
fn check(message: &Message, rule: &Rule, value: &TokenStream, pattern: Option<Ident>) -> TokenStream {
    let span = rule.span();
    let private = message.paths.private_at(span);
    let report = Ident::new("__agentcore_report", Span::call_site());
    let text = option(rule.message.as_ref(), span);
    match &rule.check {
        Check::Length(Length { min, max, equal }) => {
            let [min, max, equal] = [min, max, equal].map(|bound| option(bound.as_ref(), span));
            let bounds = quote_spanned!(span=> #private::rules::LengthBounds { min: #min, max: #max, equal: #equal });
            quote_spanned!(span=> #private::rules::length(#value, #bounds, #text, #report);)
        }
        Check::Range(Range { min, max, exclusive_min, exclusive_max }) => {
            let [min, max, exclusive_min, exclusive_max] =
                [min, max, exclusive_min, exclusive_max].map(|bound| option(bound.as_ref(), span));
            let bounds = quote_spanned! {span=>
                #private::rules::RangeBounds {
                    min: #min, max: #max, exclusive_min: #exclusive_min, exclusive_max: #exclusive_max
                }
            };
            quote_spanned!(span=> #private::rules::range(#value, #bounds, #text, #report);)
        }
        Check::RegexPath(path) => quote_spanned!(span=> #private::rules::regex(#value, &#path, #text, #report);),
        Check::RegexPattern(_) => quote_spanned!(span=> #private::rules::regex(#value, &#pattern, #text, #report);),
        Check::Email => quote_spanned!(span=> #private::rules::email(#value, #text, #report);),
        Check::Url => quote_spanned!(span=> #private::rules::url(#value, #text, #report);),
        Check::Custom(function) => custom(&private, function, value, &report),
        Check::Nested => quote_spanned!(span=> #private::rules::nested(#value, #report);),
    }
}

/// The call goes through a closure, in which a `&String` becomes the `&str` that the function may take.
fn custom(private: &TokenStream, function: &syn::Path, value: &TokenStream, report: &Ident) -> TokenStream {
    let span = syn::spanned::Spanned::span(function);
    let argument = Ident::new("__agentcore_value", span);
    quote_spanned! {span=>
        {
            #[allow(unused_imports)]
            use #private::rules::CheckValue as _;
            #private::rules::Custom(#value).check(|#argument| #function(#argument), #report);
        }
    }
}

fn option(value: Option<&impl quote::ToTokens>, span: Span) -> TokenStream {
    match value {
        Some(value) => quote_spanned!(span=> ::core::option::Option::Some(#value)),
        None => quote_spanned!(span=> ::core::option::Option::None),
    }
}
