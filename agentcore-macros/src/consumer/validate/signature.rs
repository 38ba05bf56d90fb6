//! Checks the signature of one handler.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{FnArg, GenericParam, ReceiverKind, ReturnType, Signature, Type};

use crate::consumer::model::{ConsumerImpl, Event, Handler, Method, Parameter};
use crate::diagnostics::{Diagnostic, Errors};

/// Returns the handler, or reports the mistakes in its signature.
pub(super) fn handler<'a>(consumer: &'a ConsumerImpl, method: &'a Method, errors: &mut Errors) -> Option<Handler<'a>> {
    let before = errors.count();
    let sig = &method.sig;
    let name = &sig.ident;
    if sig.asyncness.is_none() {
        let error = Diagnostic::new(sig.fn_token, format_args!("handler `{name}` must be `async`"));
        errors.push(error.help(format_args!("write `async fn {name}`")));
    }
    for parameter in &sig.generics.params {
        if !matches!(parameter, GenericParam::Lifetime(_)) {
            let error = Diagnostic::new(parameter, format_args!("handler `{name}` must not have generic parameters"));
            errors.push(error.note("the signature of a handler must name the types of its payload and its reply"));
        }
    }
    receiver(sig, errors);
    let parameters = parameters(consumer, method, errors);
    if let ReturnType::Type(_, ty) = &sig.output
        && let Some(impl_token) = impl_trait(ty)
    {
        let error = Diagnostic::new(impl_token, format_args!("handler `{name}` must name the type that it returns"));
        errors.push(error.note("the catalogue lists the returned message"));
    }
    (errors.count() == before).then_some(Handler { method, parameters })
}

fn receiver(sig: &Signature, errors: &mut Errors) {
    let wrong = match sig.inputs.first() {
        Some(FnArg::Receiver(receiver)) => match &receiver.kind {
            ReceiverKind::Reference(_, _, Some(_)) => return,
            _ => receiver.to_token_stream(),
        },
        Some(FnArg::Typed(first)) => first.pat.to_token_stream(),
        None => sig.ident.to_token_stream(),
    };
    let error = Diagnostic::new(wrong, format_args!("handler `{}` must take `&mut self` first", sig.ident));
    errors.push(error.note("the messages of a connection are handled one at a time"));
}

fn parameters<'a>(consumer: &ConsumerImpl, method: &'a Method, errors: &mut Errors) -> Vec<Parameter<'a>> {
    let name = &method.sig.ident;
    let mut parameters: Vec<Parameter<'a>> = Vec::new();
    for input in &method.sig.inputs {
        let FnArg::Typed(typed) = input else { continue };
        let parameter = match &*typed.ty {
            Type::Reference(reference) => {
                if let Some(mutability) = &reference.mutability {
                    let text = format!("handler `{name}` must take its context by shared reference");
                    errors.push(Diagnostic::new(mutability, text).help("write `cx: &Context<Self>`"));
                }
                Parameter::Context(&typed.ty)
            }
            ty => Parameter::Owned(ty),
        };
        let same_kind = |earlier: &Parameter<'_>| std::mem::discriminant(earlier) == std::mem::discriminant(&parameter);
        if parameters.iter().any(same_kind) {
            errors.push(second_of_a_kind(method, &typed.ty, &parameter));
            continue;
        }
        if let Parameter::Owned(ty) = parameter {
            owned(consumer, method, ty, errors);
        }
        parameters.push(parameter);
    }
    parameters
}

fn second_of_a_kind(method: &Method, ty: &Type, parameter: &Parameter<'_>) -> Diagnostic {
    const NOTE: &str = "after `&mut self`, a reference is the context and an owned value is the payload";
    let name = &method.sig.ident;
    match parameter {
        Parameter::Context(_) => {
            let error = Diagnostic::new(ty, format_args!("handler `{name}` must not take a second reference"));
            error.help("remove the parameter, or take the payload by value").note(NOTE)
        }
        Parameter::Owned(_) => {
            let error = Diagnostic::new(ty, format_args!("handler `{name}` must not take a second payload"));
            error.help("put all data of the message into one `#[message]`").note(NOTE)
        }
    }
}

fn owned(consumer: &ConsumerImpl, method: &Method, ty: &Type, errors: &mut Errors) {
    let name = &method.sig.ident;
    match &method.on.event {
        Event::Connect(_) => {
            let error = Diagnostic::new(ty, format_args!("handler `{name}` of `connect` must not take a payload"));
            errors.push(error.note("no message has arrived yet; the struct's fields hold the path and the query"));
        }
        Event::Disconnect(_) => {}
        Event::Message(_) => {
            if let Some(impl_token) = impl_trait(ty) {
                let text = format!("handler `{name}` must name the type of its payload");
                errors.push(Diagnostic::new(impl_token, text));
            } else if let Some(used) = consumer_parameter(ty.to_token_stream(), consumer) {
                let error =
                    Diagnostic::new(&used, format_args!("the payload of handler `{name}` must not depend on `{used}`"));
                errors.push(error.note("a payload is one type with `#[message]`, the same in every consumer"));
            }
        }
    }
}

/// Returns the first `impl` keyword in a type.
fn impl_trait(ty: &Type) -> Option<Ident> {
    fn find(tokens: TokenStream) -> Option<Ident> {
        tokens.into_iter().find_map(|tree| match tree {
            TokenTree::Ident(ident) if ident == "impl" => Some(ident),
            TokenTree::Group(group) => find(group.stream()),
            _ => None,
        })
    }
    find(ty.to_token_stream())
}

/// Returns the first `Self` or generic parameter of the impl block in a type.
fn consumer_parameter(tokens: TokenStream, consumer: &ConsumerImpl) -> Option<Ident> {
    let is_parameter = |ident: &Ident| {
        ident == "Self"
            || consumer.generics.params.iter().any(|parameter| match parameter {
                GenericParam::Type(parameter) => parameter.ident == *ident,
                GenericParam::Const(parameter) => parameter.ident == *ident,
                GenericParam::Lifetime(_) => false,
            })
    };
    tokens.into_iter().find_map(|tree| match tree {
        TokenTree::Ident(ident) if is_parameter(&ident) => Some(ident),
        TokenTree::Group(group) => consumer_parameter(group.stream(), consumer),
        _ => None,
    })
}
