//! Expands the impl block: `impl ConsumerHandlers`, with the handler table and the dispatch.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use super::{bounds, dispatch, handler_table};
use crate::consumer::model::{ConsumerImpl, Handler};

/// Returns the user's block and `impl ConsumerHandlers`.
pub(in super::super) fn handlers(consumer: &ConsumerImpl, handlers: &[Handler<'_>]) -> TokenStream {
    let item = &consumer.item;
    if consumer.trait_.is_some() {
        return quote!(#item);
    }
    let message_handlers: Vec<_> = handlers.iter().filter(|handler| handler.message_type().is_some()).collect();
    let index = handler_table::index(&message_handlers);
    let decoders = message_handlers.iter().map(|handler| handler_table::decoder(handler));
    let impl_consumer_handlers = impl_consumer_handlers(consumer, &message_handlers, handlers);
    let struct_check = struct_check(consumer);
    let import = consumer.crate_path.import();
    quote! {
        #item
        const _: () = {
            #import
            #index
            #(#decoders)*
            #impl_consumer_handlers
            #struct_check
        };
    }
}

fn impl_consumer_handlers(
    consumer: &ConsumerImpl,
    message_handlers: &[&Handler<'_>],
    handlers: &[Handler<'_>],
) -> TokenStream {
    let self_ty = &consumer.self_ty;
    let (generics, _, clause) = consumer.generics.split_for_impl();
    let table = handler_table::table(message_handlers);
    let find = dispatch::find(message_handlers);
    let dispatch = dispatch::dispatch(message_handlers);
    let hooks = handlers.iter().map(|handler| dispatch::hook(handler));
    let body = quote! {
        #table
        #find
        #dispatch
        #(#hooks)*
    };
    // The compiler reports a second impl block of the same consumer at the consumer's name.
    let span = bounds::name_span(self_ty);
    quote_spanned! {span=>
        #[automatically_derived]
        impl #generics __agentcore::ConsumerHandlers for #self_ty #clause { #body }
    }
}

/// Returns a function that compiles only when the struct has `#[consumer]` too.
fn struct_check(consumer: &ConsumerImpl) -> TokenStream {
    let (generics, _, clause) = consumer.generics.split_for_impl();
    let check = bounds::has_consumer_struct(&consumer.self_ty);
    quote! {
        #[allow(dead_code)]
        fn __agentcore_struct_check #generics () #clause {
            #check
        }
    }
}
