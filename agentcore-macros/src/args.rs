//! The argument lists of all attributes: literals, flags, `name = value` and `name(..)`, separated by commas.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Expr, ExprLit, Lit, LitStr, Path, Token};

use crate::diagnostics::{Diagnostic, Errors};

/// One argument.
pub(crate) enum Arg {
    /// A literal without a name.
    Value(Lit),
    /// An argument with a name.
    Named(Named),
}

/// An argument with a name.
pub(crate) struct Named {
    pub(crate) name: Ident,
    value: Value,
}

enum Value {
    None,
    Equals(Expr),
    List(TokenStream),
}

/// Parses an argument list. The caller checks the names and the values.
///
/// # Errors
/// The tokens are not an argument list.
pub(crate) fn parse(tokens: TokenStream) -> syn::Result<Vec<Arg>> {
    let args = Punctuated::<Arg, Token![,]>::parse_terminated.parse2(tokens)?;
    Ok(args.into_iter().collect())
}

impl Parse for Arg {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(Lit) {
            return input.parse().map(Self::Value);
        }
        let name = input.call(Ident::parse_any)?;
        let value = if input.parse::<Option<Token![=]>>()?.is_some() {
            Value::Equals(input.parse()?)
        } else if input.peek(syn::token::Paren) {
            let content;
            syn::parenthesized!(content in input);
            Value::List(content.parse()?)
        } else {
            Value::None
        };
        Ok(Self::Named(Named { name, value }))
    }
}

impl Named {
    /// Checks that the argument is a flag: a name without a value.
    pub(crate) fn flag(&self) -> Result<(), Diagnostic> {
        match &self.value {
            Value::None => Ok(()),
            _ => Err(Diagnostic::new(&self.name, format_args!("`{}` takes no value", self.name))),
        }
    }

    /// Returns the expression after `=`. The error shows `example`.
    pub(crate) fn expr(&self, example: &str) -> Result<&Expr, Diagnostic> {
        match &self.value {
            Value::Equals(expr) => Ok(expr),
            _ => Err(self.needs(&self.name, "a value", example)),
        }
    }

    /// Returns the string literal after `=`.
    pub(crate) fn text(&self, example: &str) -> Result<LitStr, Diagnostic> {
        match self.expr(example)? {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(text.clone()),
            other => Err(self.needs(other, "a string literal", example)),
        }
    }

    /// Returns the path after `=`.
    pub(crate) fn path(&self, example: &str) -> Result<Path, Diagnostic> {
        match self.expr(example)? {
            Expr::Path(path) if path.qself.is_none() => Ok(path.path.clone()),
            other => Err(self.needs(other, "a path", example)),
        }
    }

    /// Returns the tokens in parentheses.
    pub(crate) fn list(&self, example: &str) -> Result<&TokenStream, Diagnostic> {
        match &self.value {
            Value::List(tokens) => Ok(tokens),
            _ => Err(self.needs(&self.name, "a list in parentheses", example)),
        }
    }

    /// Returns the arguments in parentheses; none when there are no parentheses.
    pub(crate) fn nested(&self, example: &str) -> syn::Result<Vec<Self>> {
        let tokens = match &self.value {
            Value::None => return Ok(Vec::new()),
            _ => self.list(example)?,
        };
        let named = |arg| match arg {
            Arg::Named(named) => Ok(named),
            Arg::Value(value) => Err(self.needs(value, "named arguments", example).into()),
        };
        parse(tokens.clone())?.into_iter().map(named).collect()
    }

    /// Returns whether the argument has the form `name = value`.
    pub(crate) fn has_equals(&self) -> bool {
        matches!(self.value, Value::Equals(_))
    }

    fn needs(&self, at: impl ToTokens, what: &str, example: &str) -> Diagnostic {
        Diagnostic::new(at, format_args!("`{}` must have {what}", self.name)).help(format_args!("`{example}`"))
    }
}

/// Reports every repeated name, at its second and later places.
pub(crate) fn refuse_repeated<'a>(named: impl Iterator<Item = &'a Named>, errors: &mut Errors) {
    let mut seen: Vec<&Ident> = Vec::new();
    for Named { name, .. } in named {
        if seen.contains(&name) {
            errors.push(Diagnostic::new(name, format_args!("`{name}` is given twice")));
        } else {
            seen.push(name);
        }
    }
}

/// Returns the named arguments of a list.
pub(crate) fn named(args: &[Arg]) -> impl Iterator<Item = &Named> {
    args.iter().filter_map(|arg| match arg {
        Arg::Named(named) => Some(named),
        Arg::Value(_) => None,
    })
}
