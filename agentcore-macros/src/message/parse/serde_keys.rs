//! The keys of the fields in the data, as the `#[serde(..)]` attributes set them.
//!
//! Only the keys for deserialization matter: a broken rule is reported to the client that sent the data. serde reports
//! mistakes in its attributes itself.

use syn::ext::IdentExt as _;
use syn::{Attribute, Expr, ExprLit, Field, Lit, Meta, Variant};

use super::super::case::Case;
use crate::args::{self, Named};
use crate::diagnostics::{Diagnostic, Errors};

/// The arguments of the `#[serde(..)]` attributes of one item, variant or field.
pub(super) struct Serde(Vec<Named>);

impl Serde {
    pub(super) fn of(attrs: &[Attribute]) -> Self {
        let lists = attrs.iter().filter(|attr| attr.path().is_ident("serde")).filter_map(|attr| match &attr.meta {
            Meta::List(list) => args::parse(list.tokens.clone()).ok(),
            _ => None,
        });
        Self(lists.flatten().filter_map(named).collect())
    }

    fn get(&self, name: &str) -> Option<&Named> {
        self.0.iter().find(|arg| arg.name == name)
    }

    fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Returns the text of `name = ".."` or of `name(deserialize = "..")`.
    fn text(&self, name: &str) -> Option<String> {
        let arg = self.get(name)?;
        let nested = arg.nested("").unwrap_or_default();
        let arg = nested.iter().find(|arg| arg.name == "deserialize").unwrap_or(arg);
        match arg.expr("") {
            Ok(Expr::Lit(ExprLit { lit: Lit::Str(text), .. })) => Some(text.value()),
            _ => None,
        }
    }

    fn case(&self, name: &str) -> Option<Case> {
        self.text(name).map(|case| Case::parse(&case))
    }
}

/// Reports a flattened field of an item or a variant that allows no unknown fields: its serde impl refuses all data.
pub(super) fn check_flatten<'a>(attrs: &[Attribute], fields: impl Iterator<Item = &'a Field>, errors: &mut Errors) {
    let Serde(container) = Serde::of(attrs);
    let Some(denied) = container.iter().find(|arg| arg.name == "deny_unknown_fields") else { return };
    for field in fields {
        if let Some(flatten) = Serde::of(&field.attrs).get("flatten") {
            let text = "`deny_unknown_fields` and `flatten` exclude each other";
            errors.push(Diagnostic::new(&flatten.name, text));
            let error = Diagnostic::new(&denied.name, "`deny_unknown_fields` is here");
            errors.push(
                error
                    .help("remove one of them")
                    .note("a flattened field reads the fields that its message does not know"),
            );
        }
    }
}

/// Returns whether an item has `#[serde(rename = "..")]`.
pub(super) fn has_rename(attrs: &[Attribute]) -> bool {
    Serde::of(attrs).has("rename")
}

fn named(arg: args::Arg) -> Option<Named> {
    match arg {
        args::Arg::Named(named) => Some(named),
        args::Arg::Value(_) => None,
    }
}

/// The attributes of an item that determine the keys of its fields and variants.
pub(super) struct Container {
    serde: Serde,
    is_enum: bool,
}

impl Container {
    pub(super) fn new(attrs: &[Attribute], is_enum: bool) -> Self {
        Self { serde: Serde::of(attrs), is_enum }
    }

    /// Returns the keys of the objects that contain the fields of a variant, outermost first.
    pub(super) fn outer_keys(&self, variant: &Variant) -> Vec<String> {
        if self.serde.has("untagged") || Serde::of(&variant.attrs).has("untagged") {
            return Vec::new();
        }
        match (self.serde.has("tag"), self.serde.text("content")) {
            (true, Some(content)) => vec![content],
            (true, None) => Vec::new(),
            (false, _) => vec![self.variant_key(variant)],
        }
    }

    fn variant_key(&self, variant: &Variant) -> String {
        let case = self.serde.case("rename_all").unwrap_or_default();
        let renamed = Serde::of(&variant.attrs).text("rename");
        renamed.unwrap_or_else(|| case.of_variant(&variant.ident.unraw().to_string()))
    }

    /// Returns the key of a field; `None` when it has no key of its own.
    pub(super) fn field_key(&self, field: &Field, index: usize, variant: Option<&Variant>) -> Option<String> {
        let serde = Serde::of(&field.attrs);
        if serde.has("flatten") {
            return None;
        }
        let Some(name) = &field.ident else {
            let alone = variant.is_some_and(|variant| variant.fields.len() == 1);
            return (!alone).then(|| index.to_string());
        };
        let case = match variant {
            Some(variant) => Serde::of(&variant.attrs).case("rename_all").or(self.serde.case("rename_all_fields")),
            None => self.serde.case("rename_all").filter(|_| !self.is_enum),
        };
        Some(serde.text("rename").unwrap_or_else(|| case.unwrap_or_default().of_field(&name.unraw().to_string())))
    }
}
