//! Turns the tokens of `#[message]` and `#[validate]` into the model.

mod overflow;
mod rules;
mod serde_keys;

use proc_macro2::TokenStream;
use syn::{Attribute, Data, DeriveInput, Fields, Ident, Lit, LitStr, Member, Meta, Variant};

use self::serde_keys::Container;
use super::model::{FieldGroup, Message, MessageField, OverflowPolicy, Rule};
use crate::args::{self, Arg, Named};
use crate::crate_path::CratePath;
use crate::diagnostics::{Diagnostic, Errors};

/// Parses the arguments and removes `#[validate]` from the item.
pub(super) fn message(args: TokenStream, mut item: DeriveInput, errors: &mut Errors) -> Message {
    let Arguments { name, overflow, crate_path } = arguments(args, errors);
    for attr in take_validate(&mut item.attrs) {
        errors.push(misplaced(&attr, "a field"));
    }
    let is_renamed = serde_keys::has_rename(&item.attrs);
    match &item.data {
        Data::Struct(data) => serde_keys::check_flatten(&item.attrs, data.fields.iter(), errors),
        Data::Enum(data) => {
            let fields = data.variants.iter().flat_map(|variant| &variant.fields);
            serde_keys::check_flatten(&item.attrs, fields, errors);
        }
        Data::Union(_) => {}
    }
    let container = Container::new(&item.attrs, matches!(item.data, Data::Enum(_)));
    let field_groups = match &mut item.data {
        Data::Struct(data) => vec![FieldGroup {
            variant: None,
            outer_keys: Vec::new(),
            fields: fields(&mut data.fields, &container, None, errors),
        }],
        Data::Enum(data) => data.variants.iter_mut().map(|variant| field_group(variant, &container, errors)).collect(),
        Data::Union(_) => Vec::new(),
    };
    Message { item, name, overflow, crate_path, is_renamed, field_groups }
}

#[derive(Default)]
struct Arguments {
    name: Option<LitStr>,
    overflow: Option<(Ident, OverflowPolicy)>,
    crate_path: CratePath,
}

fn arguments(args: TokenStream, errors: &mut Errors) -> Arguments {
    let mut parsed = Arguments::default();
    let Some(args) = errors.check(args::parse(args)) else { return parsed };
    args::refuse_repeated(args::named(&args), errors);
    for arg in &args {
        match arg {
            Arg::Value(Lit::Str(text)) if parsed.name.is_none() => parsed.name = Some(text.clone()),
            Arg::Value(Lit::Str(text)) => errors.push(Diagnostic::new(text, "`#[message]` takes one message type")),
            Arg::Value(other) => {
                let error = Diagnostic::new(other, "a message type must be a string literal");
                errors.push(error.help("write `#[message(\"chat_message\")]`"));
            }
            Arg::Named(named) if named.name == "crate" => parsed.crate_path.set(named, errors),
            Arg::Named(named) if named.name == "overflow" => {
                let policy = overflow::overflow(named, errors);
                parsed.overflow = policy.map(|policy| (named.name.clone(), policy));
            }
            Arg::Named(named) => errors.push(unknown(named)),
        }
    }
    parsed
}

fn unknown(arg: &Named) -> Diagnostic {
    let error = Diagnostic::unknown(&arg.name, "`#[message]` argument", &["overflow", "crate"]);
    if arg.has_equals() {
        return error;
    }
    error.note(format_args!("a message type is in quotes: `#[message(\"{}\")]`", arg.name))
}

fn field_group(variant: &mut Variant, container: &Container, errors: &mut Errors) -> FieldGroup {
    for attr in take_validate(&mut variant.attrs) {
        errors.push(misplaced(&attr, "a field of the variant"));
    }
    let as_written = variant.clone();
    FieldGroup {
        variant: Some(variant.ident.clone()),
        outer_keys: container.outer_keys(variant),
        fields: fields(&mut variant.fields, container, Some(&as_written), errors),
    }
}

fn misplaced(attr: &Attribute, place: &str) -> Diagnostic {
    Diagnostic::new(attr.path(), format_args!("`#[validate]` must be on {place}"))
}

fn fields(
    fields: &mut Fields,
    container: &Container,
    variant: Option<&Variant>,
    errors: &mut Errors,
) -> Vec<MessageField> {
    let members: Vec<Member> = fields.members().collect();
    let mut parsed = Vec::new();
    for (index, (field, member)) in fields.iter_mut().zip(members).enumerate() {
        let mut rules = Vec::new();
        for attr in take_validate(&mut field.attrs) {
            rules.extend(rules_of(&attr, errors));
        }
        parsed.push(MessageField { member, key: container.field_key(field, index, variant), rules });
    }
    parsed
}

fn rules_of(attr: &Attribute, errors: &mut Errors) -> Vec<Rule> {
    let Meta::List(list) = &attr.meta else {
        let error = Diagnostic::new(attr.path(), "`#[validate]` must list its rules");
        errors.push(error.help("write `#[validate(length(min = 1))]`").note(rules::expected()));
        return Vec::new();
    };
    let args = errors.check(args::parse(list.tokens.clone())).unwrap_or_default();
    args::refuse_repeated(args::named(&args), errors);
    args.iter().filter_map(|arg| rules::rule(arg, errors)).collect()
}

/// Removes and returns the `#[validate]` attributes, whether they can be parsed or not.
fn take_validate(attrs: &mut Vec<Attribute>) -> Vec<Attribute> {
    attrs.extract_if(.., |attr| attr.path().is_ident("validate")).collect()
}
