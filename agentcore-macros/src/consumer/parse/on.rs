//! `#[on(..)]`: what it says of a handler, and what it is outside a `#[consumer]` impl block.

use proc_macro2::{Ident, TokenStream};
use syn::{Attribute, Expr, ExprCall, ExprLit, Lit, LitStr, Meta};

use crate::args::{self, Arg, Named};
use crate::diagnostics::{Diagnostic, Errors, refuse};
use crate::message::check_type_name;

/// What one `#[on(..)]` says.
pub(crate) struct On {
    pub(crate) event: Event,
    pub(crate) rate: Rate,
    /// In milliseconds.
    pub(crate) timeout: Option<u64>,
    pub(crate) cancel_safe: bool,
}

/// What calls a handler.
pub(crate) enum Event {
    Message(LitStr),
    Connect(Ident),
    Disconnect(Ident),
}

/// What `rate_limit` says.
pub(crate) enum Rate {
    Chain,
    Exempt,
    /// Each as so many messages.
    Cost(u32),
    /// So many messages in so many milliseconds.
    Own(u32, u64),
}

const ARGUMENTS: &[&str] = &["rate_limit", "timeout", "cancel_safe"];

/// Whether `attribute` is `#[on]`, with or without the crate before it.
pub(crate) fn is_on(attribute: &Attribute) -> bool {
    let segments = &attribute.path().segments;
    segments.len() <= 2 && segments.last().is_some_and(|last| last.ident == "on" && last.arguments.is_none())
}

/// Expands `#[on]` where no `#[consumer]` has taken it: the method, and an error.
pub(crate) fn attribute(args: TokenStream, item: TokenStream) -> TokenStream {
    let error = match syn::parse2::<syn::Signature>(signature_of(&item)) {
        _ if !args.is_empty() => Diagnostic::new(&args, MISPLACED),
        Ok(sig) => Diagnostic::new(&sig.ident, MISPLACED),
        Err(_) => Diagnostic::new(&item, MISPLACED),
    };
    refuse(&item, error.help("put `#[consumer]` on the impl block"))
}

const MISPLACED: &str = "`#[on]` stands only on the methods of an impl block with `#[consumer]`";

/// The tokens of a method from `async` or `fn` up to its body.
fn signature_of(item: &TokenStream) -> TokenStream {
    let starts =
        |tree: &proc_macro2::TokenTree| matches!(tree.to_string().as_str(), "const" | "async" | "unsafe" | "fn");
    let is_body = |tree: &proc_macro2::TokenTree| matches!(tree, proc_macro2::TokenTree::Group(group) if group.delimiter() == proc_macro2::Delimiter::Brace);
    item.clone().into_iter().skip_while(|tree| !starts(tree)).take_while(|tree| !is_body(tree)).collect()
}

impl On {
    /// Reads the attribute; `None` when it does not say what calls the handler.
    pub(crate) fn parse(attribute: &Attribute, errors: &mut Errors) -> Option<Self> {
        let tokens = match &attribute.meta {
            Meta::List(list) => list.tokens.clone(),
            Meta::Path(_) => TokenStream::new(),
            Meta::NameValue(pair) => {
                let example = "`#[on(\"chat_message\")]`";
                errors.push(Diagnostic::new(&pair.value, "`#[on]` takes its arguments in parentheses").help(example));
                return None;
            }
        };
        let args = errors.check(args::parse(tokens))?;
        let Some((first, rest)) = args.split_first() else {
            errors.push(no_event(Diagnostic::new(attribute.path(), "`#[on]` must say what calls the handler")));
            return None;
        };
        let event = Event::parse(first, errors);
        let mut on = Self { event: event?, rate: Rate::Chain, timeout: None, cancel_safe: false };
        args::refuse_repeated(args::named(rest), errors);
        for arg in rest {
            match arg {
                Arg::Named(named) => on.set(named, errors),
                Arg::Value(value) => {
                    let error = Diagnostic::new(value, "`#[on]` takes one message type");
                    errors.push(error.help("write one method for each, which may share a third one"));
                }
            }
        }
        Some(on)
    }

    fn set(&mut self, arg: &Named, errors: &mut Errors) {
        let name = arg.name.to_string();
        if !ARGUMENTS.contains(&name.as_str()) {
            errors.push(Diagnostic::unknown(&arg.name, "`#[on]` argument", ARGUMENTS));
            return;
        }
        if let Event::Connect(event) | Event::Disconnect(event) = &self.event {
            let error = Diagnostic::new(&arg.name, format_args!("`#[on({event})]` takes no `{name}`"));
            errors.push(error.note("it belongs to the handlers of messages"));
            return;
        }
        match name.as_str() {
            "rate_limit" => self.rate = errors.check(Rate::parse(arg)).unwrap_or(Rate::Chain),
            "timeout" => self.timeout = errors.check(parse_timeout(arg)),
            _ => self.cancel_safe = errors.check(arg.flag()).is_some(),
        }
    }
}

fn no_event(error: Diagnostic) -> Diagnostic {
    error.help("`#[on(\"message_type\")]`, `#[on(connect)]` or `#[on(disconnect)]`")
}

impl Event {
    fn parse(arg: &Arg, errors: &mut Errors) -> Option<Self> {
        match arg {
            Arg::Value(Lit::Str(name)) => {
                errors.check(check_type_name(name))?;
                Some(Self::Message(name.clone()))
            }
            Arg::Value(other) => {
                errors.push(no_event(Diagnostic::new(other, "a message type is a text")));
                None
            }
            Arg::Named(named) if named.name == "connect" || named.name == "disconnect" => {
                errors.check(named.flag())?;
                let name = named.name.clone();
                Some(if name == "connect" { Self::Connect(name) } else { Self::Disconnect(name) })
            }
            Arg::Named(named) if ARGUMENTS.contains(&named.name.to_string().as_str()) => {
                let error = Diagnostic::new(&named.name, "`#[on]` must say first what calls the handler");
                errors.push(no_event(error));
                None
            }
            Arg::Named(named) => {
                let error = Diagnostic::unknown(&named.name, "event", &["connect", "disconnect"]);
                errors.push(error.note(format_args!("a message type stands in quotes: `#[on(\"{}\")]`", named.name)));
                None
            }
        }
    }
}

impl Rate {
    fn parse(arg: &Named) -> Result<Self, Diagnostic> {
        const EXAMPLE: &str = "rate_limit = \"10/s\"";
        if arg.path(EXAMPLE).is_ok_and(|path| path.is_ident("exempt")) {
            return Ok(Self::Exempt);
        }
        let wrong = |at: &dyn quote::ToTokens, what: &str| {
            Err(Diagnostic::new(at, what).help("`\"10/s\"`, `\"30/1m\"`, `cost(5)` or `exempt`"))
        };
        let expr = arg.expr(EXAMPLE)?;
        if let Expr::Call(call) = expr {
            return Self::cost(call);
        }
        let Ok(text) = arg.text(EXAMPLE) else {
            return wrong(expr, "a rate limit is `exempt`, `cost(..)`, or a number of messages and a time");
        };
        let limit = text.value();
        let Some((messages, window)) = limit.split_once('/') else {
            return wrong(&text, "a rate limit is a number of messages and a time, with `/` between them");
        };
        let window =
            if window.starts_with(|c: char| c.is_ascii_digit()) { window.to_owned() } else { format!("1{window}") };
        match (messages.trim().parse(), milliseconds(&window)) {
            (Ok(0), _) => wrong(&text, "a rate limit lets at least 1 message through"),
            (Ok(messages), Some(window)) => Ok(Self::Own(messages, window)),
            (Err(_), _) => wrong(&text, "what is before the `/` of a rate limit must be a number of messages"),
            (Ok(_), None) => {
                wrong(&text, "what is after the `/` of a rate limit must be a time with a unit: `ms`, `s`, `m` or `h`")
            }
        }
    }
}

impl Rate {
    fn cost(call: &ExprCall) -> Result<Self, Diagnostic> {
        let wrong = |at: &dyn quote::ToTokens, what: &str| Err(Diagnostic::new(at, what).help("`cost(5)`"));
        if !matches!(&*call.func, Expr::Path(path) if path.path.is_ident("cost")) {
            return wrong(&call.func, "a rate limit is `exempt`, `cost(..)`, or a number of messages and a time");
        }
        let mut args = call.args.iter();
        match (args.next(), args.next()) {
            (Some(Expr::Lit(ExprLit { lit: Lit::Int(cost), .. })), None) => match cost.base10_parse() {
                Ok(0) => Err(Diagnostic::new(cost, "a message costs at least 1")
                    .help("`rate_limit = exempt` for one that is not counted among the others")),
                Ok(cost) => Ok(Self::Cost(cost)),
                Err(_) => wrong(cost, "a cost is a whole number of messages, at most 4294967295"),
            },
            (Some(argument), None) => wrong(argument, "a cost is a whole number of messages"),
            _ => wrong(call, "a cost is one whole number of messages"),
        }
    }
}

fn parse_timeout(arg: &Named) -> Result<u64, Diagnostic> {
    let text = arg.text("timeout = \"5s\"")?;
    milliseconds(&text.value()).ok_or_else(|| {
        Diagnostic::new(&text, "a timeout is a number above 0 with a unit: `ms`, `s`, `m` or `h`")
            .help("`\"500ms\"` or `\"5s\"`")
    })
}

/// A time such as `500ms` or `5s`, above zero.
fn milliseconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let unit = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit).filter(|millis| *millis > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_number_and_a_unit() {
        assert_eq!(milliseconds("500ms"), Some(500));
        assert_eq!(milliseconds("5 s"), Some(5_000));
        assert_eq!(milliseconds("1m"), Some(60_000));
        for wrong in ["", "5", "s", "0s", "5 days", "-1s", "99999999999999999999s"] {
            assert_eq!(milliseconds(wrong), None, "{wrong}");
        }
    }
}
