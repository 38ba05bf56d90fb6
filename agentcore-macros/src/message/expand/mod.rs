//! Turns the model into code. It cannot fail: every mistake has been reported before.

mod derived_item;
mod message_impls;
mod schema_rules;
mod unit_struct;
mod validate_impl;

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::{Data, Fields};

use super::model::Message;

/// Returns the item without the attributes of `#[message]`, and nothing else.
pub(super) fn item_only(message: &Message) -> TokenStream {
    message.item.to_token_stream()
}

/// Returns the item and its impls.
pub(super) fn message(message: &Message) -> TokenStream {
    let (item, serde_impls) = match &message.item.data {
        Data::Struct(data) if matches!(data.fields, Fields::Unit) => {
            (unit_struct::item(message), unit_struct::impls(message))
        }
        _ => (derived_item::item(message), TokenStream::new()),
    };
    let patterns = validate_impl::patterns(message);
    let impl_validate = validate_impl::impl_validate(message);
    let impl_payload = message_impls::impl_payload(message);
    let impl_message = message_impls::impl_message(message);
    let entry = message_impls::message_entry(message);
    let import = message.crate_path.import();
    quote! {
        #item
        const _: () = {
            #import
            #serde_impls
            #patterns
            #impl_validate
            #impl_payload
            #impl_message
            #entry
        };
    }
}
