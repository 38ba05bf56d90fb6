//! `#[message]`.

mod case;
mod expand;
mod model;
mod parse;
mod validate;

pub(crate) use validate::check_type_name;

use proc_macro2::TokenStream;
use quote::quote;

use crate::diagnostics::{Diagnostic, Errors, refuse};

/// Expands `#[message]`.
pub(crate) fn attribute(args: TokenStream, tokens: TokenStream) -> TokenStream {
    let Ok(item) = syn::parse2(tokens.clone()) else {
        let error = Diagnostic::new(&tokens, "`#[message]` stands on a struct or an enum");
        return refuse(&tokens, error);
    };
    let mut errors = Errors::default();
    let message = parse::message(args, item, &mut errors);
    let understood = validate::message(&message, &mut errors);
    let expanded = match understood {
        true => expand::message(&message),
        false => expand::item_only(&message),
    };
    let errors = errors.into_tokens();
    quote!(#expanded #errors)
}
