//! The rules of consumers that need more than one argument.

use std::collections::HashMap;

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::spanned::Spanned as _;
use syn::{FnArg, GenericParam, ReturnType, Signature, Type};

use super::super::model::{Field, Handler, ImplHalf, Method, Parameter, Source, StructHalf};
use super::route;
use crate::consumer::on::Event;
use crate::diagnostics::{Diagnostic, Errors};

/// Reports what is wrong with the struct half.
pub(in super::super) fn struct_half(half: &StructHalf, errors: &mut Errors) {
    if let Some(path) = &half.path {
        match route::names(path) {
            Ok(names) => path_fields(half, &names, errors),
            Err(error) => errors.push(error),
        }
    }
    users(&half.fields, errors);
    let mut listed: Vec<String> = Vec::new();
    for sent in &half.sends {
        let text = sent.to_token_stream().to_string();
        if listed.contains(&text) {
            errors.push(Diagnostic::new(sent, format_args!("`{}` is listed twice in `sends(..)`", plain(sent))));
        }
        listed.push(text);
    }
}

fn path_fields(half: &StructHalf, names: &[String], errors: &mut Errors) {
    let mut taken: Vec<String> = Vec::new();
    for field in &half.fields {
        let Source::Path(name) = &field.source else { continue };
        let text = name.value();
        if !names.contains(&text) {
            let error = Diagnostic::new(name, format_args!("field `{}` has no `{{{text}}}` in the path", field.ident));
            errors.push(match names {
                [] => error.help(format_args!("add it: `path = \"/ws/{{{text}}}\"`")),
                _ => error.note(format_args!("the path has {}", braces(names))),
            });
        } else if taken.contains(&text) && field.cfgs.is_empty() {
            errors.push(Diagnostic::new(name, format_args!("`{{{text}}}` has a field already")));
        }
        taken.push(text);
    }
    // A field whose name is not in the path was probably meant for one that has no field: one mistake, not two.
    let strays = taken.iter().filter(|name| !names.contains(name)).count();
    for name in names.iter().filter(|name| !taken.contains(name)).skip(strays) {
        let error = Diagnostic::new(&half.path, format_args!("`{{{name}}}` in the path has no field"));
        errors.push(error.help(format_args!("add `#[path] {name}: String` to `struct {}`", half.item.ident)));
    }
}

fn braces(names: &[String]) -> String {
    names.iter().map(|name| format!("`{{{name}}}`")).collect::<Vec<_>>().join(", ")
}

fn users(fields: &[Field], errors: &mut Errors) {
    let mut users = fields.iter().filter_map(|field| field.user.map(|at| (field, at)));
    let Some((first, at)) = users.next() else { return };
    let mut more = users.peekable();
    if more.peek().is_none() {
        return;
    }
    for (field, at) in more {
        let error = Diagnostic::at(at, format_args!("field `{}` is a second `#[user]`", field.ident));
        errors.push(error.help("keep one").note("a connection has one user"));
    }
    errors.push(Diagnostic::at(at, format_args!("the first `#[user]` is field `{}`", first.ident)));
}

/// Reports what is wrong with the impl half, and gives the handlers that are right.
pub(in super::super) fn impl_half<'a>(half: &'a ImplHalf, errors: &mut Errors) -> Vec<Handler<'a>> {
    if let Some(trait_) = &half.trait_ {
        let error = Diagnostic::new(trait_, "`#[consumer]` stands on an impl block without a trait");
        errors.push(error.help(format_args!("`impl {}`", plain(&half.self_ty))));
        return Vec::new();
    }
    let mut first: HashMap<String, Vec<&Method>> = HashMap::new();
    let mut handlers = Vec::new();
    for method in &half.methods {
        let same = first.entry(key(method)).or_default();
        if let Some(earlier) = same.iter().find(|earlier| together(earlier, method)) {
            repeated(earlier, method, errors);
            continue;
        }
        same.push(method);
        handlers.extend(handler(half, method, errors));
    }
    handlers
}

/// What two handlers cannot share.
fn key(method: &Method) -> String {
    match &method.on.event {
        Event::Message(name) => format!("\"{}\"", name.value()),
        Event::Connect(event) | Event::Disconnect(event) => event.to_string(),
    }
}

/// Whether both methods can be there in one build: `cfg`s that differ may exclude each other.
fn together(a: &Method, b: &Method) -> bool {
    a.cfgs.is_empty() || b.cfgs.is_empty() || a.cfgs == b.cfgs
}

fn repeated(first: &Method, second: &Method, errors: &mut Errors) {
    let what = match &second.on.event {
        Event::Message(name) => format!("message type `{}`", name.value()),
        Event::Connect(event) | Event::Disconnect(event) => format!("`{event}`"),
    };
    let help = match &second.on.event {
        Event::Message(_) => "remove one handler, or give it a different message type",
        _ => "remove one handler, or call one from the other",
    };
    let error = Diagnostic::new(event_token(second), format_args!("{what} is handled twice in this consumer"));
    errors.push(error.help(help));
    let text = format!("{what} is handled here first, by method `{}`", first.sig.ident);
    errors.push(Diagnostic::new(event_token(first), text));
}

fn event_token(method: &Method) -> TokenStream {
    match &method.on.event {
        Event::Message(name) => name.to_token_stream(),
        Event::Connect(event) | Event::Disconnect(event) => event.to_token_stream(),
    }
}

/// The handler that a method is, when nothing is wrong with it.
fn handler<'a>(half: &'a ImplHalf, method: &'a Method, errors: &mut Errors) -> Option<Handler<'a>> {
    let before = errors.count();
    let sig = &method.sig;
    let name = &sig.ident;
    if sig.asyncness.is_none() {
        let error = Diagnostic::new(sig.fn_token, format_args!("handler `{name}` must be `async`"));
        errors.push(error.help(format_args!("`async fn {name}`")));
    }
    for parameter in &sig.generics.params {
        if !matches!(parameter, GenericParam::Lifetime(_)) {
            let error = Diagnostic::new(parameter, format_args!("handler `{name}` cannot have parameters of its own"));
            errors.push(error.note("the payload's type must be known from the handler alone"));
        }
    }
    receiver(sig, errors);
    let parameters = parameters(half, method, errors);
    if let ReturnType::Type(_, ty) = &sig.output
        && let Some(at) = impl_trait(ty)
    {
        let error = Diagnostic::new(at, format_args!("handler `{name}` must name the type that it returns"));
        errors.push(error.note("the returned message stands in the catalogue"));
    }
    (errors.count() == before).then_some(Handler { method, parameters })
}

fn receiver(sig: &Signature, errors: &mut Errors) {
    let wrong = match sig.inputs.first() {
        Some(FnArg::Receiver(receiver)) => match &receiver.kind {
            syn::ReceiverKind::Reference(_, _, Some(_)) => return,
            _ => receiver.to_token_stream(),
        },
        Some(FnArg::Typed(first)) => first.pat.to_token_stream(),
        None => sig.ident.to_token_stream(),
    };
    let error = Diagnostic::new(wrong, format_args!("handler `{}` must take `&mut self` first", sig.ident));
    errors.push(error.note("the messages of one connection are handled one after the other"));
}

fn parameters<'a>(half: &ImplHalf, method: &'a Method, errors: &mut Errors) -> Vec<Parameter<'a>> {
    let name = &method.sig.ident;
    let mut parameters: Vec<Parameter<'a>> = Vec::new();
    for input in &method.sig.inputs {
        let FnArg::Typed(typed) = input else { continue };
        let parameter = match &*typed.ty {
            Type::Reference(reference) => {
                if let Some(mutability) = &reference.mutability {
                    let error =
                        Diagnostic::new(mutability, format_args!("handler `{name}` must take its context as `&`"));
                    errors.push(error.help("`cx: &Context<Self>`"));
                }
                Parameter::Context(&typed.ty)
            }
            ty => Parameter::Owned(ty),
        };
        let same = |earlier: &Parameter<'_>| std::mem::discriminant(earlier) == std::mem::discriminant(&parameter);
        if parameters.iter().any(same) {
            errors.push(too_many(method, &typed.ty, &parameter));
            continue;
        }
        if let Parameter::Owned(ty) = parameter {
            owned(half, method, ty, errors);
        }
        parameters.push(parameter);
    }
    parameters
}

fn too_many(method: &Method, ty: &Type, parameter: &Parameter<'_>) -> Diagnostic {
    let name = &method.sig.ident;
    let error = match parameter {
        Parameter::Context(_) => Diagnostic::new(ty, format_args!("handler `{name}` takes a second reference")),
        Parameter::Owned(_) => Diagnostic::new(ty, format_args!("handler `{name}` takes a second payload")),
    };
    error
        .help("put all data of the message into one `#[message]`")
        .note("a handler takes `&mut self`, then a reference: the context, and an owned value: the payload")
}

/// Checks the type of the owned parameter.
fn owned(half: &ImplHalf, method: &Method, ty: &Type, errors: &mut Errors) {
    let name = &method.sig.ident;
    match &method.on.event {
        Event::Connect(_) => {
            let error = Diagnostic::new(ty, format_args!("handler `{name}` of `connect` takes no payload"));
            errors.push(error.note("nothing was received yet; the struct's fields hold the path and the query"));
        }
        Event::Disconnect(_) => {}
        Event::Message(_) => {
            if let Some(at) = impl_trait(ty) {
                errors.push(Diagnostic::new(at, format_args!("handler `{name}` must name the type of its payload")));
            } else if let Some(at) = depends_on(ty.to_token_stream(), half) {
                let error = Diagnostic::new(&at, format_args!("the payload of handler `{name}` cannot use `{at}`"));
                errors.push(error.note("a payload is one type with a `#[message]`, the same for every consumer"));
            }
        }
    }
}

/// The `impl Trait` that a type is or has first inside.
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

/// `Self` or the parameter of the impl block that a type names.
fn depends_on(tokens: TokenStream, half: &ImplHalf) -> Option<Ident> {
    let is_parameter = |ident: &Ident| {
        ident == "Self"
            || half.generics.params.iter().any(|parameter| match parameter {
                GenericParam::Type(parameter) => parameter.ident == *ident,
                GenericParam::Const(parameter) => parameter.ident == *ident,
                _ => false,
            })
    };
    tokens.into_iter().find_map(|tree| match tree {
        TokenTree::Ident(ident) if is_parameter(&ident) => Some(ident),
        TokenTree::Group(group) => depends_on(group.stream(), half),
        _ => None,
    })
}

/// A type as the user wrote it, near enough for a text.
pub(in super::super) fn plain(ty: &Type) -> String {
    let source = ty.span().source_text();
    source.unwrap_or_else(|| ty.to_token_stream().to_string())
}
