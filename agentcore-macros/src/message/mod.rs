//! `#[message]`.

mod case;
mod derives;
mod expand;
mod message_type;
mod model;
mod parse;
mod validate;

use proc_macro2::TokenStream;
use quote::quote;

use crate::diagnostics::{Diagnostic, Errors, refuse};

pub(crate) use message_type::check_message_type;

/// Expands `#[message]`.
pub(crate) fn attribute(args: TokenStream, tokens: TokenStream) -> TokenStream {
    let Ok(item) = syn::parse2(tokens.clone()) else {
        let error = Diagnostic::new(&tokens, "`#[message]` must be on a struct or an enum");
        return refuse(&tokens, error);
    };
    let mut errors = Errors::new();
    let message = parse::message(args, item, &mut errors);
    let is_expandable = validate::message(&message, &mut errors);
    let expanded = match is_expandable {
        true => expand::message(&message),
        false => expand::item_only(&message),
    };
    let errors = errors.into_tokens();
    quote!(#expanded #errors)
}
