//! From the model to code: one function for each part of the output.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::{Data, DeriveInput, Expr, ExprLit, Fields, Ident, Lit, LitInt, Meta, parse_quote};

use super::model::{Check, Field, Length, Message, Range, Rule, Shape};
use super::parse::overflow;
use super::parse::serde_keys::has_rename;
use super::validate::{check_type_name, derives_of, is_ours};
use crate::crate_path::respan;

mod validate_impl;

/// The item without our attributes, and nothing else.
pub(super) fn item_only(message: &Message) -> TokenStream {
    message.item.to_token_stream()
}

/// The item and its impls.
pub(super) fn message(message: &Message) -> TokenStream {
    let (item, shape) = match &message.item.data {
        Data::Struct(data) if matches!(data.fields, Fields::Unit) => unit(message),
        _ => (derived(message), TokenStream::new()),
    };
    let patterns = validate_impl::patterns(message);
    let validate = validate_impl::validate(message);
    let payload = payload(message);
    let entry = entry(message);
    quote! {
        #item
        const _: () = {
            #shape
            #patterns
            #validate
            #payload
            #entry
        };
    }
}

/// The item with the derives, and with the rules as schemars takes them.
fn derived(message: &Message) -> TokenStream {
    let mut item = without_our_derives(&message.item);
    let derive = derive_attributes(message);
    item.attrs.splice(0..0, derive);
    let all: Vec<&mut Fields> = match &mut item.data {
        Data::Struct(data) => vec![&mut data.fields],
        Data::Enum(data) => data.variants.iter_mut().map(|variant| &mut variant.fields).collect(),
        Data::Union(_) => Vec::new(),
    };
    for (fields, shape) in all.into_iter().zip(&message.shapes) {
        for (field, Field { rules, .. }) in fields.iter_mut().zip(&shape.fields) {
            let schema: Vec<TokenStream> = rules.iter().filter_map(|rule| schema_rule(message, rule)).collect();
            if !schema.is_empty() {
                field.attrs.push(parse_quote!(#[schemars(#(#schema),*)]));
            }
        }
    }
    item.to_token_stream()
}

fn derive_attributes(message: &Message) -> [syn::Attribute; 3] {
    let private = message.paths.private();
    let serde = quote!(#private::serde).to_string();
    let schemars = quote!(#private::schemars).to_string();
    [
        parse_quote!(#[derive(#private::serde::Serialize, #private::serde::Deserialize, #private::schemars::JsonSchema)]),
        parse_quote!(#[serde(crate = #serde)]),
        parse_quote!(#[schemars(crate = #schemars)]),
    ]
}

/// A user's `derive(Serialize)` was reported; with it, rustc would report the double impl again.
fn without_our_derives(item: &DeriveInput) -> DeriveInput {
    let mut item = item.clone();
    for attr in &mut item.attrs {
        if let Some(derives) = derives_of(&attr.meta)
            && derives.iter().any(is_ours)
            && let Meta::List(list) = &mut attr.meta
        {
            let kept = derives.iter().filter(|path| !is_ours(path));
            list.tokens = quote!(#(#kept),*);
        }
    }
    item
}

/// A unit struct, which serde would write as null: it travels as the struct without fields that stands in for it.
fn unit(message: &Message) -> (TokenStream, TokenStream) {
    let mut item = without_our_derives(&message.item);
    let is_schema = |attr: &syn::Attribute| attr.path().is_ident("serde") || attr.path().is_ident("schemars");
    let mut passed: Vec<_> = item.attrs.extract_if(.., |attr| is_schema(attr)).collect();
    passed.extend(item.attrs.iter().filter(|attr| attr.path().is_ident("doc")).cloned());
    let private = message.paths.private();
    let derive = derive_attributes(message);
    let ident = &item.ident;
    let name = ident.to_string();
    let rename = (!has_rename(&passed)).then(|| quote!(#[serde(rename = #name)]));
    let shape = quote! {
        #(#derive)*
        #rename
        #(#passed)*
        struct __AgentcoreShape {}

        #[automatically_derived]
        impl #private::serde::Serialize for #ident {
            fn serialize<__S: #private::serde::Serializer>(&self, serializer: __S) -> ::core::result::Result<__S::Ok, __S::Error> {
                #private::serde::Serialize::serialize(&__AgentcoreShape {}, serializer)
            }
        }
    };
    let read = unit_read(message);
    (item.to_token_stream(), quote!(#shape #read))
}

fn unit_read(message: &Message) -> TokenStream {
    let private = message.paths.private();
    let ident = &message.item.ident;
    quote! {
        #[automatically_derived]
        impl<'de> #private::serde::Deserialize<'de> for #ident {
            fn deserialize<__D: #private::serde::Deserializer<'de>>(deserializer: __D) -> ::core::result::Result<Self, __D::Error> {
                let __AgentcoreShape {} = #private::serde::Deserialize::deserialize(deserializer)?;
                ::core::result::Result::Ok(#ident)
            }
        }

        #[automatically_derived]
        impl #private::schemars::JsonSchema for #ident {
            fn schema_name() -> #private::Cow<'static, str> {
                <__AgentcoreShape as #private::schemars::JsonSchema>::schema_name()
            }
            fn schema_id() -> #private::Cow<'static, str> {
                #private::Cow::Borrowed(::core::concat!(::core::module_path!(), "::", ::core::stringify!(#ident)))
            }
            fn json_schema(generator: &mut #private::schemars::SchemaGenerator) -> #private::schemars::Schema {
                <__AgentcoreShape as #private::schemars::JsonSchema>::json_schema(generator)
            }
        }
    }
}

fn payload(message: &Message) -> TokenStream {
    let private = message.paths.private();
    let ident = &message.item.ident;
    // A name that was refused is left out: the handlers that name it otherwise are not wrong as well.
    let name = match message.name.iter().find(|name| check_type_name(name).is_ok()) {
        Some(name) => quote!(::core::option::Option::Some(#name)),
        None => quote!(::core::option::Option::None),
    };
    let check_rules = validate_impl::check_rules(message);
    let overflow = overflow::expand(message);
    let named = message.name.as_ref().map(|name| {
        quote! {
            #[automatically_derived]
            impl #private::Message for #ident {
                const TYPE: &'static str = #name;
                #overflow
            }
        }
    });
    quote! {
        #[automatically_derived]
        impl #private::Payload for #ident {
            const NAME: ::core::option::Option<&'static str> = #name;
            #check_rules
        }
        #named
    }
}

fn entry(message: &Message) -> TokenStream {
    let private = message.paths.private();
    let ident = &message.item.ident;
    quote! {
        #private::inventory::submit! {
            #private::MessageEntry {
                description: #private::Description::of::<#ident>(),
                module_path: ::core::module_path!(),
            }
        }
    }
}

/// The rule as an argument of `#[schemars(..)]`; `None` for one that a schema cannot say.
fn schema_rule(message: &Message, rule: &Rule) -> Option<TokenStream> {
    let span = rule.span();
    let private = message.paths.private();
    match &rule.check {
        Check::Length(Length { min, max, equal }) => {
            let bounds = bounds([("min", min), ("max", max), ("equal", equal)], span);
            Some(quote_spanned!(span=> length(#(#bounds),*)))
        }
        Check::Range(Range { min, max, exclusive_min, exclusive_max }) => {
            let bounds = bounds([("min", min), ("max", max)], span);
            let extend = [("exclusiveMinimum", exclusive_min), ("exclusiveMaximum", exclusive_max)]
                .into_iter()
                .filter_map(|(key, bound)| bound.as_ref().map(|bound| (key, sized(bound))))
                .map(|(key, bound)| quote_spanned!(span=> extend(#key = #bound)));
            let range = (!bounds.is_empty()).then(|| quote_spanned!(span=> range(#(#bounds),*)));
            let parts = range.into_iter().chain(extend);
            Some(quote!(#(#parts),*))
        }
        Check::RegexPath(path) => Some(quote_spanned!(span=> regex(pattern = #private::rules::Pattern::text(&#path)))),
        Check::RegexPattern(pattern) => Some(quote_spanned!(span=> regex(pattern = #pattern))),
        Check::Email => Some(quote_spanned!(span=> email)),
        Check::Url => Some(quote_spanned!(span=> url)),
        Check::Custom(_) | Check::Nested => None,
    }
}

fn bounds<const N: usize>(bounds: [(&str, &Option<Expr>); N], span: Span) -> Vec<TokenStream> {
    let some = bounds.into_iter().filter_map(|(name, bound)| bound.as_ref().map(|bound| (name, bound)));
    some.map(|(name, bound)| {
        let name = Ident::new(name, span);
        let bound = sized(bound);
        quote_spanned!(span=> #name = #bound)
    })
    .collect()
}

/// A bound where no field says its type: without a suffix, a large literal would not fit into an `i32`.
fn sized(bound: &Expr) -> Expr {
    match bound {
        Expr::Lit(ExprLit { lit: Lit::Int(int), .. }) if int.suffix().is_empty() => {
            let suffix = if int.base10_parse::<i64>().is_ok() { "i64" } else { "u64" };
            let int = LitInt::new(&format!("{}{suffix}", int.base10_digits()), int.span());
            parse_quote!(#int)
        }
        Expr::Unary(unary) => {
            let mut unary = unary.clone();
            *unary.expr = sized(&unary.expr);
            Expr::Unary(unary)
        }
        other => other.clone(),
    }
}
