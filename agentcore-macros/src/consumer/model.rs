//! What `#[consumer]` was given, on either half.

use proc_macro2::{Span, TokenStream};
use syn::{Attribute, Expr, Generics, Ident, ItemStruct, LitStr, Signature, Type};

use crate::consumer::on::On;
use crate::crate_path::Paths;

/// The struct half.
pub(super) struct StructHalf {
    /// The user's item, without the attributes that are ours.
    pub(super) item: ItemStruct,
    pub(super) paths: Paths,
    pub(super) path: Option<LitStr>,
    pub(super) sends: Vec<Type>,
    pub(super) fields: Vec<Field>,
}

/// A field of the struct half.
pub(super) struct Field {
    pub(super) ident: Ident,
    pub(super) ty: Type,
    pub(super) cfgs: Vec<Attribute>,
    pub(super) source: Source,
    /// Where it says `#[user]`.
    pub(super) user: Option<Span>,
}

/// Where the value of a field comes from.
pub(super) enum Source {
    /// A part of the path, and the token that names it.
    Path(LitStr),
    /// A value of the query.
    Query(LitStr),
    State,
    Expr(Box<Expr>),
    Default,
}

/// The impl half.
pub(super) struct ImplHalf {
    /// The user's block, without the attributes that are ours.
    pub(super) item: TokenStream,
    pub(super) paths: Paths,
    pub(super) generics: Generics,
    pub(super) self_ty: Type,
    /// The trait of `impl Trait for Type`.
    pub(super) trait_: Option<Type>,
    pub(super) methods: Vec<Method>,
}

/// A method with `#[on(..)]`.
pub(super) struct Method {
    pub(super) on: On,
    pub(super) cfgs: Vec<Attribute>,
    pub(super) sig: Signature,
}

/// A method that was found to be a handler.
pub(super) struct Handler<'a> {
    pub(super) method: &'a Method,
    /// What it takes after `&mut self`, in its order.
    pub(super) parameters: Vec<Parameter<'a>>,
}

/// What a handler is given.
pub(super) enum Parameter<'a> {
    Context(&'a Type),
    Owned(&'a Type),
}

impl<'a> Handler<'a> {
    /// The name of the method.
    pub(super) fn name(&self) -> &'a Ident {
        &self.method.sig.ident
    }

    /// The type of the payload, or of the reason of a disconnect.
    pub(super) fn owned(&self) -> Option<&'a Type> {
        self.parameters.iter().find_map(|parameter| match parameter {
            Parameter::Owned(ty) => Some(*ty),
            Parameter::Context(_) => None,
        })
    }
}
