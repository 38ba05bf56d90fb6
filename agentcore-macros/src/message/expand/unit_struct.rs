//! Expands a unit struct, which is `{}` in the data.
//!
//! serde would write `null`. So the impls of serde and schemars delegate to a struct with braces and without fields.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::Attribute;

use super::derived_item::{derive_attributes, without_added_derives};
use crate::message::model::Message;

/// Returns the item, without the attributes that the stand-in takes.
pub(super) fn item(message: &Message) -> TokenStream {
    let mut item = without_added_derives(&message.item);
    item.attrs.retain(|attr| !is_for_derives(attr));
    item.to_token_stream()
}

/// Returns the stand-in and the impls that use it.
pub(super) fn impls(message: &Message) -> TokenStream {
    let stand_in = stand_in(message);
    let impl_serialize = impl_serialize(message);
    let impl_deserialize = impl_deserialize(message);
    let impl_json_schema = impl_json_schema(message);
    quote! {
        #stand_in
        #impl_serialize
        #impl_deserialize
        #impl_json_schema
    }
}

fn is_for_derives(attr: &Attribute) -> bool {
    attr.path().is_ident("serde") || attr.path().is_ident("schemars")
}

fn stand_in(message: &Message) -> TokenStream {
    let derive = derive_attributes(message);
    let name = message.item.ident.to_string();
    let rename = (!message.is_renamed).then(|| quote!(#[serde(rename = #name)]));
    // schemars reads the description from the doc comment.
    let is_passed_on = |attr: &&Attribute| is_for_derives(attr) || attr.path().is_ident("doc");
    let attrs = message.item.attrs.iter().filter(is_passed_on);
    quote! {
        #(#derive)*
        #rename
        #(#attrs)*
        struct __AgentcoreBraces {}
    }
}

fn impl_serialize(message: &Message) -> TokenStream {
    let ident = &message.item.ident;
    quote! {
        #[automatically_derived]
        impl __agentcore::serde::Serialize for #ident {
            fn serialize<__AgentcoreS: __agentcore::serde::Serializer>(
                &self,
                __agentcore_serializer: __AgentcoreS,
            ) -> __agentcore::Result<__AgentcoreS::Ok, __AgentcoreS::Error> {
                __agentcore::serde::Serialize::serialize(&__AgentcoreBraces {}, __agentcore_serializer)
            }
        }
    }
}

fn impl_deserialize(message: &Message) -> TokenStream {
    let ident = &message.item.ident;
    quote! {
        #[automatically_derived]
        impl<'__agentcore> __agentcore::serde::Deserialize<'__agentcore> for #ident {
            fn deserialize<__AgentcoreD: __agentcore::serde::Deserializer<'__agentcore>>(
                __agentcore_deserializer: __AgentcoreD,
            ) -> __agentcore::Result<Self, __AgentcoreD::Error> {
                let __AgentcoreBraces {} = __agentcore::serde::Deserialize::deserialize(__agentcore_deserializer)?;
                __agentcore::Ok(#ident)
            }
        }
    }
}

fn impl_json_schema(message: &Message) -> TokenStream {
    let ident = &message.item.ident;
    quote! {
        #[automatically_derived]
        impl __agentcore::schemars::JsonSchema for #ident {
            fn schema_name() -> __agentcore::Cow<'static, str> {
                <__AgentcoreBraces as __agentcore::schemars::JsonSchema>::schema_name()
            }
            fn schema_id() -> __agentcore::Cow<'static, str> {
                __agentcore::Cow::Borrowed(::core::concat!(::core::module_path!(), "::", ::core::stringify!(#ident)))
            }
            fn json_schema(__agentcore_generator: &mut __agentcore::schemars::SchemaGenerator) -> __agentcore::schemars::Schema {
                <__AgentcoreBraces as __agentcore::schemars::JsonSchema>::json_schema(__agentcore_generator)
            }
        }
    }
}
