//! `overflow` of `#[message]`: what happens to a message where a connection does not read fast enough.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote, quote_spanned};
use syn::{Expr, ExprCall, Ident, Member, Path};

use super::super::model::{Message, Overflow};
use crate::args::Named;
use crate::diagnostics::{Diagnostic, Errors};

const POLICIES: &[&str] = &["disconnect", "drop_newest", "drop_oldest", "latest"];
const EXAMPLE: &str = "overflow = drop_oldest";

/// Reads the policy.
pub(in super::super) fn parse(arg: &Named, errors: &mut Errors) -> Option<Overflow> {
    let expr = errors.check(arg.expr(EXAMPLE))?;
    match expr {
        Expr::Path(path) => policy(&path.path, Vec::new(), errors),
        Expr::Call(ExprCall { func, args, .. }) => {
            let Expr::Path(path) = &**func else { return no_policy(expr, errors) };
            let fields: Vec<_> = args.iter().map(|field| field_name(field, errors)).collect();
            let fields: Vec<Ident> = fields.into_iter().collect::<Option<_>>()?;
            if !path.path.is_ident("latest") {
                let error = Diagnostic::new(args, "only `latest` takes the names of fields");
                errors.push(error.help(format_args!("`overflow = {}`", path.path.to_token_stream())));
                return None;
            }
            policy(&path.path, fields, errors)
        }
        other => no_policy(other, errors),
    }
}

fn policy(path: &Path, fields: Vec<Ident>, errors: &mut Errors) -> Option<Overflow> {
    let Some(name) = path.get_ident() else { return no_policy(path, errors) };
    match name.to_string().as_str() {
        "disconnect" => Some(Overflow::Disconnect),
        "drop_newest" => Some(Overflow::DropNewest),
        "drop_oldest" => Some(Overflow::DropOldest),
        "latest" => Some(Overflow::Latest(fields)),
        _ => {
            errors.push(Diagnostic::unknown(name, "overflow policy", POLICIES));
            None
        }
    }
}

fn no_policy(at: &impl quote::ToTokens, errors: &mut Errors) -> Option<Overflow> {
    let error =
        Diagnostic::new(at, "an overflow policy is one of `disconnect`, `drop_newest`, `drop_oldest`, `latest`");
    errors.push(error.help("`overflow = latest(user_id)`"));
    None
}

fn field_name(expr: &Expr, errors: &mut Errors) -> Option<Ident> {
    if let Expr::Path(path) = expr
        && let Some(name) = path.path.get_ident()
    {
        return Some(name.clone());
    }
    errors.push(Diagnostic::new(expr, "`latest` takes the names of fields").help("`overflow = latest(user_id)`"));
    None
}

/// Reports a policy where there is no message to send, and fields that are not there.
pub(in super::super) fn validate(message: &Message, errors: &mut Errors) {
    let Some((argument, overflow)) = &message.overflow else { return };
    if message.name.is_none() {
        let error = Diagnostic::new(argument, "`overflow` belongs to a message with a type");
        errors.push(error.help("`#[message(\"cursor\", overflow = ..)]`").note("only a message with a type is sent"));
        return;
    }
    let Overflow::Latest(named) = overflow else { return };
    let known = fields(message);
    for field in named.iter().filter(|field| !known.contains(&field.to_string())) {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        errors.push(Diagnostic::unknown(field, "field", &known));
    }
}

/// The names of the message's fields.
fn fields(message: &Message) -> Vec<String> {
    let fields = message.shapes.iter().flat_map(|shape| &shape.fields);
    fields
        .filter_map(|field| match &field.member {
            Member::Named(name) => Some(name.to_string()),
            Member::Unnamed(_) => None,
        })
        .collect()
}

/// The method of `Message` that says the policy; nothing for the default.
pub(in super::super) fn expand(message: &Message) -> Option<TokenStream> {
    let private = message.paths.private();
    let policy = match &message.overflow.as_ref()?.1 {
        Overflow::Disconnect => return None,
        Overflow::DropNewest => quote!(#private::Overflow::DropNewest),
        Overflow::DropOldest => quote!(#private::Overflow::DropOldest),
        Overflow::Latest(named) => {
            // An unknown one was reported; the compiler need not do it again.
            let known = fields(message);
            let named = named.iter().filter(|field| known.contains(&field.to_string()));
            let values = named.map(|field| quote_spanned!(field.span()=> &self.#field));
            quote! {
                #private::Overflow::Latest(#private::OverflowKey::new(
                    <Self as #private::Message>::TYPE,
                    &(#(#values,)*),
                ))
            }
        }
    };
    Some(quote! {
        fn overflow(&self) -> #private::Overflow {
            #policy
        }
    })
}
