//! What `#[message]` was given.

use proc_macro2::Span;
use syn::{DeriveInput, Expr, Ident, LitStr, Member, Path};

use crate::crate_path::Paths;

/// A message or a payload.
pub(super) struct Message {
    /// The user's item, without the attributes that are ours.
    pub(super) item: DeriveInput,
    pub(super) name: Option<LitStr>,
    /// The argument, and what it says.
    pub(super) overflow: Option<(Ident, Overflow)>,
    pub(super) paths: Paths,
    /// One for a struct, one for each variant of an enum.
    pub(super) shapes: Vec<Shape>,
}

/// What happens to a message where a connection does not read fast enough.
pub(super) enum Overflow {
    Disconnect,
    DropNewest,
    DropOldest,
    /// Only the newest with the same values in these fields waits.
    Latest(Vec<Ident>),
}

/// Fields that come together.
pub(super) struct Shape {
    /// `None` for a struct.
    pub(super) variant: Option<Ident>,
    /// The keys around the fields.
    pub(super) around: Vec<String>,
    pub(super) fields: Vec<Field>,
}

/// A field and its rules.
pub(super) struct Field {
    pub(super) member: Member,
    /// Its key in the data; `None` when its own fields stand in the place of the field (`flatten`).
    pub(super) key: Option<String>,
    pub(super) rules: Vec<Rule>,
}

/// A rule of `#[validate(..)]`.
pub(super) struct Rule {
    /// Its name, as the user wrote it.
    pub(super) name: Ident,
    pub(super) check: Check,
    /// Replaces the text that says what the rule wants.
    pub(super) message: Option<LitStr>,
}

impl Rule {
    /// Where errors about the rule stand.
    pub(super) fn span(&self) -> Span {
        self.name.span()
    }
}

/// What a rule checks.
pub(super) enum Check {
    Length(Length),
    Range(Range),
    /// A regular expression that somebody has compiled.
    RegexPath(Expr),
    /// One that we compile.
    RegexPattern(LitStr),
    Email,
    Url,
    Custom(Path),
    Nested,
}

/// The bounds of `length`, both included.
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
