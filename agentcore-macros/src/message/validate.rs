//! Checks the rules that involve more than one argument of `#[message]` and `#[validate]`.

use syn::{Data, DeriveInput, Expr, ExprLit, ExprUnary, Fields, GenericParam, Lit, Path, UnOp};

use super::derives::{derives_of, is_added};
use super::message_type::check_message_type;
use super::model::{Check, Length, Message, OverflowPolicy, Range, Rule};
use crate::diagnostics::{Diagnostic, Errors};

/// Reports the mistakes in a message; returns whether its impls can be generated at all.
pub(super) fn message(message: &Message, errors: &mut Errors) -> bool {
    if let Some(name) = &message.name {
        errors.check(check_message_type(name));
    }
    kind_of_item(message, errors);
    overflow(message, errors);
    derives(&message.item, errors);
    for rule in message.fields().flat_map(|field| &field.rules) {
        bounds(rule, errors);
    }
    generics(&message.item, errors) && !matches!(message.item.data, Data::Union(_))
}

fn kind_of_item(message: &Message, errors: &mut Errors) {
    let item = &message.item;
    match &item.data {
        Data::Struct(data) if matches!(data.fields, Fields::Unnamed(_)) => {
            let error =
                Diagnostic::new(&data.fields, format_args!("the fields of message `{}` must have names", item.ident));
            errors.push(error.help(format_args!("write `struct {} {{ name: Type }}`", item.ident)));
        }
        Data::Enum(data) if message.name.is_some() => {
            let error = Diagnostic::new(data.enum_token, "an enum must not have a message type");
            let error = error.help("put the enum into a struct with this message type, and write `#[message]` here");
            errors.push(error.note("a message type stands for one struct"));
        }
        Data::Union(data) => {
            errors.push(Diagnostic::new(data.union_token, "`#[message]` must be on a struct or an enum"));
        }
        _ => {}
    }
}

fn overflow(message: &Message, errors: &mut Errors) {
    let Some((argument, policy)) = &message.overflow else { return };
    if message.name.is_none() {
        let error = Diagnostic::new(argument, "`overflow` needs a message type");
        let error = error.help("write `#[message(\"cursor\", overflow = ..)]`");
        errors.push(error.note("only a message with a message type is sent"));
        return;
    }
    let OverflowPolicy::Latest(named) = policy else { return };
    let known = message.field_names();
    for field in named.iter().filter(|field| !known.contains(&field.to_string())) {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        errors.push(Diagnostic::unknown(field, "field", &known));
    }
}

/// Reports generic parameters; returns whether there are none.
fn generics(item: &DeriveInput, errors: &mut Errors) -> bool {
    const ONE_SCHEMA: &str = "a message type stands for one schema";
    for parameter in &item.generics.params {
        errors.push(match parameter {
            GenericParam::Lifetime(lifetime) => {
                let text = format!("message `{}` must not have a lifetime", item.ident);
                Diagnostic::new(&lifetime.lifetime, text)
                    .help("use owned types, such as `String` instead of `&str`")
                    .note("a message outlives the frame that it arrived in")
            }
            GenericParam::Type(parameter) => {
                let text = format!("message `{}` must not have a type parameter", item.ident);
                Diagnostic::new(&parameter.ident, text).note(ONE_SCHEMA)
            }
            GenericParam::Const(parameter) => {
                let text = format!("message `{}` must not have a const parameter", item.ident);
                Diagnostic::new(&parameter.ident, text).note(ONE_SCHEMA)
            }
        });
    }
    item.generics.params.is_empty()
}

fn derives(item: &DeriveInput, errors: &mut Errors) {
    let doubled: Vec<Path> =
        item.attrs.iter().filter_map(|attr| derives_of(&attr.meta)).flatten().filter(is_added).collect();
    let Some(first) = doubled.first() else { return };
    let names: Vec<_> =
        doubled.iter().filter_map(|path| path.segments.last()).map(|last| format!("`{}`", last.ident)).collect();
    let error = Diagnostic::new(first, format_args!("`#[message]` already derives {}", names.join(" and ")));
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
            let error = error.help("write `length(min = 1, max = 50)`");
            errors.push(error.note("the bounds are `min`, `max`, `equal`"));
        }
        Length { min: Some(other), equal: Some(_), .. } | Length { max: Some(other), equal: Some(_), .. } => {
            errors.push(Diagnostic::new(other, "`length` must have either `equal`, or `min` and `max`"));
        }
        Length { min: Some(min), max: Some(max), .. } => ordered(min, max, errors),
        _ => {}
    }
}

fn range_bounds(rule: &Rule, range: &Range, errors: &mut Errors) {
    if let (Some(_), Some(second)) = (&range.min, &range.exclusive_min) {
        errors.push(Diagnostic::new(second, "`range` must have either `min` or `exclusive_min`"));
    }
    if let (Some(_), Some(second)) = (&range.max, &range.exclusive_max) {
        errors.push(Diagnostic::new(second, "`range` must have either `max` or `exclusive_max`"));
    }
    let lower = range.min.as_ref().or(range.exclusive_min.as_ref());
    let upper = range.max.as_ref().or(range.exclusive_max.as_ref());
    match (lower, upper) {
        (None, None) => {
            let error = Diagnostic::new(&rule.name, "`range` must have a bound");
            let error = error.help("write `range(min = 1, max = 100)`");
            errors.push(error.note("the bounds are `min`, `max`, `exclusive_min`, `exclusive_max`"));
        }
        (Some(min), Some(max)) => ordered(min, max, errors),
        _ => {}
    }
}

/// Reports bounds that no value meets, when both are literals.
fn ordered(min: &Expr, max: &Expr, errors: &mut Errors) {
    if let (Some(low), Some(high)) = (number(min), number(max))
        && low > high
    {
        errors.push(Diagnostic::new(max, format_args!("no value is at least {low} and at most {high}")));
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
