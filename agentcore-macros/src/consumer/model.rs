//! The parsed input of `#[consumer]`. Every value keeps its span.

use proc_macro2::{Span, TokenStream};
use syn::{Attribute, Expr, Generics, Ident, ItemStruct, LitStr, Signature, Type};

use crate::crate_path::CratePath;

/// `#[consumer(..)]` on a struct.
pub(super) struct ConsumerStruct {
    /// The user's struct, without the field attributes of `#[consumer]`.
    pub(super) item: ItemStruct,
    pub(super) crate_path: CratePath,
    /// The route, in axum's syntax.
    pub(super) path: Option<LitStr>,
    pub(super) sends: Vec<Type>,
    pub(super) fields: Vec<ConsumerField>,
}

/// A field of a consumer.
pub(super) struct ConsumerField {
    pub(super) ident: Ident,
    pub(super) ty: Type,
    pub(super) cfgs: Vec<Attribute>,
    pub(super) source: FieldSource,
    /// The place of its `#[user]`.
    pub(super) user: Option<Span>,
}

/// The source of a field's value.
pub(super) enum FieldSource {
    /// `#[path]`: the name in the route, at the token that states it.
    Path(LitStr),
    /// `#[query]`: the name in the query.
    Query(LitStr),
    /// `#[state]`.
    State,
    /// `#[default(..)]`.
    Expr(Box<Expr>),
    /// No attribute: `Default::default()`.
    Default,
}

/// `#[consumer]` on an impl block.
pub(super) struct ConsumerImpl {
    /// The user's block, without the `#[on]` attributes.
    pub(super) item: TokenStream,
    pub(super) crate_path: CratePath,
    pub(super) generics: Generics,
    pub(super) self_ty: Type,
    /// The trait of `impl Trait for Type`.
    pub(super) trait_: Option<Type>,
    pub(super) methods: Vec<Method>,
}

/// A method with `#[on(..)]`, before its signature is checked.
pub(super) struct Method {
    pub(super) on: OnArguments,
    pub(super) cfgs: Vec<Attribute>,
    pub(super) sig: Signature,
}

/// The arguments of `#[on(..)]`.
pub(super) struct OnArguments {
    pub(super) event: Event,
    pub(super) rate_limit: RateLimit,
    pub(super) timeout_ms: Option<u64>,
    pub(super) cancel_safe: bool,
}

/// The first argument of `#[on(..)]`: the event that calls the handler.
pub(super) enum Event {
    /// A message of this type.
    Message(LitStr),
    /// `connect`, at the token that states it.
    Connect(Ident),
    /// `disconnect`, at the token that states it.
    Disconnect(Ident),
}

/// The argument `rate_limit`.
pub(super) enum RateLimit {
    /// No argument: each message counts once against the limit that all handlers share.
    Shared,
    Exempt,
    Cost(u32),
    Own {
        messages: u32,
        window_ms: u64,
    },
}

/// A method whose signature is that of a handler.
pub(super) struct Handler<'a> {
    pub(super) method: &'a Method,
    /// The parameters after `&mut self`, in source order.
    pub(super) parameters: Vec<Parameter<'a>>,
}

/// A parameter of a handler.
pub(super) enum Parameter<'a> {
    /// A reference: the context.
    Context(&'a Type),
    /// An owned value: the payload, or the reason of a disconnect.
    Owned(&'a Type),
}

impl<'a> Handler<'a> {
    /// Returns the name of the method.
    pub(super) fn name(&self) -> &'a Ident {
        &self.method.sig.ident
    }

    /// Returns the message type of a message handler, `None` for a hook.
    pub(super) fn message_type(&self) -> Option<&'a LitStr> {
        match &self.method.on.event {
            Event::Message(message_type) => Some(message_type),
            Event::Connect(_) | Event::Disconnect(_) => None,
        }
    }

    /// Returns the type of the payload, or of the reason of a disconnect.
    pub(super) fn owned(&self) -> Option<&'a Type> {
        self.parameters.iter().find_map(|parameter| match parameter {
            Parameter::Owned(ty) => Some(*ty),
            Parameter::Context(_) => None,
        })
    }
}
