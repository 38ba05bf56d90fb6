//! The report that collects broken rules with the paths of their fields.

use std::cell::Cell;
use std::fmt::Display;

use crate::error::{Error, ErrorDetail, excerpt};

/// The longest key, path and text that are reported of data that cannot be decoded, in characters: they may quote the
/// client.
pub(in crate::message) const MAX_TEXT: usize = 200;

/// The broken rules of one payload, each with the path of its field.
#[derive(Debug)]
pub struct ValidationReport {
    path: Vec<PathStep>,
    errors: Vec<ErrorDetail>,
}

#[derive(Debug)]
enum PathStep {
    Field(&'static str),
    Index(usize),
    Key(String),
}

thread_local! {
    /// The empty path of the last report, reused so that a valid message allocates nothing here.
    static PATH: Cell<Vec<PathStep>> = const { Cell::new(Vec::new()) };
}

impl Default for ValidationReport {
    fn default() -> Self {
        Self { path: PATH.take(), errors: Vec::new() }
    }
}

impl Drop for ValidationReport {
    fn drop(&mut self) {
        self.path.clear();
        PATH.set(std::mem::take(&mut self.path));
    }
}

impl ValidationReport {
    /// Runs `check` for the field `name`.
    pub fn field(&mut self, name: &'static str, check: impl FnOnce(&mut Self)) {
        self.path.push(PathStep::Field(name));
        check(self);
        self.path.pop();
    }

    /// Runs `check` for the element `index`.
    pub fn index(&mut self, index: usize, check: impl FnOnce(&mut Self)) {
        self.path.push(PathStep::Index(index));
        check(self);
        self.path.pop();
    }

    /// Runs `check` for the value under `key` of a map.
    pub fn key(&mut self, key: &impl Display, check: impl FnOnce(&mut Self)) {
        self.path.push(PathStep::Key(key.to_string()));
        check(self);
        self.path.pop();
    }

    /// Records that the current field breaks `rule`; `message` is read after the field's name.
    pub fn broken(&mut self, rule: &'static str, message: impl Into<String>) {
        self.errors.push(ErrorDetail { field: self.path(), rule: rule.into(), message: message.into() });
    }

    /// Returns the path of the current field, such as `a.b[2]`.
    fn path(&self) -> String {
        let mut path = String::new();
        for step in &self.path {
            let name = match step {
                PathStep::Field(name) => name,
                PathStep::Key(name) => name.as_str(),
                PathStep::Index(index) => {
                    path.push_str(&format!("[{index}]"));
                    continue;
                }
            };
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(name);
        }
        path
    }

    /// Returns how many rules are broken.
    pub(in crate::message) fn len(&self) -> usize {
        self.errors.len()
    }

    /// Returns whether no rule is broken.
    pub(in crate::message) fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// Ends the report of data that could not be decoded. Mistakes of the data as a whole have no field to name.
    pub(in crate::message) fn into_error(mut self) -> Error {
        let mut errors = std::mem::take(&mut self.errors);
        for error in &mut errors {
            error.field = excerpt(&error.field, MAX_TEXT).into_owned();
            if error.field.is_empty() {
                error.message.insert_str(0, "the data ");
            }
        }
        failed(errors)
    }

    /// Ends the report.
    ///
    /// # Errors
    /// `VALIDATION_FAILED` when a rule is broken.
    pub fn into_result(mut self) -> Result<(), Error> {
        if self.errors.is_empty() {
            return Ok(());
        }
        Err(failed(std::mem::take(&mut self.errors)))
    }
}

/// Returns the error for broken rules; its message names the first.
fn failed(errors: Vec<ErrorDetail>) -> Error {
    let message = match errors.first() {
        Some(first) if first.field.is_empty() => first.message.clone(),
        Some(first) => format!("`{}` {}", first.field, first.message),
        None => "the data is not valid".to_owned(),
    };
    Error::validation(message).with_details(errors)
}
