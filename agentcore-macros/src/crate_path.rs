//! The path of the `agentcore` crate in generated code.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Path, parse_quote};

use crate::args::Named;
use crate::diagnostics::Errors;

/// The path of the crate: `::agentcore`, or the value of `crate = path`.
#[derive(Clone)]
pub(crate) struct CratePath(Path);

impl Default for CratePath {
    fn default() -> Self {
        Self(parse_quote!(::agentcore))
    }
}

impl CratePath {
    /// Reads the argument `crate = path`.
    pub(crate) fn set(&mut self, arg: &Named, errors: &mut Errors) {
        if let Some(path) = errors.check(arg.path("crate = ::agentcore")) {
            self.0 = path;
        }
    }

    /// Returns the path of `__private`, the module that holds all items that generated code names.
    pub(crate) fn private(&self) -> TokenStream {
        let root = &self.0;
        quote!(#root::__private)
    }

    /// Returns the import that makes `__private` available as `__agentcore`. Generated blocks start with it.
    pub(crate) fn import(&self) -> TokenStream {
        let private = self.private();
        quote!(use #private as __agentcore;)
    }
}

/// Moves all tokens to `span`, so that the compiler reports an error in them at that place.
pub(crate) fn respan(tokens: impl ToTokens, span: Span) -> TokenStream {
    let moved = |tree| match tree {
        TokenTree::Group(group) => {
            let mut moved = Group::new(group.delimiter(), respan(group.stream(), span));
            moved.set_span(span);
            TokenTree::Group(moved)
        }
        mut tree => {
            tree.set_span(span);
            tree
        }
    };
    tokens.into_token_stream().into_iter().map(moved).collect()
}
