//! From tokens to the model.

use proc_macro2::TokenStream;
use syn::{Attribute, Data, DeriveInput, Fields, Ident, Lit, LitStr, Member, Meta, Variant};

use self::serde_keys::Container;
use super::model::{Field, Message, Overflow, Rule, Shape};
use crate::args::{self, Arg, Named};
use crate::crate_path::Paths;
use crate::diagnostics::{Diagnostic, Errors};

pub(super) mod overflow;
mod rules;
pub(super) mod serde_keys;

/// Reads the arguments and takes our attributes off the item.
pub(super) fn message(args: TokenStream, mut item: DeriveInput, errors: &mut Errors) -> Message {
    let mut paths = Paths::default();
    let (name, overflow) = arguments(args, &mut paths, errors);
    for attr in take_validate(&mut item.attrs) {
        errors.push(misplaced(&attr, "the fields"));
    }
    let container = Container::new(&item.attrs, matches!(item.data, Data::Enum(_)));
    let shapes = match &mut item.data {
        Data::Struct(data) => vec![Shape {
            variant: None,
            around: Vec::new(),
            fields: fields(&mut data.fields, &container, None, errors),
        }],
        Data::Enum(data) => data.variants.iter_mut().map(|variant| shape(variant, &container, errors)).collect(),
        Data::Union(_) => Vec::new(),
    };
    Message { item, name, overflow, paths, shapes }
}

type Arguments = (Option<LitStr>, Option<(Ident, Overflow)>);

fn arguments(args: TokenStream, paths: &mut Paths, errors: &mut Errors) -> Arguments {
    let Some(args) = errors.check(args::parse(args)) else { return (None, None) };
    args::refuse_repeated(args::named(&args), errors);
    let (mut name, mut overflow) = (None, None);
    for arg in &args {
        match arg {
            Arg::Value(Lit::Str(text)) if name.is_none() => name = Some(text.clone()),
            Arg::Value(Lit::Str(text)) => errors.push(Diagnostic::new(text, "a message has one message type")),
            Arg::Value(other) => {
                let error = Diagnostic::new(other, "a message type is a text");
                errors.push(error.help("`#[message(\"chat_message\")]`"));
            }
            Arg::Named(named) if named.name == "crate" => paths.set(named, errors),
            Arg::Named(named) if named.name == "overflow" => {
                overflow = overflow::parse(named, errors).map(|policy| (named.name.clone(), policy));
            }
            Arg::Named(named) => errors.push(unknown(named)),
        }
    }
    (name, overflow)
}

fn unknown(arg: &Named) -> Diagnostic {
    let error = Diagnostic::unknown(&arg.name, "`#[message]` argument", &["overflow", "crate"]);
    if arg.has_equals() {
        return error;
    }
    error.note(format_args!("the message type stands in quotes: `#[message(\"{}\")]`", arg.name))
}

fn shape(variant: &mut Variant, container: &Container, errors: &mut Errors) -> Shape {
    for attr in take_validate(&mut variant.attrs) {
        errors.push(misplaced(&attr, "the fields of a variant"));
    }
    let as_written = variant.clone();
    Shape {
        variant: Some(variant.ident.clone()),
        around: container.around(variant),
        fields: fields(&mut variant.fields, container, Some(&as_written), errors),
    }
}

fn misplaced(attr: &Attribute, place: &str) -> Diagnostic {
    Diagnostic::new(attr.path(), format_args!("`#[validate]` stands on {place}"))
}

fn fields(fields: &mut Fields, container: &Container, variant: Option<&Variant>, errors: &mut Errors) -> Vec<Field> {
    let members: Vec<Member> = fields.members().collect();
    let mut parsed = Vec::new();
    for (index, (field, member)) in fields.iter_mut().zip(members).enumerate() {
        let mut rules = Vec::new();
        for attr in take_validate(&mut field.attrs) {
            rules.extend(rules_of(&attr, errors));
        }
        parsed.push(Field { member, key: container.field_key(field, index, variant), rules });
    }
    parsed
}

fn rules_of(attr: &Attribute, errors: &mut Errors) -> Vec<Rule> {
    let Meta::List(list) = &attr.meta else {
        let error = Diagnostic::new(attr.path(), "`#[validate]` must list its rules");
        errors.push(error.help("`#[validate(length(min = 1))]`").note(rules::expected()));
        return Vec::new();
    };
    let args = errors.check(args::parse(list.tokens.clone())).unwrap_or_default();
    args::refuse_repeated(args::named(&args), errors);
    args.iter().filter_map(|arg| rules::rule(arg, errors)).collect()
}

/// Takes the `#[validate]` attributes out, whatever is in them.
fn take_validate(attrs: &mut Vec<Attribute>) -> Vec<Attribute> {
    attrs.extract_if(.., |attr| attr.path().is_ident("validate")).collect()
}
