//! Parses the argument `overflow` of `#[message]`.

use quote::ToTokens;
use syn::{Expr, ExprCall, Ident, Path};

use crate::args::Named;
use crate::diagnostics::{Diagnostic, Errors};
use crate::message::model::OverflowPolicy;

const POLICIES: &[&str] = &["disconnect", "drop_newest", "drop_oldest", "latest"];

/// Parses `overflow = drop_oldest`, `overflow = latest(user_id)` and the other policies.
pub(super) fn overflow(arg: &Named, errors: &mut Errors) -> Option<OverflowPolicy> {
    let expr = errors.check(arg.expr("overflow = drop_oldest"))?;
    match expr {
        Expr::Path(path) => policy(&path.path, Vec::new(), errors),
        Expr::Call(ExprCall { func, args, .. }) => {
            let Expr::Path(path) = &**func else { return not_a_policy(expr, errors) };
            let fields: Vec<_> = args.iter().map(|field| field_name(field, errors)).collect();
            let fields: Vec<Ident> = fields.into_iter().collect::<Option<_>>()?;
            if !path.path.is_ident("latest") {
                let error = Diagnostic::new(args, "only `latest` takes field names");
                errors.push(error.help(format_args!("write `overflow = {}`", path.path.to_token_stream())));
                return None;
            }
            policy(&path.path, fields, errors)
        }
        other => not_a_policy(other, errors),
    }
}

fn policy(path: &Path, fields: Vec<Ident>, errors: &mut Errors) -> Option<OverflowPolicy> {
    let Some(name) = path.get_ident() else { return not_a_policy(path, errors) };
    match name.to_string().as_str() {
        "disconnect" => Some(OverflowPolicy::Disconnect),
        "drop_newest" => Some(OverflowPolicy::DropNewest),
        "drop_oldest" => Some(OverflowPolicy::DropOldest),
        "latest" => Some(OverflowPolicy::Latest(fields)),
        _ => {
            errors.push(Diagnostic::unknown(name, "overflow policy", POLICIES));
            None
        }
    }
}

fn not_a_policy(tokens: &impl ToTokens, errors: &mut Errors) -> Option<OverflowPolicy> {
    let text = "an overflow policy must be one of `disconnect`, `drop_newest`, `drop_oldest`, `latest`";
    errors.push(Diagnostic::new(tokens, text).help("write `overflow = latest(user_id)`"));
    None
}

fn field_name(expr: &Expr, errors: &mut Errors) -> Option<Ident> {
    if let Expr::Path(path) = expr
        && let Some(name) = path.path.get_ident()
    {
        return Some(name.clone());
    }
    errors.push(Diagnostic::new(expr, "`latest` takes field names").help("write `overflow = latest(user_id)`"));
    None
}
