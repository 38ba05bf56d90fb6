//! Parses `#[consumer(..)]` on a struct, and the attributes of its fields.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{Attribute, Fields, Ident, ItemStruct, Lit, LitStr, Meta, Token, Type};

use crate::args::{self, Arg, Named};
use crate::consumer::model::{ConsumerField, ConsumerStruct, FieldSource};
use crate::crate_path::CratePath;
use crate::diagnostics::{Diagnostic, Errors};

/// The arguments of `#[consumer(..)]` on a struct.
pub(super) const ARGUMENTS: &[&str] = &["path", "sends", "crate"];

const FIELD_ATTRIBUTES: &[&str] = &["path", "query", "user", "state", "default"];

/// Parses the arguments and removes the attributes of `#[consumer]` from the fields.
pub(in super::super) fn consumer_struct(
    args: TokenStream,
    mut item: ItemStruct,
    errors: &mut Errors,
) -> ConsumerStruct {
    let (mut crate_path, mut path, mut sends) = (CratePath::default(), None, Vec::new());
    let before = errors.count();
    let args = errors.check(args::parse(args)).unwrap_or_default();
    args::refuse_repeated(args::named(&args), errors);
    for arg in &args {
        match arg {
            Arg::Named(named) => match named.name.to_string().as_str() {
                "path" => path = errors.check(named.text("path = \"/ws\"")),
                "sends" => sends = errors.check(types(named)).unwrap_or_default(),
                "crate" => crate_path.set(named, errors),
                _ => errors.push(Diagnostic::unknown(&named.name, "`#[consumer]` argument", ARGUMENTS)),
            },
            Arg::Value(value) => {
                let error = Diagnostic::new(value, "`#[consumer]` takes no arguments without a name");
                errors.push(error.help(format_args!("write `path = {}`", value.to_token_stream())));
            }
        }
    }
    if path.is_none() && errors.count() == before {
        let error = Diagnostic::new(&item.ident, format_args!("consumer `{}` must have a path", item.ident));
        errors.push(error.help("write `#[consumer(path = \"/ws\")]`"));
    }
    let fields = fields(&mut item, errors);
    ConsumerStruct { item, crate_path, path, sends, fields }
}

/// Returns the `#[cfg]` attributes, which generated code repeats.
pub(super) fn cfgs(attrs: &[Attribute]) -> Vec<Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("cfg")).cloned().collect()
}

fn types(arg: &Named) -> syn::Result<Vec<Type>> {
    let tokens = arg.list("sends(Said, UserTyping)")?;
    let parser = Punctuated::<Type, Token![,]>::parse_terminated;
    Ok(syn::parse::Parser::parse2(parser, tokens.clone())?.into_iter().collect())
}

fn fields(item: &mut ItemStruct, errors: &mut Errors) -> Vec<ConsumerField> {
    if let Fields::Unnamed(fields) = &item.fields {
        let error = Diagnostic::new(fields, format_args!("the fields of consumer `{}` must have names", item.ident));
        errors.push(error.help(format_args!("write `struct {} {{ name: Type }}`", item.ident)));
    }
    let mut parsed = Vec::new();
    for field in &mut item.fields {
        let attrs: Vec<Attribute> = field.attrs.extract_if(.., |attr| field_attribute(attr).is_some()).collect();
        if let Some(ident) = &field.ident {
            let (source, user) = source_and_user(ident, &attrs, errors);
            let cfgs = cfgs(&field.attrs);
            parsed.push(ConsumerField { ident: ident.clone(), ty: field.ty.clone(), cfgs, source, user });
        }
    }
    parsed
}

/// Returns the name of a field attribute that belongs to `#[consumer]`.
fn field_attribute(attr: &Attribute) -> Option<&'static str> {
    FIELD_ATTRIBUTES.iter().find(|name| attr.path().is_ident(**name)).copied()
}

fn source_and_user(field: &Ident, attrs: &[Attribute], errors: &mut Errors) -> (FieldSource, Option<Span>) {
    let mut source: Option<(FieldSource, &Attribute)> = None;
    let mut user = None;
    for attr in attrs {
        if attr.path().is_ident("user") {
            errors.check(no_arguments(attr));
            user = Some(attr.path().span());
            continue;
        }
        match &source {
            Some((_, first)) => {
                let (first, second) = (first.path().to_token_stream(), attr.path().to_token_stream());
                let text = format!("field `{field}` already gets its value from `#[{first}]`");
                errors.push(Diagnostic::new(attr.path(), text).help(format_args!("remove `#[{second}]`")));
            }
            None => source = errors.check(source_of(field, attr)).map(|source| (source, attr)),
        }
    }
    (source.map_or(FieldSource::Default, |(source, _)| source), user)
}

fn source_of(field: &Ident, attr: &Attribute) -> syn::Result<FieldSource> {
    match field_attribute(attr) {
        Some("path") => parameter(field, attr).map(FieldSource::Path),
        Some("query") => parameter(field, attr).map(FieldSource::Query),
        Some("default") => match &attr.meta {
            Meta::List(list) => Ok(FieldSource::Expr(Box::new(list.parse_args()?))),
            _ => {
                let error = Diagnostic::new(attr.path(), "`#[default]` must have a value in parentheses");
                Err(error.help("write `#[default(0)]`").into())
            }
        },
        _ => no_arguments(attr).map(|()| FieldSource::State),
    }
}

fn no_arguments(attr: &Attribute) -> syn::Result<()> {
    match &attr.meta {
        Meta::Path(_) => Ok(()),
        meta => {
            let name = attr.path().to_token_stream();
            Err(Diagnostic::new(meta, format_args!("`#[{name}]` takes no arguments")).into())
        }
    }
}

/// Returns the name of a path or query parameter: the name that the attribute states, or that of the field.
fn parameter(field: &Ident, attr: &Attribute) -> syn::Result<LitStr> {
    let name = attr.path().to_token_stream();
    match &attr.meta {
        Meta::Path(path) => Ok(LitStr::new(&field.unraw().to_string(), path.span())),
        Meta::List(list) => match syn::parse2::<Lit>(list.tokens.clone()) {
            Ok(Lit::Str(text)) => Ok(text),
            _ => {
                let error = Diagnostic::new(&list.tokens, format_args!("`#[{name}]` takes one name in quotes"));
                Err(error.help(format_args!("write `#[{name}(\"{field}\")]`")).into())
            }
        },
        Meta::NameValue(pair) => {
            let error = Diagnostic::new(&pair.value, format_args!("`#[{name}]` takes its name in parentheses"));
            Err(error.help(format_args!("write `#[{name}({})]`", pair.value.to_token_stream())).into())
        }
    }
}
