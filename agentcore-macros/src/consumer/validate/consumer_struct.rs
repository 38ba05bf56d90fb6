//! Checks the struct of a consumer: its route, its `#[path]` and `#[user]` fields, and its `sends(..)`.

use quote::ToTokens as _;

use super::route;
use crate::consumer::model::{ConsumerField, ConsumerStruct, FieldSource};
use crate::diagnostics::{Diagnostic, Errors, source_text};

/// Reports the mistakes in the struct.
pub(in super::super) fn consumer_struct(consumer: &ConsumerStruct, errors: &mut Errors) {
    if let Some(path) = &consumer.path {
        match route::parameters(path) {
            Ok(names) => path_fields(consumer, &names, errors),
            Err(error) => errors.push(error),
        }
    }
    users(&consumer.fields, errors);
    let mut listed: Vec<String> = Vec::new();
    for sent in &consumer.sends {
        let text = sent.to_token_stream().to_string();
        if listed.contains(&text) {
            let error = Diagnostic::new(sent, format_args!("`{}` is listed twice in `sends(..)`", source_text(sent)));
            errors.push(error.help("remove one of them"));
        }
        listed.push(text);
    }
}

fn path_fields(consumer: &ConsumerStruct, names: &[String], errors: &mut Errors) {
    let mut taken: Vec<String> = Vec::new();
    for field in &consumer.fields {
        let FieldSource::Path(name) = &field.source else { continue };
        let text = name.value();
        if !names.contains(&text) {
            let error = Diagnostic::new(name, format_args!("field `{}` has no `{{{text}}}` in the path", field.ident));
            errors.push(match names {
                [] => error.help(format_args!("add it: `path = \"/ws/{{{text}}}\"`")),
                _ => error.note(format_args!("the path has {}", in_braces(names))),
            });
        } else if taken.contains(&text) && field.cfgs.is_empty() {
            errors.push(Diagnostic::new(name, format_args!("`{{{text}}}` already has a field")));
        }
        taken.push(text);
    }
    // A misnamed field leaves a parameter without a field. The field was reported above; the parameter is not a second
    // mistake.
    let misnamed = taken.iter().filter(|name| !names.contains(name)).count();
    for name in names.iter().filter(|name| !taken.contains(name)).skip(misnamed) {
        let error = Diagnostic::new(&consumer.path, format_args!("`{{{name}}}` in the path has no field"));
        errors.push(error.help(format_args!("add `#[path] {name}: String` to `struct {}`", consumer.item.ident)));
    }
}

fn in_braces(names: &[String]) -> String {
    names.iter().map(|name| format!("`{{{name}}}`")).collect::<Vec<_>>().join(", ")
}

fn users(fields: &[ConsumerField], errors: &mut Errors) {
    let mut users = fields.iter().filter_map(|field| field.user.map(|span| (field, span)));
    let Some((first, first_span)) = users.next() else { return };
    let mut more = users.peekable();
    if more.peek().is_none() {
        return;
    }
    for (field, span) in more {
        let error = Diagnostic::at(span, format_args!("field `{}` is a second `#[user]`", field.ident));
        errors.push(error.help("remove one of them").note("a connection has one user"));
    }
    errors.push(Diagnostic::at(first_span, format_args!("the first `#[user]` is field `{}`", first.ident)));
}
