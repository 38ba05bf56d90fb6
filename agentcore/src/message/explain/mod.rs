//! What is wrong with the shape of data, all of it at once: the cold path after decoding has failed.
//!
//! serde stops at the first mistake, so the data are decoded again and again: from a [`tree`], through a [`reader`]
//! whose errors know where they happened. What was wrong is noted, put right with a [`placeholder`] that answers
//! whatever type is asked for, and the next run finds the next mistake. The work is bounded, whatever the data: a very
//! large or very wrong message gets a shorter list.
//!
//! It owns mistakes of shape. It does not own the rules of `#[validate(..)]`, which need a decoded value.

mod mistake;
mod placeholder;
mod reader;
mod search;
#[cfg(test)]
mod tests;
mod tree;
mod wording;

use serde::de::DeserializeOwned;

use super::{Payload, validate};
use crate::error::{Error, ErrorDetail};

/// The error for data that `serde_json` could not decode as `P`, with every mistake in its details.
pub(super) fn shape_error<P: Payload>(json: &str, error: &serde_json::Error) -> Error {
    validate::failed(details::<P>(json, error))
}

/// The error for data that are a list: messages are objects.
pub(super) fn list() -> Error {
    let message = "the data must be an object, not a list".to_owned();
    validate::failed(vec![ErrorDetail { field: String::new(), rule: "type".into(), message }])
}

/// The mistakes in `json`, at least one.
fn details<T: DeserializeOwned>(json: &str, error: &serde_json::Error) -> Vec<ErrorDetail> {
    let text = error.to_string();
    if text.starts_with("recursion limit exceeded") {
        let message = "the data is nested deeper than 128 levels".to_owned();
        return vec![ErrorDetail { field: String::new(), rule: "depth".into(), message }];
    }
    let found = tree::read(json).map(search::mistakes::<T>).unwrap_or_default();
    if !found.is_empty() {
        return found;
    }
    vec![ErrorDetail {
        field: String::new(),
        rule: "value".into(),
        message: format!("the data is not valid: {}", wording::cut(&text, 200)),
    }]
}
