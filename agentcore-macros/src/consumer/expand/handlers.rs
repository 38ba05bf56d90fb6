//! The impl half: `ConsumerHandlers`.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Ident, LitStr, ReturnType, Type, parse_quote};

use super::super::model::{Handler, ImplHalf, Parameter};
use super::super::validate::plain;
use crate::consumer::on::{Event, Rate};
use crate::crate_path::respan;

/// The block and `impl ConsumerHandlers`.
pub(in super::super) fn impl_half(half: &ImplHalf, handlers: &[Handler<'_>]) -> TokenStream {
    let item = &half.item;
    if half.trait_.is_some() {
        return quote!(#item);
    }
    let messages: Vec<(&LitStr, &Handler<'_>)> = handlers
        .iter()
        .filter_map(|handler| match &handler.method.on.event {
            Event::Message(name) => Some((name, handler)),
            _ => None,
        })
        .collect();
    let index = index(&messages);
    let payloads = messages.iter().map(|(name, handler)| payload(half, name, handler));
    let dispatch = dispatch_impl(half, &messages, handlers);
    let other_half = check(half);
    quote! {
        #item
        const _: () = {
            #index
            #(#payloads)*
            #dispatch
            #other_half
        };
    }
}

/// Numbers the handlers; an enum does it, since some may be left out by `#[cfg]`.
fn index(messages: &[(&LitStr, &Handler<'_>)]) -> TokenStream {
    let variants = messages.iter().map(|(_, handler)| {
        let (name, cfgs) = (handler.name(), &handler.method.cfgs);
        quote!(#(#cfgs)* #name)
    });
    quote! {
        #[allow(non_camel_case_types, clippy::enum_variant_names)]
        enum __AgentcoreHandler { #(#variants),* }
    }
}

/// The decoder of a handler, and the check that its name is the payload's.
///
/// The bounds of the payload are asked for here and nowhere else. The check is a const of its own: what the compiler
/// cannot evaluate, it reports again at every use.
fn payload(half: &ImplHalf, message_type: &LitStr, handler: &Handler<'_>) -> Option<TokenStream> {
    let ty = handler.owned()?;
    let private = half.paths.private();
    let at = half.paths.private_at(message_type.span());
    let cfgs = &handler.method.cfgs;
    let name = handler.name();
    let received = received(half, ty);
    let (handler_name, type_name) = (name.to_string(), plain(ty));
    let decoder = respan(name, message_type.span());
    let check = quote_spanned! {message_type.span()=>
        #at::same_name(#decoder.description, #message_type, #handler_name, #type_name)
    };
    Some(quote! {
        #(#cfgs)*
        #[allow(non_upper_case_globals)]
        const #name: #private::PayloadDecoder<#ty> = #received;
        #(#cfgs)*
        const _: () = #check;
    })
}

/// The bounds of the payload, at its type.
fn received(half: &ImplHalf, ty: &Type) -> TokenStream {
    let span = ty.span();
    let private = half.paths.private_at(span);
    quote_spanned!(span=> #private::payload_decoder::<#ty>())
}

/// The bounds of the returned value, at its type; both uses are the same tokens, so an error is reported once.
fn returned(half: &ImplHalf, handler: &Handler<'_>) -> TokenStream {
    let sig = &handler.method.sig;
    let (ty, span): (Type, Span) = match &sig.output {
        ReturnType::Default => (parse_quote!(()), sig.ident.span()),
        ReturnType::Type(_, ty) => ((**ty).clone(), ty.span()),
    };
    let private = half.paths.private_at(span);
    quote_spanned!(span=> #private::reply_encoder::<#ty>())
}

fn dispatch_impl(half: &ImplHalf, messages: &[(&LitStr, &Handler<'_>)], handlers: &[Handler<'_>]) -> TokenStream {
    let private = half.paths.private();
    let self_ty = &half.self_ty;
    let (generics, _, clause) = half.generics.split_for_impl();
    let entries = messages.iter().map(|(name, handler)| entry(half, name, handler));
    let find = find(messages);
    let dispatch = dispatch(half, messages);
    let ends = handlers.iter().filter_map(|handler| match &handler.method.on.event {
        Event::Message(_) => None,
        Event::Connect(_) => Some(connect(half, handler)),
        Event::Disconnect(_) => Some(disconnect(half, handler)),
    });
    // A second impl half is reported at its name.
    let span = name_span(self_ty);
    let at = half.paths.private_at(span);
    let body = quote! {
        const HANDLERS: &'static [#private::Handler] = &[#(#entries),*];
        #find
        #dispatch
        #(#ends)*
    };
    quote_spanned! {span=>
        #[automatically_derived]
        impl #generics #at::ConsumerHandlers for #self_ty #clause { #body }
    }
}

/// What `HANDLERS` says of one handler.
fn entry(half: &ImplHalf, message_type: &LitStr, handler: &Handler<'_>) -> TokenStream {
    let private = half.paths.private();
    let on = &handler.method.on;
    let cfgs = &handler.method.cfgs;
    let name = handler.name();
    let method = name.to_string();
    let cancel_safe = on.cancel_safe;
    let rate = match on.rate {
        Rate::Chain => quote!(#private::HandlerRateLimit::Shared),
        Rate::Exempt => quote!(#private::HandlerRateLimit::Exempt),
        Rate::Cost(cost) => quote!(#private::HandlerRateLimit::Cost(#cost)),
        Rate::Own(messages, window) => {
            let window = duration(window);
            quote!(#private::HandlerRateLimit::Own { messages: #messages, window: #window })
        }
    };
    let timeout = option(on.timeout.map(duration));
    let receives = option(handler.owned().map(|_| quote!(#name.description)));
    let returned = returned(half, handler);
    quote! {
        #(#cfgs)*
        #private::Handler {
            message_type: #message_type,
            method: #method,
            rate_limit: #rate,
            timeout: #timeout,
            cancel_safe: #cancel_safe,
            receives: #receives,
            returns: #returned.description,
        }
    }
}

fn duration(millis: u64) -> TokenStream {
    quote!(::core::time::Duration::from_millis(#millis))
}

fn option(value: Option<TokenStream>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}

fn find(messages: &[(&LitStr, &Handler<'_>)]) -> TokenStream {
    let arms = messages.iter().map(|(message_type, handler)| {
        let (name, cfgs) = (handler.name(), &handler.method.cfgs);
        quote!(#(#cfgs)* #message_type => ::core::option::Option::Some(__AgentcoreHandler::#name as usize),)
    });
    quote! {
        fn find(__agentcore_type: &str) -> ::core::option::Option<usize> {
            match __agentcore_type {
                #(#arms)*
                _ => ::core::option::Option::None,
            }
        }
    }
}

fn dispatch(half: &ImplHalf, messages: &[(&LitStr, &Handler<'_>)]) -> TokenStream {
    let private = half.paths.private();
    let arms = messages.iter().map(|(_, handler)| {
        let (name, cfgs) = (handler.name(), &handler.method.cfgs);
        let decode = handler.owned().map(|_| {
            let owned = owned_ident(Span::call_site());
            quote!(let #owned = (#name.decode)(&__agentcore_data)?;)
        });
        let future = future(half, handler);
        quote! {
            #(#cfgs)*
            __agentcore_index if __agentcore_index == __AgentcoreHandler::#name as usize => {
                #decode
                ::core::result::Result::Ok(#future)
            }
        }
    });
    quote! {
        fn dispatch<'connection>(
            &'connection mut self,
            __agentcore_cx: &'connection #private::Context<Self>,
            __agentcore_index: usize,
            __agentcore_data: #private::RawData<'_>,
        ) -> #private::Result<#private::HandlerFuture<'connection>> {
            let _ = (&__agentcore_cx, &__agentcore_data);
            match __agentcore_index {
                #(#arms)*
                other => ::core::result::Result::Err(#private::no_handler(other)),
            }
        }
    }
}

/// The names of the values that a handler is given, wherever an error about them is to stand.
fn owned_ident(span: Span) -> Ident {
    Ident::new("__agentcore_owned", span)
}

/// The boxed future of a handler; whether it is `Send` is asked at the name of the method.
fn future(half: &ImplHalf, handler: &Handler<'_>) -> TokenStream {
    let span = handler.name().span();
    let private = half.paths.private_at(span);
    let name = handler.name();
    let arguments = handler.parameters.iter().map(|parameter| match parameter {
        Parameter::Context(ty) => Ident::new("__agentcore_cx", ty.span()),
        Parameter::Owned(ty) => owned_ident(ty.span()),
    });
    let returned = returned(half, handler);
    let cx = Ident::new("__agentcore_cx", span);
    quote_spanned! {span=>
        #private::Box::pin(async move {
            (#returned.into_reply)(Self::#name(self, #(#arguments),*).await, #cx.reply_target())
        }) as #private::HandlerFuture<'connection>
    }
}

fn connect(half: &ImplHalf, handler: &Handler<'_>) -> TokenStream {
    let private = half.paths.private();
    let cfgs = &handler.method.cfgs;
    let future = future(half, handler);
    quote! {
        #(#cfgs)*
        fn connect<'connection>(
            &'connection mut self,
            __agentcore_cx: &'connection #private::Context<Self>,
        ) -> ::core::option::Option<#private::HandlerFuture<'connection>> {
            ::core::option::Option::Some(#future)
        }
    }
}

fn disconnect(half: &ImplHalf, handler: &Handler<'_>) -> TokenStream {
    let private = half.paths.private();
    let cfgs = &handler.method.cfgs;
    let future = future(half, handler);
    let reason = owned_ident(Span::call_site());
    quote! {
        #(#cfgs)*
        fn disconnect<'connection>(
            &'connection mut self,
            __agentcore_cx: &'connection #private::Context<Self>,
            #reason: #private::CloseReason,
        ) -> ::core::option::Option<#private::HandlerFuture<'connection>> {
            ::core::option::Option::Some(#future)
        }
    }
}

/// Where the name in the impl block stands.
fn name_span(self_ty: &Type) -> Span {
    match self_ty {
        Type::Path(path) => path.path.segments.last().map_or(self_ty.span(), |last| last.ident.span()),
        _ => self_ty.span(),
    }
}

/// Asks for the struct half, at the name in the impl block.
fn check(half: &ImplHalf) -> TokenStream {
    let self_ty = &half.self_ty;
    let span = name_span(self_ty);
    let private = half.paths.private_at(span);
    let self_ty = respan(self_ty, span);
    let (generics, _, clause) = half.generics.split_for_impl();
    let check = quote_spanned!(span=> #private::has_struct_half::<#self_ty>());
    quote! {
        #[allow(dead_code)]
        fn __agentcore_check #generics () #clause {
            #check
        }
    }
}
