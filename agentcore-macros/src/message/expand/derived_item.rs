//! Expands a struct with fields or an enum: the item with its derives, and with the rules as schemars reads them.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::{Attribute, Data, DeriveInput, Fields, Meta, parse_quote};

use super::schema_rules;
use crate::message::derives::{derives_of, is_added};
use crate::message::model::{Message, MessageField};

/// Returns the item.
pub(super) fn item(message: &Message) -> TokenStream {
    let mut item = without_added_derives(&message.item);
    item.attrs.splice(0..0, derive_attributes(message));
    let all: Vec<&mut Fields> = match &mut item.data {
        Data::Struct(data) => vec![&mut data.fields],
        Data::Enum(data) => data.variants.iter_mut().map(|variant| &mut variant.fields).collect(),
        Data::Union(_) => Vec::new(),
    };
    for (fields, group) in all.into_iter().zip(&message.field_groups) {
        for (field, MessageField { rules, .. }) in fields.iter_mut().zip(&group.fields) {
            let private = message.crate_path.private();
            let schema: Vec<_> = rules.iter().filter_map(|rule| schema_rules::schema_rule(&private, rule)).collect();
            if !schema.is_empty() {
                field.attrs.push(parse_quote!(#[schemars(#(#schema),*)]));
            }
        }
    }
    item.to_token_stream()
}

/// Returns the derives, and the attributes that state where serde and schemars are.
pub(super) fn derive_attributes(message: &Message) -> [Attribute; 3] {
    let private = message.crate_path.private();
    let serde = quote!(#private::serde).to_string();
    let schemars = quote!(#private::schemars).to_string();
    [
        parse_quote!(#[derive(#private::serde::Serialize, #private::serde::Deserialize, #private::schemars::JsonSchema)]),
        parse_quote!(#[serde(crate = #serde)]),
        parse_quote!(#[schemars(crate = #schemars)]),
    ]
}

/// Removes a user's `derive(Serialize)` and the like. It is reported already; with it, the compiler would also report
/// two impls of one trait.
pub(super) fn without_added_derives(item: &DeriveInput) -> DeriveInput {
    let mut item = item.clone();
    for attr in &mut item.attrs {
        if let Some(derives) = derives_of(&attr.meta)
            && derives.iter().any(is_added)
            && let Meta::List(list) = &mut attr.meta
        {
            let kept = derives.iter().filter(|path| !is_added(path));
            list.tokens = quote!(#(#kept),*);
        }
    }
    item
}
