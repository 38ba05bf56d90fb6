//! Expands the arguments of `#[on(..)]` into the handler table: the constant `HANDLERS`, and what it refers to.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};

use super::bounds;
use crate::consumer::model::{Handler, RateLimit};
use crate::crate_path::respan;
use crate::diagnostics::source_text;

/// Returns the enum whose variants are the indexes of the handlers. An enum numbers them even when a `cfg` removes
/// some.
pub(super) fn index(handlers: &[&Handler<'_>]) -> TokenStream {
    let variants = handlers.iter().map(|handler| {
        let (name, cfgs) = (handler.name(), &handler.method.cfgs);
        quote!(#(#cfgs)* #name)
    });
    quote! {
        #[allow(non_camel_case_types, clippy::enum_variant_names)]
        enum __AgentcoreIndex { #(#variants),* }
    }
}

/// Returns the name of the constant that decodes the payload of a handler.
pub(super) fn decoder_ident(handler: &Handler<'_>) -> Ident {
    format_ident!("__agentcore_decoder_{}", handler.name())
}

/// Returns the payload decoder of a handler, and the check that the payload has the handler's message type.
///
/// The check is a constant of its own: the compiler reports a constant that it cannot evaluate at every use.
pub(super) fn decoder(handler: &Handler<'_>) -> Option<TokenStream> {
    let (ty, message_type) = (handler.owned()?, handler.message_type()?);
    let cfgs = &handler.method.cfgs;
    let ident = decoder_ident(handler);
    let decoder = bounds::payload_decoder(ty);
    let (method, type_name) = (handler.name().to_string(), source_text(ty));
    let spanned_ident = respan(&ident, message_type.span());
    let check = quote_spanned! {message_type.span()=>
        __agentcore::same_message_type(#spanned_ident.description, #message_type, #method, #type_name)
    };
    Some(quote! {
        #(#cfgs)*
        #[allow(non_upper_case_globals)]
        const #ident: __agentcore::PayloadDecoder<#ty> = #decoder;
        #(#cfgs)*
        const _: () = #check;
    })
}

/// Returns the constant `HANDLERS`.
pub(super) fn table(handlers: &[&Handler<'_>]) -> TokenStream {
    let entries = handlers.iter().filter_map(|handler| entry(handler));
    quote!(const HANDLERS: &'static [__agentcore::Handler] = &[#(#entries),*];)
}

fn entry(handler: &Handler<'_>) -> Option<TokenStream> {
    let (on, cfgs) = (&handler.method.on, &handler.method.cfgs);
    let message_type = handler.message_type()?;
    let method = handler.name().to_string();
    let rate_limit = rate_limit(&on.rate_limit);
    let timeout = option(on.timeout_ms.map(duration));
    let cancel_safe = on.cancel_safe;
    let decoder = decoder_ident(handler);
    let receives = option(handler.owned().map(|_| quote!(#decoder.description)));
    let encoder = bounds::reply_encoder(handler);
    Some(quote! {
        #(#cfgs)*
        __agentcore::Handler {
            message_type: #message_type,
            method: #method,
            rate_limit: #rate_limit,
            timeout: #timeout,
            cancel_safe: #cancel_safe,
            receives: #receives,
            returns: #encoder.description,
        }
    })
}

fn rate_limit(rate_limit: &RateLimit) -> TokenStream {
    match rate_limit {
        RateLimit::Shared => quote!(__agentcore::HandlerRateLimit::Shared),
        RateLimit::Exempt => quote!(__agentcore::HandlerRateLimit::Exempt),
        RateLimit::Cost(cost) => quote!(__agentcore::HandlerRateLimit::Cost(#cost)),
        RateLimit::Own { messages, window_ms } => {
            let window = duration(*window_ms);
            quote!(__agentcore::HandlerRateLimit::Own { messages: #messages, window: #window })
        }
    }
}

fn duration(millis: u64) -> TokenStream {
    quote!(__agentcore::Duration::from_millis(#millis))
}

fn option(value: Option<TokenStream>) -> TokenStream {
    match value {
        Some(value) => quote!(__agentcore::Some(#value)),
        None => quote!(__agentcore::None),
    }
}
