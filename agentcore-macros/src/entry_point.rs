//! `#[main]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{ItemFn, ReturnType, parse2};

use crate::args::{self, Arg};
use crate::crate_path::{CratePath, respan};
use crate::diagnostics::{Diagnostic, Errors, refuse};

/// Expands `#[main]`.
///
/// The user's function is nested unchanged in the new one, so the compiler reports errors in its body and in its return
/// type as usual.
pub(crate) fn attribute(args: TokenStream, tokens: TokenStream) -> TokenStream {
    let function: ItemFn = match parse2(tokens.clone()) {
        Ok(function) => function,
        Err(_) => {
            let error = Diagnostic::new(&tokens, "`#[main]` must be on a function").help("write `async fn main() {}`");
            return refuse(&tokens, error);
        }
    };
    let mut errors = Errors::new();
    let crate_path = parse_args(args, &mut errors);
    validate(&function, &mut errors);
    let expanded = expand(function, &crate_path, errors.count() == 0);
    let errors = errors.into_tokens();
    quote!(#expanded #errors)
}

fn parse_args(args: TokenStream, errors: &mut Errors) -> CratePath {
    let mut crate_path = CratePath::default();
    for arg in errors.check(args::parse(args)).unwrap_or_default() {
        match arg {
            Arg::Named(named) if named.name == "crate" => crate_path.set(&named, errors),
            Arg::Named(named) => errors.push(Diagnostic::unknown(&named.name, "`#[main]` argument", &["crate"])),
            Arg::Value(value) => errors.push(Diagnostic::new(value, "`#[main]` takes no arguments without a name")),
        }
    }
    crate_path
}

fn validate(function: &ItemFn, errors: &mut Errors) {
    let sig = &function.sig;
    if sig.asyncness.is_none() {
        errors.push(Diagnostic::new(sig.fn_token, "`main` must be `async`").help("write `async fn main()`"));
    }
    if !sig.inputs.is_empty() {
        errors.push(Diagnostic::new(&sig.inputs, "`main` must not have parameters"));
    }
    if !sig.generics.params.is_empty() {
        errors.push(Diagnostic::new(&sig.generics, "`main` must not have generic parameters"));
    }
}

fn expand(mut function: ItemFn, crate_path: &CratePath, correct: bool) -> TokenStream {
    let attrs = std::mem::take(&mut function.attrs);
    let vis = std::mem::replace(&mut function.vis, syn::Visibility::Inherited);
    let name = &function.sig.ident;
    let private = crate_path.private();
    let run = if correct { run(&function, crate_path) } else { quote!(loop {}) };
    quote! {
        #(#attrs)*
        #vis fn #name() -> #private::ExitCode {
            #[allow(dead_code)]
            #function
            #run
        }
    }
}

/// Calls the user's function. The span makes the compiler report an unsupported return type at that type.
fn run(function: &ItemFn, crate_path: &CratePath) -> TokenStream {
    let name = &function.sig.ident;
    let span = match &function.sig.output {
        ReturnType::Default => name.span(),
        ReturnType::Type(_, ty) => ty.span(),
    };
    let name = respan(name, span);
    let private = respan(crate_path.private(), span);
    quote_spanned!(span=> #private::run_main(#name()))
}
