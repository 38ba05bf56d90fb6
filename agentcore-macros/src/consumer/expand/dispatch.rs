//! Expands the functions that find and start a handler: `find()`, `dispatch()`, `connect()` and `disconnect()`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

use super::bounds;
use super::handler_table::decoder_ident;
use crate::consumer::model::{Event, Handler, Parameter};

/// The name of the payload, or of the reason of a disconnect, in generated code.
const OWNED: &str = "__agentcore_owned";

/// Returns `find()`, which maps a message type to the index of its handler.
pub(super) fn find(handlers: &[&Handler<'_>]) -> TokenStream {
    let arms = handlers.iter().filter_map(|handler| {
        let (message_type, name, cfgs) = (handler.message_type()?, handler.name(), &handler.method.cfgs);
        Some(quote!(#(#cfgs)* #message_type => __agentcore::Some(__AgentcoreIndex::#name as usize),))
    });
    quote! {
        fn find(__agentcore_type: &str) -> __agentcore::Option<usize> {
            match __agentcore_type {
                #(#arms)*
                _ => __agentcore::None,
            }
        }
    }
}

/// Returns `dispatch()`, which decodes the payload and starts a handler.
pub(super) fn dispatch(handlers: &[&Handler<'_>]) -> TokenStream {
    let arms = handlers.iter().map(|handler| dispatch_arm(handler));
    quote! {
        fn dispatch<'__agentcore>(
            &'__agentcore mut self,
            __agentcore_cx: &'__agentcore __agentcore::Context<Self>,
            __agentcore_index: usize,
            __agentcore_data: __agentcore::RawData<'_>,
        ) -> __agentcore::Result<__agentcore::HandlerFuture<'__agentcore>> {
            match __agentcore_index {
                #(#arms)*
                _ => __agentcore::Err(__agentcore::no_handler(__agentcore_index)),
            }
        }
    }
}

fn dispatch_arm(handler: &Handler<'_>) -> TokenStream {
    let (name, cfgs) = (handler.name(), &handler.method.cfgs);
    let decode = handler.owned().map(|_| {
        let (owned, decoder) = (Ident::new(OWNED, Span::call_site()), decoder_ident(handler));
        quote!(let #owned = (#decoder.decode)(&__agentcore_data)?;)
    });
    let future = future(handler);
    quote! {
        #(#cfgs)*
        __agentcore_index if __agentcore_index == __AgentcoreIndex::#name as usize => {
            #decode
            __agentcore::Ok(#future)
        }
    }
}

/// Returns `connect()` or `disconnect()` for a hook, `None` for a message handler.
pub(super) fn hook(handler: &Handler<'_>) -> Option<TokenStream> {
    let cfgs = &handler.method.cfgs;
    let future = future(handler);
    let (name, reason) = match &handler.method.on.event {
        Event::Message(_) => return None,
        Event::Connect(_) => (quote!(connect), None),
        Event::Disconnect(_) => {
            let owned = Ident::new(OWNED, Span::call_site());
            (quote!(disconnect), Some(quote!(#owned: __agentcore::CloseReason,)))
        }
    };
    Some(quote! {
        #(#cfgs)*
        fn #name<'__agentcore>(
            &'__agentcore mut self,
            __agentcore_cx: &'__agentcore __agentcore::Context<Self>,
            #reason
        ) -> __agentcore::Option<__agentcore::HandlerFuture<'__agentcore>> {
            __agentcore::Some(#future)
        }
    })
}

/// Returns the boxed future of a handler. Its span makes the compiler report a future that is not `Send` at the
/// method's name, and an argument of the wrong type at that parameter.
fn future(handler: &Handler<'_>) -> TokenStream {
    let name = handler.name();
    let span = name.span();
    let arguments = handler.parameters.iter().map(|parameter| match parameter {
        Parameter::Context(ty) => Ident::new("__agentcore_cx", syn::spanned::Spanned::span(ty)),
        Parameter::Owned(ty) => Ident::new(OWNED, syn::spanned::Spanned::span(ty)),
    });
    let encoder = bounds::reply_encoder(handler);
    let cx = Ident::new("__agentcore_cx", span);
    quote_spanned! {span=>
        __agentcore::boxed(async move {
            (#encoder.encode)(Self::#name(self, #(#arguments),*).await, #cx.reply_target())
        })
    }
}
