//! The calls that demand the trait bounds of the user's types.
//!
//! Each call is generated with the span of the type, so the compiler reports a missing bound there. Code that needs a
//! call twice repeats the same tokens, because the compiler reports identical errors at one place once.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::spanned::Spanned as _;
use syn::{ReturnType, Type, parse_quote};

use crate::consumer::model::Handler;
use crate::crate_path::respan;

/// Demands the bounds of a payload.
pub(super) fn payload_decoder(ty: &Type) -> TokenStream {
    let span = ty.span();
    quote_spanned!(span=> __agentcore::payload_decoder::<#ty>())
}

/// Demands the bounds of a handler's return type.
pub(super) fn reply_encoder(handler: &Handler<'_>) -> TokenStream {
    let sig = &handler.method.sig;
    let (ty, span): (Type, Span) = match &sig.output {
        ReturnType::Default => (parse_quote!(()), sig.ident.span()),
        ReturnType::Type(_, ty) => ((**ty).clone(), ty.span()),
    };
    quote_spanned!(span=> __agentcore::reply_encoder::<#ty>())
}

/// Demands the bounds of a `#[state]` field.
pub(super) fn state_field(ty: &Type) -> TokenStream {
    let span = ty.span();
    quote_spanned!(span=> __agentcore::state_field::<#ty>())
}

/// Demands `#[consumer]` on the struct, at its name in the impl block.
pub(super) fn has_consumer_struct(self_ty: &Type) -> TokenStream {
    let span = name_span(self_ty);
    let self_ty = respan(self_ty, span);
    quote_spanned!(span=> __agentcore::has_consumer_struct::<#self_ty>())
}

/// Returns the span of the consumer's name in the impl block.
pub(super) fn name_span(self_ty: &Type) -> Span {
    match self_ty {
        Type::Path(path) => path.path.segments.last().map_or(self_ty.span(), |last| last.ident.span()),
        _ => self_ty.span(),
    }
}
