//! Expands the struct: `impl ConsumerStruct`, one `impl SentBy` for each sent message, and the entry in the mount
//! table.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use super::{bounds, fields};
use crate::consumer::model::{ConsumerField, ConsumerStruct, FieldSource};

/// Returns the struct and its impls. When the struct has mistakes, the impls keep only what the rest of the user's code
/// needs to compile.
pub(in super::super) fn consumer_struct(consumer: &ConsumerStruct, correct: bool) -> TokenStream {
    let item = &consumer.item;
    let impl_consumer_struct = impl_consumer_struct(consumer, correct);
    let impl_sent_by = impl_sent_by(consumer);
    // The application mounts a generic consumer explicitly.
    let entry = (correct && item.generics.params.is_empty()).then(|| mount_entry(consumer));
    let import = consumer.crate_path.import();
    quote! {
        #item
        const _: () = {
            #import
            #impl_consumer_struct
            #impl_sent_by
            #entry
        };
    }
}

fn impl_consumer_struct(consumer: &ConsumerStruct, correct: bool) -> TokenStream {
    let ident = &consumer.item.ident;
    let name = ident.to_string();
    let path = consumer.path.as_ref().map_or_else(String::new, syn::LitStr::value);
    let (generics, arguments, clause) = consumer.item.generics.split_for_impl();
    let sends = sends(consumer);
    let methods = if correct { methods(consumer) } else { placeholder_methods() };
    quote! {
        #[automatically_derived]
        impl #generics __agentcore::ConsumerStruct for #ident #arguments #clause {
            const NAME: &'static str = #name;
            const PATH: &'static str = #path;
            #sends
            #methods
        }
    }
}

/// Returns `sends()`. The bound on a sent type is that of its `impl SentBy`, so a type that cannot be sent is one
/// error.
fn sends(consumer: &ConsumerStruct) -> TokenStream {
    let sent = consumer.sends.iter().map(|ty| quote!(__agentcore::sent::<Self, #ty>()));
    quote! {
        fn sends() -> __agentcore::Vec<__agentcore::Description> {
            __agentcore::Vec::from([#(#sent),*])
        }
    }
}

fn methods(consumer: &ConsumerStruct) -> TokenStream {
    let span = consumer.item.ident.span();
    // The only place that demands the handlers: code that mounts the consumer demands `ConsumerStruct` alone.
    let mount = quote_spanned!(span=> __agentcore::mount::<Self>());
    let required = required(consumer);
    let construct = fields::construct(consumer);
    let user = fields::user(consumer);
    quote! {
        fn mount() -> __agentcore::Mount {
            #mount
        }
        fn required() -> __agentcore::Vec<__agentcore::RequiredState> {
            #required
        }
        fn construct(__agentcore_request: &__agentcore::UpgradeRequest<'_>) -> __agentcore::Result<Self> {
            #construct
        }
        #user
    }
}

fn placeholder_methods() -> TokenStream {
    quote! {
        fn mount() -> __agentcore::Mount {
            loop {}
        }
        fn required() -> __agentcore::Vec<__agentcore::RequiredState> {
            loop {}
        }
        fn construct(_: &__agentcore::UpgradeRequest<'_>) -> __agentcore::Result<Self> {
            loop {}
        }
    }
}

fn required(consumer: &ConsumerStruct) -> TokenStream {
    let fields = consumer.fields.iter().filter(|field| matches!(field.source, FieldSource::State));
    let states = fields.map(|ConsumerField { ty, cfgs, .. }| {
        let state = bounds::state_field(ty);
        quote!(#(#cfgs)* #state.required())
    });
    quote!(__agentcore::Vec::from([#(#states),*]))
}

fn impl_sent_by(consumer: &ConsumerStruct) -> TokenStream {
    let ident = &consumer.item.ident;
    let (generics, arguments, clause) = consumer.item.generics.split_for_impl();
    let mut seen = Vec::new();
    let mut impls = TokenStream::new();
    for ty in &consumer.sends {
        let text = quote!(#ty).to_string();
        if !seen.contains(&text) {
            impls.extend(quote! {
                #[automatically_derived]
                impl #generics __agentcore::SentBy<#ident #arguments> for #ty #clause {}
            });
            seen.push(text);
        }
    }
    impls
}

fn mount_entry(consumer: &ConsumerStruct) -> TokenStream {
    let ident = &consumer.item.ident;
    quote! {
        __agentcore::inventory::submit! {
            __agentcore::MountEntry { mount: <#ident as __agentcore::ConsumerStruct>::mount }
        }
    }
}
