//! Parses the rules of `#[validate(..)]`.

use syn::{Expr, LitStr, Path};

use crate::args::{Arg, Named, refuse_repeated};
use crate::diagnostics::{Diagnostic, Errors};
use crate::message::model::{Check, Length, Range, Rule};

const RULES: &[&str] = &["length", "range", "regex", "email", "url", "custom", "nested"];

/// Returns the note that lists the rules.
pub(super) fn expected() -> String {
    format!("the rules are {}", RULES.iter().map(|rule| format!("`{rule}`")).collect::<Vec<_>>().join(", "))
}

/// Parses one rule.
pub(super) fn rule(arg: &Arg, errors: &mut Errors) -> Option<Rule> {
    let arg = match arg {
        Arg::Named(arg) => arg,
        Arg::Value(value) => {
            errors.push(Diagnostic::new(value, "a rule must have a name").note(expected()));
            return None;
        }
    };
    let mut message = None;
    let check = match arg.name.to_string().as_str() {
        "length" => length(arg, &mut message, errors),
        "range" => range(arg, &mut message, errors),
        "regex" => regex(arg, &mut message, errors),
        "email" => only_message(arg, &mut message, errors).map(|()| Check::Email),
        "url" => only_message(arg, &mut message, errors).map(|()| Check::Url),
        "custom" => custom(arg, errors),
        "nested" => errors.check(arg.flag()).map(|()| Check::Nested),
        _ => {
            errors.push(Diagnostic::unknown(&arg.name, "`#[validate]` rule", RULES));
            None
        }
    };
    Some(Rule { name: arg.name.clone(), check: check?, message })
}

/// Parses the arguments of a rule. `set` stores the value of one argument.
fn arguments(
    rule: &Named,
    names: &[&str],
    example: &str,
    errors: &mut Errors,
    mut set: impl FnMut(&Named) -> Result<(), Diagnostic>,
) -> Option<()> {
    let before = errors.count();
    let args = errors.check(rule.nested(example))?;
    refuse_repeated(args.iter(), errors);
    for arg in &args {
        if names.contains(&arg.name.to_string().as_str()) {
            errors.check(set(arg));
        } else {
            errors.push(Diagnostic::unknown(&arg.name, &format!("`{}` argument", rule.name), names));
        }
    }
    (errors.count() == before).then_some(())
}

fn bound(arg: &Named) -> Result<Option<Expr>, Diagnostic> {
    arg.expr(&format!("{} = 1", arg.name)).cloned().map(Some)
}

fn text(arg: &Named) -> Result<Option<LitStr>, Diagnostic> {
    arg.text(&format!("{} = \"..\"", arg.name)).map(Some)
}

fn length(rule: &Named, message: &mut Option<LitStr>, errors: &mut Errors) -> Option<Check> {
    let mut length = Length::default();
    let names = &["min", "max", "equal", "message"];
    arguments(rule, names, "length(min = 1, max = 50)", errors, |arg| {
        match arg.name.to_string().as_str() {
            "min" => length.min = bound(arg)?,
            "max" => length.max = bound(arg)?,
            "equal" => length.equal = bound(arg)?,
            _ => *message = text(arg)?,
        }
        Ok(())
    })?;
    Some(Check::Length(length))
}

fn range(rule: &Named, message: &mut Option<LitStr>, errors: &mut Errors) -> Option<Check> {
    let mut range = Range::default();
    let names = &["min", "max", "exclusive_min", "exclusive_max", "message"];
    arguments(rule, names, "range(min = 1, max = 100)", errors, |arg| {
        match arg.name.to_string().as_str() {
            "min" => range.min = bound(arg)?,
            "max" => range.max = bound(arg)?,
            "exclusive_min" => range.exclusive_min = bound(arg)?,
            "exclusive_max" => range.exclusive_max = bound(arg)?,
            _ => *message = text(arg)?,
        }
        Ok(())
    })?;
    Some(Check::Range(range))
}

fn regex(rule: &Named, message: &mut Option<LitStr>, errors: &mut Errors) -> Option<Check> {
    const EXAMPLE: &str = "regex = r\"^[a-z]+$\"";
    if rule.has_equals() {
        return errors.check(rule.text(EXAMPLE)).map(Check::RegexPattern);
    }
    let (mut path, mut pattern) = (None, None);
    arguments(rule, &["path", "pattern", "message"], EXAMPLE, errors, |arg| {
        match arg.name.to_string().as_str() {
            "path" => path = Some(arg.expr("path = ROOM_NAME")?.clone()),
            "pattern" => pattern = text(arg)?,
            _ => *message = text(arg)?,
        }
        Ok(())
    })?;
    match (path, pattern) {
        (Some(path), None) => Some(Check::RegexPath(path)),
        (None, Some(pattern)) => Some(Check::RegexPattern(pattern)),
        (both, _) => {
            let text = match both {
                Some(_) => "`regex` must have either `path` or `pattern`",
                None => "`regex` must have a regular expression",
            };
            let error = Diagnostic::new(&rule.name, text);
            errors.push(error.help(format_args!("write `{EXAMPLE}` or `regex(path = ROOM_NAME)`")));
            None
        }
    }
}

fn only_message(rule: &Named, message: &mut Option<LitStr>, errors: &mut Errors) -> Option<()> {
    let example = format!("{}(message = \"..\")", rule.name);
    arguments(rule, &["message"], &example, errors, |arg| {
        *message = text(arg)?;
        Ok(())
    })
}

fn custom(rule: &Named, errors: &mut Errors) -> Option<Check> {
    const EXAMPLE: &str = "custom(function = check_room)";
    let mut function: Option<Path> = None;
    arguments(rule, &["function"], EXAMPLE, errors, |arg| {
        function = Some(arg.path(EXAMPLE)?);
        Ok(())
    })?;
    if function.is_none() {
        let error = Diagnostic::new(&rule.name, "`custom` must have a function");
        errors.push(error.help(format_args!("write `{EXAMPLE}`")));
    }
    function.map(Check::Custom)
}
