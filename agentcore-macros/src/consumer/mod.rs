//! `#[consumer]`, on the struct and on the impl block, and the `#[on(..)]` of its methods.

mod expand;
mod misplaced_on;
mod model;
mod parse;
mod validate;

use proc_macro2::TokenStream;
use quote::quote;
use syn::ItemStruct;

use crate::diagnostics::{Diagnostic, Errors, refuse};

pub(crate) use misplaced_on::attribute as misplaced_on;

/// Expands `#[consumer]`.
pub(crate) fn attribute(args: TokenStream, tokens: TokenStream) -> TokenStream {
    if let Ok(item) = syn::parse2::<ItemStruct>(tokens.clone()) {
        return on_struct(args, item);
    }
    match syn::parse2::<parse::ImplBlock>(tokens.clone()) {
        Ok(block) => on_impl_block(args, block),
        Err(error) if parse::is_impl_block(&tokens) => refuse(&tokens, error),
        Err(_) => {
            let error = Diagnostic::new(&tokens, "`#[consumer]` must be on a struct or on its impl block");
            refuse(&tokens, error)
        }
    }
}

fn on_struct(args: TokenStream, item: ItemStruct) -> TokenStream {
    let mut errors = Errors::new();
    let consumer = parse::consumer_struct(args, item, &mut errors);
    validate::consumer_struct(&consumer, &mut errors);
    let expanded = expand::consumer_struct(&consumer, errors.count() == 0);
    let errors = errors.into_tokens();
    quote!(#expanded #errors)
}

fn on_impl_block(args: TokenStream, block: parse::ImplBlock) -> TokenStream {
    let mut errors = Errors::new();
    let consumer = parse::consumer_impl(args, block, &mut errors);
    let handlers = validate::handlers(&consumer, &mut errors);
    let expanded = expand::handlers(&consumer, &handlers);
    let errors = errors.into_tokens();
    quote!(#expanded #errors)
}
