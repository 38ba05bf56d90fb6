//! Checks the handlers of a consumer against each other.

use std::collections::HashMap;

use proc_macro2::TokenStream;
use quote::ToTokens as _;

use super::signature;
use crate::consumer::model::{ConsumerImpl, Event, Handler, Method};
use crate::diagnostics::{Diagnostic, Errors, source_text};

/// Reports the mistakes in the impl block and returns the correct handlers.
pub(in super::super) fn handlers<'a>(consumer: &'a ConsumerImpl, errors: &mut Errors) -> Vec<Handler<'a>> {
    if let Some(trait_) = &consumer.trait_ {
        let error = Diagnostic::new(trait_, "`#[consumer]` must be on an impl block without a trait");
        errors.push(error.help(format_args!("write `impl {}`", source_text(&consumer.self_ty))));
        return Vec::new();
    }
    let mut by_event: HashMap<String, Vec<&Method>> = HashMap::new();
    let mut handlers = Vec::new();
    for method in &consumer.methods {
        let same_event = by_event.entry(event_text(method)).or_default();
        if let Some(earlier) = same_event.iter().find(|earlier| can_coexist(earlier, method)) {
            report_repeated(earlier, method, errors);
            continue;
        }
        same_event.push(method);
        handlers.extend(signature::handler(consumer, method, errors));
    }
    handlers
}

fn event_text(method: &Method) -> String {
    match &method.on.event {
        Event::Message(message_type) => format!("message type `{}`", message_type.value()),
        Event::Connect(event) | Event::Disconnect(event) => format!("`{event}`"),
    }
}

/// Returns whether one build may contain both methods. Different `cfg`s may exclude each other.
fn can_coexist(a: &Method, b: &Method) -> bool {
    a.cfgs.is_empty() || b.cfgs.is_empty() || a.cfgs == b.cfgs
}

fn report_repeated(first: &Method, second: &Method, errors: &mut Errors) {
    let event = event_text(second);
    let help = match &second.on.event {
        Event::Message(_) => "remove one handler, or give it a different message type",
        Event::Connect(_) | Event::Disconnect(_) => "remove one handler, or call one from the other",
    };
    let error = Diagnostic::new(event_token(second), format_args!("{event} is handled twice in this consumer"));
    errors.push(error.help(help));
    let text = format!("{event} is first handled here, by method `{}`", first.sig.ident);
    errors.push(Diagnostic::new(event_token(first), text));
}

fn event_token(method: &Method) -> TokenStream {
    match &method.on.event {
        Event::Message(message_type) => message_type.to_token_stream(),
        Event::Connect(event) | Event::Disconnect(event) => event.to_token_stream(),
    }
}
