//! From tokens to the model.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{Attribute, Fields, ImplItem, ItemStruct, Lit, LitStr, Meta, Signature, Token, Type, Visibility};

use super::super::model::{Field, ImplHalf, Method, Source, StructHalf};
use crate::args::{self, Arg, Named};
use crate::consumer::on::{On, is_on};
use crate::crate_path::Paths;
use crate::diagnostics::{Diagnostic, Errors};

const STRUCT_ARGUMENTS: &[&str] = &["path", "sends", "crate"];
const FIELD_ATTRIBUTES: &[&str] = &["path", "query", "user", "state", "default"];

/// Reads the struct half and takes our attributes off its fields.
pub(in super::super) fn struct_half(args: TokenStream, mut item: ItemStruct, errors: &mut Errors) -> StructHalf {
    let (mut paths, mut path, mut sends) = (Paths::default(), None, Vec::new());
    let before = errors.count();
    let args = errors.check(args::parse(args)).unwrap_or_default();
    args::refuse_repeated(args::named(&args), errors);
    for arg in &args {
        match arg {
            Arg::Named(named) => match named.name.to_string().as_str() {
                "path" => path = errors.check(named.text("path = \"/ws\"")),
                "sends" => sends = errors.check(types(named)).unwrap_or_default(),
                "crate" => paths.set(named, errors),
                _ => errors.push(Diagnostic::unknown(&named.name, "`#[consumer]` argument", STRUCT_ARGUMENTS)),
            },
            Arg::Value(value) => {
                let error = Diagnostic::new(value, "the arguments of `#[consumer]` have names");
                errors.push(error.help(format_args!("`path = {}`", value.to_token_stream())));
            }
        }
    }
    if path.is_none() && errors.count() == before {
        let error = Diagnostic::new(&item.ident, format_args!("consumer `{}` must have a path", item.ident));
        errors.push(error.help("`#[consumer(path = \"/ws\")]`"));
    }
    let fields = fields(&mut item, errors);
    StructHalf { item, paths, path, sends, fields }
}

fn types(arg: &Named) -> syn::Result<Vec<Type>> {
    let tokens = arg.list("sends(Said, UserTyping)")?;
    let parser = Punctuated::<Type, Token![,]>::parse_terminated;
    Ok(syn::parse::Parser::parse2(parser, tokens.clone())?.into_iter().collect())
}

fn fields(item: &mut ItemStruct, errors: &mut Errors) -> Vec<Field> {
    if let Fields::Unnamed(fields) = &item.fields {
        let error = Diagnostic::new(fields, format_args!("the fields of consumer `{}` must have names", item.ident));
        errors.push(error.help(format_args!("`struct {} {{ name: Type }}`", item.ident)));
    }
    let mut parsed = Vec::new();
    for field in &mut item.fields {
        let ours: Vec<Attribute> = field.attrs.extract_if(.., |attr| ours(attr).is_some()).collect();
        if let Some(ident) = &field.ident {
            let (source, user) = sources(ident, &ours, errors);
            let cfgs = cfgs(&field.attrs);
            parsed.push(Field { ident: ident.clone(), ty: field.ty.clone(), cfgs, source, user });
        }
    }
    parsed
}

fn ours(attr: &Attribute) -> Option<&'static str> {
    FIELD_ATTRIBUTES.iter().find(|name| attr.path().is_ident(**name)).copied()
}

fn cfgs(attrs: &[Attribute]) -> Vec<Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("cfg")).cloned().collect()
}

/// What the attributes of a field say.
fn sources(field: &syn::Ident, attrs: &[Attribute], errors: &mut Errors) -> (Source, Option<proc_macro2::Span>) {
    let mut source: Option<(Source, &Attribute)> = None;
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
                let text = format!("field `{field}` has its value from `#[{first}]` already");
                errors.push(Diagnostic::new(attr.path(), text).help(format_args!("remove `#[{second}]`")));
            }
            None => source = errors.check(source_of(field, attr)).map(|source| (source, attr)),
        }
    }
    (source.map_or(Source::Default, |(source, _)| source), user)
}

fn source_of(field: &syn::Ident, attr: &Attribute) -> syn::Result<Source> {
    match ours(attr) {
        Some("path") => parameter(field, attr).map(Source::Path),
        Some("query") => parameter(field, attr).map(Source::Query),
        Some("default") => match &attr.meta {
            Meta::List(list) => Ok(Source::Expr(Box::new(list.parse_args()?))),
            _ => Err(Diagnostic::new(attr.path(), "`#[default]` must have a value").help("`#[default(0)]`").into()),
        },
        _ => no_arguments(attr).map(|()| Source::State),
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

/// The name in the path or in the query: the field's, or the one that is given.
fn parameter(field: &syn::Ident, attr: &Attribute) -> syn::Result<LitStr> {
    let name = attr.path().to_token_stream();
    match &attr.meta {
        Meta::Path(path) => Ok(LitStr::new(&field.unraw().to_string(), path.span())),
        Meta::List(list) => match syn::parse2::<Lit>(list.tokens.clone()) {
            Ok(Lit::Str(text)) => Ok(text),
            _ => {
                let error = Diagnostic::new(&list.tokens, format_args!("`#[{name}]` takes one name, a text"));
                Err(error.help(format_args!("`#[{name}(\"{field}\")]`")).into())
            }
        },
        Meta::NameValue(pair) => {
            let error = Diagnostic::new(&pair.value, format_args!("`#[{name}]` takes its name in parentheses"));
            Err(error.help(format_args!("`#[{name}({})]`", pair.value.to_token_stream())).into())
        }
    }
}

/// An impl block whose bodies are not parsed, so that an editor may leave them unfinished.
pub(in super::super) struct Block {
    generics: syn::Generics,
    trait_: Option<Type>,
    self_ty: Type,
    /// All before the body, as it was written.
    header: TokenStream,
    body: Group,
    inner: Vec<Attribute>,
    items: Vec<(Vec<Attribute>, Item)>,
}

enum Item {
    Method { vis: Visibility, sig: Box<Signature>, body: TokenTree },
    Other(Box<ImplItem>),
}

/// Whether the tokens are an impl block at all.
pub(in super::super) fn is_impl(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|tree| matches!(tree, TokenTree::Ident(ident) if ident == "impl"))
}

impl Parse for Block {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let ahead = input.fork();
        ahead.call(Attribute::parse_outer)?;
        ahead.parse::<Option<Token![unsafe]>>()?;
        ahead.parse::<Token![impl]>()?;
        let mut generics = if ahead.peek(Token![<]) { ahead.parse()? } else { syn::Generics::default() };
        let mut self_ty: Type = ahead.parse()?;
        let mut trait_ = None;
        if ahead.parse::<Option<Token![for]>>()?.is_some() {
            trait_ = Some(std::mem::replace(&mut self_ty, ahead.parse()?));
        }
        generics.where_clause = ahead.parse()?;

        let mut header = input.parse::<TokenStream>()?.into_iter().collect::<Vec<_>>();
        ahead.parse::<TokenStream>()?;
        let Some(TokenTree::Group(body)) = header.pop() else {
            return Err(syn::Error::new(self_ty.span(), "expected an impl block with a body"));
        };
        let (inner, items) = syn::parse::Parser::parse2(items, body.stream())?;
        Ok(Self { generics, trait_, self_ty, header: header.into_iter().collect(), body, inner, items })
    }
}

type Items = (Vec<Attribute>, Vec<(Vec<Attribute>, Item)>);

fn items(input: ParseStream<'_>) -> syn::Result<Items> {
    let inner = input.call(Attribute::parse_inner)?;
    let mut items = Vec::new();
    while !input.is_empty() {
        items.push((input.call(Attribute::parse_outer)?, input.parse()?));
    }
    Ok((inner, items))
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let ahead = input.fork();
        if ahead.parse::<Visibility>().is_ok() && ahead.parse::<Signature>().is_ok() {
            return Ok(Self::Method { vis: input.parse()?, sig: input.parse()?, body: input.parse()? });
        }
        input.parse().map(|item| Self::Other(Box::new(item)))
    }
}

/// Reads the impl half and takes `#[on]` off its methods.
pub(in super::super) fn impl_half(args: TokenStream, block: Block, errors: &mut Errors) -> ImplHalf {
    let mut paths = Paths::default();
    for arg in errors.check(args::parse(args)).unwrap_or_default() {
        match arg {
            Arg::Named(named) if named.name == "crate" => paths.set(&named, errors),
            Arg::Named(named) if STRUCT_ARGUMENTS.iter().any(|name| named.name == name) => {
                let error = Diagnostic::new(&named.name, format_args!("`{}` belongs to the struct half", named.name));
                errors.push(error.help("move it to the `#[consumer(..)]` on the struct"));
            }
            Arg::Named(named) => {
                let error = Diagnostic::unknown(&named.name, "`#[consumer]` argument", &["crate"]);
                errors.push(error.note("`path` and `sends` stand on the struct half"));
            }
            Arg::Value(value) => errors.push(Diagnostic::new(value, "`#[consumer]` on an impl block takes no value")),
        }
    }
    let mut methods = Vec::new();
    let mut written = TokenStream::new();
    for (mut attrs, item) in block.items {
        let ons: Vec<Attribute> = attrs.extract_if(.., |attr| is_on(attr)).collect();
        written.extend(quote!(#(#attrs)*));
        match item {
            Item::Method { vis, sig, body } => {
                written.extend(quote!(#vis #sig #body));
                methods.extend(method(&ons, *sig, &attrs, errors));
            }
            Item::Other(item) => {
                for on in &ons {
                    errors.push(Diagnostic::new(on.path(), "`#[on]` stands on methods"));
                }
                item.to_tokens(&mut written);
            }
        }
    }
    let (inner, header) = (&block.inner, &block.header);
    let mut body = Group::new(block.body.delimiter(), quote!(#(#inner)* #written));
    body.set_span(block.body.span());
    let item = quote!(#header #body);
    ImplHalf { item, paths, generics: block.generics, self_ty: block.self_ty, trait_: block.trait_, methods }
}

fn method(ons: &[Attribute], sig: Signature, attrs: &[Attribute], errors: &mut Errors) -> Option<Method> {
    let (first, more) = ons.split_first()?;
    for on in more {
        let error = Diagnostic::new(on.path(), format_args!("method `{}` has `#[on]` already", sig.ident));
        errors.push(error.help("write one method for each message type, which may share a third one"));
    }
    Some(Method { on: On::parse(first, errors)?, cfgs: cfgs(attrs), sig })
}
