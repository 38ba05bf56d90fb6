//! The rules of messages that need more than one argument.

use syn::punctuated::Punctuated;
use syn::{Data, DeriveInput, Expr, ExprLit, ExprUnary, Fields, GenericParam, Lit, LitStr, Meta, Path, Token, UnOp};

use super::case::snake;
use super::model::{Check, Length, Message, Range, Rule};
use super::parse::overflow;
use crate::diagnostics::{Diagnostic, Errors};

const RESERVED: &[&str] = &["ping", "pong", "reply", "error"];

/// The longest message type, in bytes.
const MAX_NAME: usize = 64;

/// Reports what is wrong; false when the impls cannot be written at all.
pub(super) fn message(message: &Message, errors: &mut Errors) -> bool {
    if let Some(name) = &message.name {
        errors.check(check_type_name(name));
    }
    kind(message, errors);
    overflow::validate(message, errors);
    derives(&message.item, errors);
    for rule in message.shapes.iter().flat_map(|shape| &shape.fields).flat_map(|field| &field.rules) {
        bounds(rule, errors);
    }
    generics(&message.item, errors) && !matches!(message.item.data, Data::Union(_))
}

/// Checks that `name` can be a message type: `[a-z][a-z0-9_.]{0,63}`, and none of the protocol's own.
pub(crate) fn check_type_name(name: &LitStr) -> Result<(), Diagnostic> {
    let text = name.value();
    let own = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.';
    if RESERVED.contains(&text.as_str()) || text.starts_with("agentcore.") {
        let error = Diagnostic::new(name, format_args!("message type `{text}` is reserved for the protocol"));
        return Err(error.note("reserved are `ping`, `pong`, `reply`, `error` and all that starts with `agentcore.`"));
    }
    let wrong = if text.is_empty() {
        "a message type must not be empty".to_owned()
    } else if text.len() > MAX_NAME {
        format!("a message type has at most {MAX_NAME} characters, this one has {}", text.chars().count())
    } else if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        format!("message type `{text}` must start with one of `a` to `z`")
    } else if let Some(other) = text.chars().find(|c| !own(*c)) {
        format!("message type `{text}` must not contain `{}`", other.escape_debug())
    } else {
        return Ok(());
    };
    let mut error = Diagnostic::new(name, wrong);
    let better: String = snake(&text).chars().map(|c| if own(c) { c } else { '_' }).collect();
    if better != text && better.len() <= MAX_NAME && better.starts_with(|c: char| c.is_ascii_lowercase()) {
        error = error.help(format_args!("`\"{}\"`", better.replace("__", "_")));
    }
    Err(error.note("a message type is a letter from `a` to `z`, then up to 63 of `a` to `z`, `0` to `9`, `_` and `.`"))
}

fn kind(message: &Message, errors: &mut Errors) {
    let item = &message.item;
    match &item.data {
        Data::Struct(data) if matches!(data.fields, Fields::Unnamed(_)) => {
            let error =
                Diagnostic::new(&data.fields, format_args!("the fields of message `{}` must have names", item.ident));
            errors.push(error.help(format_args!("`struct {} {{ name: Type }}`", item.ident)));
        }
        Data::Enum(data) if message.name.is_some() => {
            let error = Diagnostic::new(data.enum_token, "an enum cannot have a message type of its own");
            let error = error.help("name a struct that holds it, or write `#[message]` without a name");
            errors.push(error.note("the message type in the envelope chooses one struct"));
        }
        Data::Union(data) => {
            errors.push(Diagnostic::new(data.union_token, "`#[message]` stands on a struct or an enum"));
        }
        _ => {}
    }
}

/// Reports lifetimes and parameters; false when there are any.
fn generics(item: &DeriveInput, errors: &mut Errors) -> bool {
    for parameter in &item.generics.params {
        errors.push(match parameter {
            GenericParam::Lifetime(lifetime) => {
                Diagnostic::new(&lifetime.lifetime, format_args!("message `{}` cannot have a lifetime", item.ident))
                    .help("let it own its data: `String` instead of `&str`")
                    .note("a message outlives the frame that it came in")
            }
            GenericParam::Type(parameter) => {
                Diagnostic::new(&parameter.ident, format_args!("message `{}` cannot have a type parameter", item.ident))
                    .note("a message type stands for one schema")
            }
            GenericParam::Const(parameter) => Diagnostic::new(
                &parameter.ident,
                format_args!("message `{}` cannot have a const parameter", item.ident),
            )
            .note("a message type stands for one schema"),
        });
    }
    item.generics.params.is_empty()
}

/// The derives that `#[message]` brings.
pub(super) fn is_ours(derive: &Path) -> bool {
    let ours = ["Serialize", "Deserialize", "JsonSchema"];
    derive.segments.last().is_some_and(|last| ours.iter().any(|name| last.ident == name))
}

/// The derives that the user wrote.
pub(super) fn derives_of(meta: &Meta) -> Option<Punctuated<Path, Token![,]>> {
    let list = meta.require_list().ok().filter(|list| list.path.is_ident("derive"))?;
    list.parse_args_with(Punctuated::parse_terminated).ok()
}

fn derives(item: &DeriveInput, errors: &mut Errors) {
    let doubled: Vec<Path> =
        item.attrs.iter().filter_map(|attr| derives_of(&attr.meta)).flatten().filter(is_ours).collect();
    let Some(first) = doubled.first() else { return };
    let names: Vec<_> =
        doubled.iter().filter_map(|path| path.segments.last()).map(|last| format!("`{}`", last.ident)).collect();
    let error = Diagnostic::new(first, format_args!("`#[message]` derives {} already", names.join(" and ")));
    errors.push(error.help("remove it from the `derive`; `#[serde(..)]` attributes work without it"));
}

fn bounds(rule: &Rule, errors: &mut Errors) {
    match &rule.check {
        Check::Length(length) => length_bounds(rule, length, errors),
        Check::Range(range) => range_bounds(rule, range, errors),
        _ => {}
    }
}

fn length_bounds(rule: &Rule, length: &Length, errors: &mut Errors) {
    match length {
        Length { min: None, max: None, equal: None } => {
            let error = Diagnostic::new(&rule.name, "`length` must have a bound");
            errors.push(error.help("`length(min = 1, max = 50)`").note("its bounds are `min`, `max`, `equal`"));
        }
        Length { min: Some(other), equal: Some(_), .. } | Length { max: Some(other), equal: Some(_), .. } => {
            errors.push(Diagnostic::new(other, "`equal` is a bound on both sides: `min` and `max` do not go with it"));
        }
        Length { min: Some(min), max: Some(max), .. } => ordered(min, max, errors),
        _ => {}
    }
}

fn range_bounds(rule: &Rule, range: &Range, errors: &mut Errors) {
    if let (Some(_), Some(second)) = (&range.min, &range.exclusive_min) {
        errors.push(Diagnostic::new(second, "`range` takes one of `min` and `exclusive_min`"));
    }
    if let (Some(_), Some(second)) = (&range.max, &range.exclusive_max) {
        errors.push(Diagnostic::new(second, "`range` takes one of `max` and `exclusive_max`"));
    }
    let lower = range.min.as_ref().or(range.exclusive_min.as_ref());
    let upper = range.max.as_ref().or(range.exclusive_max.as_ref());
    match (lower, upper) {
        (None, None) => {
            let error = Diagnostic::new(&rule.name, "`range` must have a bound").help("`range(min = 1, max = 100)`");
            errors.push(error.note("its bounds are `min`, `max`, `exclusive_min`, `exclusive_max`"));
        }
        (Some(min), Some(max)) => ordered(min, max, errors),
        _ => {}
    }
}

/// Reports bounds that nothing can meet, as far as they are literals.
fn ordered(min: &Expr, max: &Expr, errors: &mut Errors) {
    if let (Some(low), Some(high)) = (number(min), number(max))
        && low > high
    {
        errors.push(Diagnostic::new(max, format_args!("nothing is at least {low} and at most {high}")));
    }
}

fn number(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Int(int), .. }) => int.base10_parse().ok(),
        Expr::Lit(ExprLit { lit: Lit::Float(float), .. }) => float.base10_parse().ok(),
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => number(expr).map(|number| -number),
        _ => None,
    }
}
