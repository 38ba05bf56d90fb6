//! `#[on(..)]` outside an impl block with `#[consumer]`: the method, and an error.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::Signature;

use crate::diagnostics::{Diagnostic, refuse};

const MISPLACED: &str = "`#[on]` must be on a method of an impl block with `#[consumer]`";

/// Expands an `#[on]` that no `#[consumer]` has removed.
pub(crate) fn attribute(args: TokenStream, item: TokenStream) -> TokenStream {
    let error = match syn::parse2::<Signature>(signature_of(&item)) {
        _ if !args.is_empty() => Diagnostic::new(&args, MISPLACED),
        Ok(sig) => Diagnostic::new(&sig.ident, MISPLACED),
        Err(_) => Diagnostic::new(&item, MISPLACED),
    };
    refuse(&item, error.help("put `#[consumer]` on the impl block"))
}

/// Returns the tokens of a method from `async` or `fn` up to its body.
fn signature_of(item: &TokenStream) -> TokenStream {
    let is_start = |tree: &TokenTree| matches!(tree.to_string().as_str(), "const" | "async" | "unsafe" | "fn");
    let is_body = |tree: &TokenTree| matches!(tree, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
    item.clone().into_iter().skip_while(|tree| !is_start(tree)).take_while(|tree| !is_body(tree)).collect()
}
