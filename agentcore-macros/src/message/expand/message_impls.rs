//! Expands `impl Payload`, `impl Message` and the entry in the message table.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use super::validate_impl;
use crate::message::message_type::check_message_type;
use crate::message::model::{Message, OverflowPolicy};

/// Returns `impl Payload`.
pub(super) fn impl_payload(message: &Message) -> TokenStream {
    let ident = &message.item.ident;
    // A message type that was refused is left out, so that the compiler does not compare it with those of the handlers.
    let name = match message.name.iter().find(|name| check_message_type(name).is_ok()) {
        Some(name) => quote!(__agentcore::Some(#name)),
        None => quote!(__agentcore::None),
    };
    let check_rules = validate_impl::check_rules(message);
    quote! {
        #[automatically_derived]
        impl __agentcore::Payload for #ident {
            const NAME: __agentcore::Option<&'static str> = #name;
            #check_rules
        }
    }
}

/// Returns `impl Message`, for an item with a message type.
pub(super) fn impl_message(message: &Message) -> Option<TokenStream> {
    let ident = &message.item.ident;
    let name = message.name.as_ref()?;
    let overflow = overflow(message);
    Some(quote! {
        #[automatically_derived]
        impl __agentcore::Message for #ident {
            const TYPE: &'static str = #name;
            #overflow
        }
    })
}

/// Returns the method `overflow()`, unless the policy is the default.
fn overflow(message: &Message) -> Option<TokenStream> {
    let policy = match &message.overflow.as_ref()?.1 {
        OverflowPolicy::Disconnect => return None,
        OverflowPolicy::DropNewest => quote!(__agentcore::Overflow::DropNewest),
        OverflowPolicy::DropOldest => quote!(__agentcore::Overflow::DropOldest),
        OverflowPolicy::Latest(named) => {
            // An unknown field is reported already; the compiler must not report it again.
            let known = message.field_names();
            let named = named.iter().filter(|field| known.contains(&field.to_string()));
            let values = named.map(|field| quote_spanned!(field.span()=> &self.#field));
            quote! {
                __agentcore::Overflow::Latest(__agentcore::OverflowKey::new(
                    <Self as __agentcore::Message>::TYPE,
                    &(#(#values,)*),
                ))
            }
        }
    };
    Some(quote! {
        fn overflow(&self) -> __agentcore::Overflow {
            #policy
        }
    })
}

/// Returns the entry in the message table.
pub(super) fn message_entry(message: &Message) -> TokenStream {
    let ident = &message.item.ident;
    quote! {
        __agentcore::inventory::submit! {
            __agentcore::MessageEntry { description: __agentcore::Description::of::<#ident>() }
        }
    }
}
