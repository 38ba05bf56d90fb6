//! The derives that `#[message]` adds to an item.

use syn::punctuated::Punctuated;
use syn::{Meta, Path, Token};

const ADDED: [&str; 3] = ["Serialize", "Deserialize", "JsonSchema"];

/// Returns whether `#[message]` adds the derive itself.
pub(super) fn is_added(derive: &Path) -> bool {
    derive.segments.last().is_some_and(|last| ADDED.iter().any(|name| last.ident == name))
}

/// Returns the derives of a `#[derive(..)]` attribute.
pub(super) fn derives_of(meta: &Meta) -> Option<Punctuated<Path, Token![,]>> {
    let list = meta.require_list().ok().filter(|list| list.path.is_ident("derive"))?;
    list.parse_args_with(Punctuated::parse_terminated).ok()
}
