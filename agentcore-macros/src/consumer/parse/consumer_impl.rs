//! Parses `#[consumer]` on an impl block, and removes `#[on]` from its methods.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::spanned::Spanned as _;
use syn::{Attribute, Generics, ImplItem, Signature, Token, Type, Visibility};

use super::consumer_struct::{ARGUMENTS as STRUCT_ARGUMENTS, cfgs};
use super::on::{is_on, on_arguments};
use crate::args::{self, Arg};
use crate::consumer::model::{ConsumerImpl, Method};
use crate::crate_path::CratePath;
use crate::diagnostics::{Diagnostic, Errors};

/// An impl block. The bodies of its methods stay unparsed, so an editor can expand it while a body is unfinished.
pub(in super::super) struct ImplBlock {
    generics: Generics,
    trait_: Option<Type>,
    self_ty: Type,
    /// The tokens before the body.
    header: TokenStream,
    body: Group,
    inner_attrs: Vec<Attribute>,
    items: Vec<(Vec<Attribute>, BlockItem)>,
}

enum BlockItem {
    Method { vis: Visibility, sig: Box<Signature>, body: TokenTree },
    Other(Box<ImplItem>),
}

/// Returns whether the tokens are meant to be an impl block.
pub(in super::super) fn is_impl_block(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|tree| matches!(tree, TokenTree::Ident(ident) if ident == "impl"))
}

/// Parses the arguments and removes `#[on]` from the methods.
pub(in super::super) fn consumer_impl(args: TokenStream, block: ImplBlock, errors: &mut Errors) -> ConsumerImpl {
    let crate_path = arguments(args, errors);
    let mut methods = Vec::new();
    let mut written = TokenStream::new();
    for (mut attrs, item) in block.items {
        let ons: Vec<Attribute> = attrs.extract_if(.., |attr| is_on(attr)).collect();
        written.extend(quote!(#(#attrs)*));
        match item {
            BlockItem::Method { vis, sig, body } => {
                written.extend(quote!(#vis #sig #body));
                methods.extend(method(&ons, *sig, &attrs, errors));
            }
            BlockItem::Other(item) => {
                for on in &ons {
                    errors.push(Diagnostic::new(on.path(), "`#[on]` must be on a method"));
                }
                item.to_tokens(&mut written);
            }
        }
    }
    let (inner_attrs, header) = (&block.inner_attrs, &block.header);
    let mut body = Group::new(block.body.delimiter(), quote!(#(#inner_attrs)* #written));
    body.set_span(block.body.span());
    let item = quote!(#header #body);
    ConsumerImpl { item, crate_path, generics: block.generics, self_ty: block.self_ty, trait_: block.trait_, methods }
}

fn arguments(args: TokenStream, errors: &mut Errors) -> CratePath {
    let mut crate_path = CratePath::default();
    for arg in errors.check(args::parse(args)).unwrap_or_default() {
        match arg {
            Arg::Named(named) if named.name == "crate" => crate_path.set(&named, errors),
            Arg::Named(named) if STRUCT_ARGUMENTS.iter().any(|name| named.name == name) => {
                let error = Diagnostic::new(&named.name, format_args!("`{}` must be on the struct", named.name));
                errors.push(error.help("move it to the `#[consumer(..)]` on the struct"));
            }
            Arg::Named(named) => {
                let error = Diagnostic::unknown(&named.name, "`#[consumer]` argument", &["crate"]);
                errors.push(error.note("`path` and `sends` are arguments of the `#[consumer]` on the struct"));
            }
            Arg::Value(value) => {
                errors.push(Diagnostic::new(value, "`#[consumer]` takes no arguments without a name"));
            }
        }
    }
    crate_path
}

fn method(ons: &[Attribute], sig: Signature, attrs: &[Attribute], errors: &mut Errors) -> Option<Method> {
    let (first, more) = ons.split_first()?;
    for on in more {
        let error = Diagnostic::new(on.path(), format_args!("method `{}` already has an `#[on]`", sig.ident));
        errors.push(error.help("write one method for each message type; both can call a third one"));
    }
    Some(Method { on: on_arguments(first, errors)?, cfgs: cfgs(attrs), sig })
}

impl Parse for ImplBlock {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let ahead = input.fork();
        ahead.call(Attribute::parse_outer)?;
        ahead.parse::<Option<Token![unsafe]>>()?;
        ahead.parse::<Token![impl]>()?;
        let mut generics = if ahead.peek(Token![<]) { ahead.parse()? } else { Generics::default() };
        let mut self_ty: Type = ahead.parse()?;
        let mut trait_ = None;
        if ahead.parse::<Option<Token![for]>>()?.is_some() {
            trait_ = Some(std::mem::replace(&mut self_ty, ahead.parse()?));
        }
        generics.where_clause = ahead.parse()?;

        let mut header = input.parse::<TokenStream>()?.into_iter().collect::<Vec<_>>();
        ahead.parse::<TokenStream>()?;
        let Some(TokenTree::Group(body)) = header.pop() else {
            return Err(syn::Error::new(self_ty.span(), "the impl block must have a body"));
        };
        let (inner_attrs, items) = items.parse2(body.stream())?;
        Ok(Self { generics, trait_, self_ty, header: header.into_iter().collect(), body, inner_attrs, items })
    }
}

type Items = (Vec<Attribute>, Vec<(Vec<Attribute>, BlockItem)>);

fn items(input: ParseStream<'_>) -> syn::Result<Items> {
    let inner_attrs = input.call(Attribute::parse_inner)?;
    let mut items = Vec::new();
    while !input.is_empty() {
        items.push((input.call(Attribute::parse_outer)?, input.parse()?));
    }
    Ok((inner_attrs, items))
}

impl Parse for BlockItem {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let ahead = input.fork();
        if ahead.parse::<Visibility>().is_ok() && ahead.parse::<Signature>().is_ok() {
            return Ok(Self::Method { vis: input.parse()?, sig: input.parse()?, body: input.parse()? });
        }
        input.parse().map(|item| Self::Other(Box::new(item)))
    }
}
