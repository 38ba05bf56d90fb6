//! Parses the arguments of `#[on(..)]`.

use proc_macro2::TokenStream;
use syn::{Attribute, Lit, Meta};

use super::limits;
use crate::args::{self, Arg, Named};
use crate::consumer::model::{Event, OnArguments, RateLimit};
use crate::diagnostics::{Diagnostic, Errors};
use crate::message::check_message_type;

const ARGUMENTS: &[&str] = &["rate_limit", "timeout", "cancel_safe"];

/// Returns whether `attribute` is `#[on]`, with or without the crate in front.
pub(super) fn is_on(attribute: &Attribute) -> bool {
    let segments = &attribute.path().segments;
    segments.len() <= 2 && segments.last().is_some_and(|last| last.ident == "on" && last.arguments.is_none())
}

/// Parses the attribute; `None` when it does not state which event calls the handler.
pub(super) fn on_arguments(attribute: &Attribute, errors: &mut Errors) -> Option<OnArguments> {
    let tokens = match &attribute.meta {
        Meta::List(list) => list.tokens.clone(),
        Meta::Path(_) => TokenStream::new(),
        Meta::NameValue(pair) => {
            let error = Diagnostic::new(&pair.value, "`#[on]` takes its arguments in parentheses");
            errors.push(error.help("write `#[on(\"chat_message\")]`"));
            return None;
        }
    };
    let args = errors.check(args::parse(tokens))?;
    let Some((first, rest)) = args.split_first() else {
        let error = Diagnostic::new(attribute.path(), "`#[on]` must state which event calls the handler");
        errors.push(with_event_help(error));
        return None;
    };
    let event = event(first, errors)?;
    let mut on = OnArguments { event, rate_limit: RateLimit::Shared, timeout_ms: None, cancel_safe: false };
    args::refuse_repeated(args::named(rest), errors);
    for arg in rest {
        match arg {
            Arg::Named(named) => set(&mut on, named, errors),
            Arg::Value(value) => {
                let error = Diagnostic::new(value, "`#[on]` takes one message type");
                errors.push(error.help("write one method for each message type; both can call a third one"));
            }
        }
    }
    Some(on)
}

fn set(on: &mut OnArguments, arg: &Named, errors: &mut Errors) {
    let name = arg.name.to_string();
    if !ARGUMENTS.contains(&name.as_str()) {
        errors.push(Diagnostic::unknown(&arg.name, "`#[on]` argument", ARGUMENTS));
        return;
    }
    if let Event::Connect(event) | Event::Disconnect(event) = &on.event {
        let error = Diagnostic::new(&arg.name, format_args!("`#[on({event})]` takes no `{name}`"));
        errors.push(error.note(format_args!("`{name}` is an argument of message handlers")));
        return;
    }
    match name.as_str() {
        "rate_limit" => on.rate_limit = errors.check(limits::rate_limit(arg)).unwrap_or(RateLimit::Shared),
        "timeout" => on.timeout_ms = errors.check(limits::timeout(arg)),
        _ => on.cancel_safe = errors.check(arg.flag()).is_some(),
    }
}

fn event(arg: &Arg, errors: &mut Errors) -> Option<Event> {
    match arg {
        Arg::Value(Lit::Str(message_type)) => {
            errors.check(check_message_type(message_type))?;
            Some(Event::Message(message_type.clone()))
        }
        Arg::Value(other) => {
            errors.push(with_event_help(Diagnostic::new(other, "a message type must be a string literal")));
            None
        }
        Arg::Named(named) if named.name == "connect" || named.name == "disconnect" => {
            errors.check(named.flag())?;
            let name = named.name.clone();
            Some(if name == "connect" { Event::Connect(name) } else { Event::Disconnect(name) })
        }
        Arg::Named(named) if ARGUMENTS.contains(&named.name.to_string().as_str()) => {
            let error = Diagnostic::new(&named.name, "`#[on]` must first state which event calls the handler");
            errors.push(with_event_help(error));
            None
        }
        Arg::Named(named) => {
            let error = Diagnostic::unknown(&named.name, "event", &["connect", "disconnect"]);
            errors.push(error.note(format_args!("a message type is in quotes: `#[on(\"{}\")]`", named.name)));
            None
        }
    }
}

fn with_event_help(error: Diagnostic) -> Diagnostic {
    error.help("write `#[on(\"message_type\")]`, `#[on(connect)]` or `#[on(disconnect)]`")
}
