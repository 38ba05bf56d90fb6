//! Parses the values of `rate_limit` and `timeout` in `#[on(..)]`.

use quote::ToTokens;
use syn::{Expr, ExprCall, ExprLit, Lit, LitStr};

use crate::args::Named;
use crate::consumer::model::RateLimit;
use crate::diagnostics::Diagnostic;

const RATE_LIMIT_FORMS: &str = "a rate limit must be `exempt`, `cost(..)`, or messages per time";

/// Parses `rate_limit = exempt`, `rate_limit = cost(5)` or `rate_limit = "10/s"`.
pub(super) fn rate_limit(arg: &Named) -> Result<RateLimit, Diagnostic> {
    const EXAMPLE: &str = "rate_limit = \"10/s\"";
    match arg.expr(EXAMPLE)? {
        Expr::Path(path) if path.path.is_ident("exempt") => Ok(RateLimit::Exempt),
        Expr::Call(call) => cost(call),
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => messages_per_time(text),
        other => Err(with_forms(other, RATE_LIMIT_FORMS)),
    }
}

/// Parses `timeout = "5s"`, in milliseconds.
pub(super) fn timeout(arg: &Named) -> Result<u64, Diagnostic> {
    let text = arg.text("timeout = \"5s\"")?;
    milliseconds(&text.value()).ok_or_else(|| {
        Diagnostic::new(&text, "a timeout must be a number above 0 with a unit: `ms`, `s`, `m` or `h`")
            .help("write `\"500ms\"` or `\"5s\"`")
    })
}

fn messages_per_time(text: &LitStr) -> Result<RateLimit, Diagnostic> {
    let limit = text.value();
    let Some((messages, window)) = limit.split_once('/') else {
        return Err(with_forms(text, "a rate limit must have a `/` between the messages and the time"));
    };
    // "10/s" means "10/1s".
    let window =
        if window.starts_with(|c: char| c.is_ascii_digit()) { window.to_owned() } else { format!("1{window}") };
    match (messages.trim().parse(), milliseconds(&window)) {
        (Ok(0), _) => Err(with_forms(text, "a rate limit must allow at least 1 message")),
        (Ok(messages), Some(window_ms)) => Ok(RateLimit::Own { messages, window_ms }),
        (Err(_), _) => Err(with_forms(text, "a number of messages must be in front of the `/` of a rate limit")),
        (Ok(_), None) => {
            Err(with_forms(text, "a time in `ms`, `s`, `m` or `h` must be behind the `/` of a rate limit"))
        }
    }
}

fn cost(call: &ExprCall) -> Result<RateLimit, Diagnostic> {
    let wrong = |tokens: &dyn ToTokens, text: &str| Err(Diagnostic::new(tokens, text).help("write `cost(5)`"));
    if !matches!(&*call.func, Expr::Path(path) if path.path.is_ident("cost")) {
        return Err(with_forms(&call.func, RATE_LIMIT_FORMS));
    }
    let mut args = call.args.iter();
    match (args.next(), args.next()) {
        (Some(Expr::Lit(ExprLit { lit: Lit::Int(cost), .. })), None) => match cost.base10_parse() {
            Ok(0) => Err(Diagnostic::new(cost, "a cost must be at least 1")
                .help("write `rate_limit = exempt` for messages that do not count against the limit")),
            Ok(cost) => Ok(RateLimit::Cost(cost)),
            Err(_) => wrong(cost, "a cost must be a whole number of messages, at most 4294967295"),
        },
        (Some(argument), None) => wrong(argument, "a cost must be a whole number of messages"),
        _ => wrong(call, "`cost` takes one number of messages"),
    }
}

fn with_forms(tokens: impl ToTokens, text: &str) -> Diagnostic {
    Diagnostic::new(tokens, text).help("write `\"10/s\"`, `\"30/1m\"`, `cost(5)` or `exempt`")
}

/// Parses a time above zero, such as `500ms` or `5s`.
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
