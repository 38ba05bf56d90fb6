//! The parsed input of `#[message]`. Every value keeps its span.

use proc_macro2::Span;
use syn::{DeriveInput, Expr, Ident, LitStr, Member, Path};

use crate::crate_path::CratePath;

/// A struct or an enum with `#[message]`.
pub(super) struct Message {
    /// The user's item, without `#[validate]`.
    pub(super) item: DeriveInput,
    /// The message type.
    pub(super) name: Option<LitStr>,
    /// The argument `overflow`, and its value.
    pub(super) overflow: Option<(Ident, OverflowPolicy)>,
    pub(super) crate_path: CratePath,
    /// Whether `#[serde(rename = "..")]` is on the item.
    pub(super) is_renamed: bool,
    /// The fields of a struct, or those of each variant of an enum.
    pub(super) field_groups: Vec<FieldGroup>,
}

impl Message {
    /// Returns all fields of the item.
    pub(super) fn fields(&self) -> impl Iterator<Item = &MessageField> {
        self.field_groups.iter().flat_map(|group| &group.fields)
    }

    /// Returns the names of all named fields.
    pub(super) fn field_names(&self) -> Vec<String> {
        let names = self.fields().filter_map(|field| match &field.member {
            Member::Named(name) => Some(name.to_string()),
            Member::Unnamed(_) => None,
        });
        names.collect()
    }
}

/// The treatment of a message when the outbox of its recipient is full.
pub(super) enum OverflowPolicy {
    Disconnect,
    DropNewest,
    DropOldest,
    /// Keeps only the newest message with the same values in these fields.
    Latest(Vec<Ident>),
}

/// The fields of a struct or of one variant.
pub(super) struct FieldGroup {
    /// The variant; `None` for a struct.
    pub(super) variant: Option<Ident>,
    /// The keys of the objects that contain the fields in the data, outermost first.
    pub(super) outer_keys: Vec<String>,
    pub(super) fields: Vec<MessageField>,
}

/// A field and its rules.
pub(super) struct MessageField {
    pub(super) member: Member,
    /// The key in the data; `None` when the field has no key of its own (`#[serde(flatten)]`).
    pub(super) key: Option<String>,
    pub(super) rules: Vec<Rule>,
}

/// A rule of `#[validate(..)]`.
pub(super) struct Rule {
    /// The name of the rule, at the user's token.
    pub(super) name: Ident,
    pub(super) check: Check,
    /// The argument `message`, which replaces the default text.
    pub(super) message: Option<LitStr>,
}

impl Rule {
    /// Returns the place of errors about the rule.
    pub(super) fn span(&self) -> Span {
        self.name.span()
    }
}

/// The kind of a rule, with its arguments.
pub(super) enum Check {
    Length(Length),
    Range(Range),
    /// A compiled regular expression of the user.
    RegexPath(Expr),
    /// A pattern that generated code compiles.
    RegexPattern(LitStr),
    Email,
    Url,
    Custom(Path),
    Nested,
}

/// The bounds of `length`, inclusive.
#[derive(Default)]
pub(super) struct Length {
    pub(super) min: Option<Expr>,
    pub(super) max: Option<Expr>,
    pub(super) equal: Option<Expr>,
}

/// The bounds of `range`.
#[derive(Default)]
pub(super) struct Range {
    pub(super) min: Option<Expr>,
    pub(super) max: Option<Expr>,
    pub(super) exclusive_min: Option<Expr>,
    pub(super) exclusive_max: Option<Expr>,
}
