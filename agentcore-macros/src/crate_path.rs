//! Where generated code finds the framework.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Path, parse_quote};

use crate::args::Named;
use crate::diagnostics::Errors;

/// The path of the framework's crate: `::agentcore`, or what `crate = path` says.
#[derive(Clone)]
pub(crate) struct Paths {
    root: Path,
}

impl Default for Paths {
    fn default() -> Self {
        Self { root: parse_quote!(::agentcore) }
    }
}

impl Paths {
    /// Takes the value of `crate = path`.
    pub(crate) fn set(&mut self, arg: &Named, errors: &mut Errors) {
        if let Some(root) = errors.check(arg.path("crate = ::agentcore")) {
            self.root = root;
        }
    }

    /// The module with all that generated code may name.
    pub(crate) fn private(&self) -> TokenStream {
        let root = &self.root;
        quote!(#root::__private)
    }

    /// The same for code in which the compiler is to report errors at `span`.
    pub(crate) fn private_at(&self, span: Span) -> TokenStream {
        respan(self.private(), span)
    }
}

/// Moves all tokens to `span`, so that an error in code made of them stands there as a whole.
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
