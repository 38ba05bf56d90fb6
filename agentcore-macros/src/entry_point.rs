//! `#[main]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{ItemFn, ReturnType, parse2};

use crate::args::{self, Arg};
use crate::crate_path::{Paths, respan};
use crate::diagnostics::{Diagnostic, Errors, refuse};

/// Expands `#[main]`.
///
/// The user's function moves into the new one as it is, so that its body and its return type are checked, and
/// reported, as those of any other function.
pub(crate) fn attribute(args: TokenStream, tokens: TokenStream) -> TokenStream {
    let mut function: ItemFn = match parse2(tokens.clone()) {
        Ok(function) => function,
        Err(_) => {
            let error = Diagnostic::new(&tokens, "`#[main]` stands on a function").help("`async fn main() { .. }`");
            return refuse(&tokens, error);
        }
    };
    let mut errors = Errors::default();
    let paths = parse_args(args, &mut errors);
    validate(&function, &mut errors);

    let attrs = std::mem::take(&mut function.attrs);
    let vis = std::mem::replace(&mut function.vis, syn::Visibility::Inherited);
    let name = &function.sig.ident;
    let private = paths.private();
    let run = if errors.count() == 0 { run(&function, &paths) } else { quote!(loop {}) };
    let errors = errors.into_tokens();
    quote! {
        #(#attrs)*
        #vis fn #name() -> #private::ExitCode {
            #[allow(dead_code)]
            #function
            #run
        }
        #errors
    }
}

/// The call of the user's function, where an error in it is one about the type that it returns.
fn run(function: &ItemFn, paths: &Paths) -> TokenStream {
    let name = &function.sig.ident;
    let at = match &function.sig.output {
        ReturnType::Default => name.span(),
        ReturnType::Type(_, ty) => ty.span(),
    };
    let name = respan(name, at);
    let private = paths.private_at(at);
    quote_spanned!(at=> #private::run_main(#name()))
}

fn parse_args(args: TokenStream, errors: &mut Errors) -> Paths {
    let mut paths = Paths::default();
    for arg in errors.check(args::parse(args)).unwrap_or_default() {
        match arg {
            Arg::Named(named) if named.name == "crate" => paths.set(&named, errors),
            Arg::Named(named) => errors.push(Diagnostic::unknown(&named.name, "`#[main]` argument", &["crate"])),
            Arg::Value(value) => errors.push(Diagnostic::new(value, "`#[main]` takes no value")),
        }
    }
    paths
}

fn validate(function: &ItemFn, errors: &mut Errors) {
    let sig = &function.sig;
    if sig.asyncness.is_none() {
        errors.push(Diagnostic::new(sig.fn_token, "`main` must be `async`").help("`async fn main()`"));
    }
    if !sig.inputs.is_empty() {
        errors.push(Diagnostic::new(&sig.inputs, "`main` takes no parameters"));
    }
    if !sig.generics.params.is_empty() {
        errors.push(Diagnostic::new(&sig.generics, "`main` takes no generic parameters"));
    }
}
