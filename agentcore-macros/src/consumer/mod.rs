//! `#[consumer]`, on the struct and on the impl block.

mod expand;
mod model;
mod parse;
mod validate;

pub(crate) use parse::on;
pub(crate) use parse::on::attribute as on_attribute;

use proc_macro2::TokenStream;
use quote::quote;
use syn::ItemStruct;

use crate::diagnostics::{Diagnostic, Errors, refuse};

/// Expands `#[consumer]` on either half.
pub(crate) fn attribute(args: TokenStream, tokens: TokenStream) -> TokenStream {
    if let Ok(item) = syn::parse2::<ItemStruct>(tokens.clone()) {
        return on_struct(args, item);
    }
    match syn::parse2::<parse::Block>(tokens.clone()) {
        Ok(block) => on_impl(args, block),
        Err(error) if parse::is_impl(&tokens) => refuse(&tokens, error),
        Err(_) => {
            let error = Diagnostic::new(&tokens, "`#[consumer]` stands on a struct and on its impl block");
            refuse(&tokens, error)
        }
    }
}

fn on_struct(args: TokenStream, item: ItemStruct) -> TokenStream {
    let mut errors = Errors::default();
    let half = parse::struct_half(args, item, &mut errors);
    validate::struct_half(&half, &mut errors);
    let expanded = expand::struct_half(&half, errors.count() == 0);
    let errors = errors.into_tokens();
    quote!(#expanded #errors)
}

fn on_impl(args: TokenStream, block: parse::Block) -> TokenStream {
    let mut errors = Errors::default();
    let half = parse::impl_half(args, block, &mut errors);
    let handlers = validate::impl_half(&half, &mut errors);
    let expanded = expand::impl_half(&half, &handlers);
    let errors = errors.into_tokens();
    quote!(#expanded #errors)
}
