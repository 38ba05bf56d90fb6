//! The checks that generated code calls, one for each rule.
//!
//! The text of a broken rule is read after the name of the field: "`room` must have 1 to 50 characters, it has 0".

use std::fmt::Display;
use std::sync::{LazyLock, OnceLock};

use email_address::{EmailAddress, Options};
use regex::Regex;

use super::{Length, Number, Size, Text, Validate, ValidationReport};

/// The bounds of `length`, all inclusive.
#[derive(Debug)]
pub struct LengthBounds {
    /// The minimum.
    pub min: Option<usize>,
    /// The maximum.
    pub max: Option<usize>,
    /// The only allowed length.
    pub equal: Option<usize>,
}

/// Checks `length`.
pub fn length<T: Length + ?Sized>(
    value: &T,
    bounds: LengthBounds,
    message: Option<&str>,
    report: &mut ValidationReport,
) {
    let (len, unit) = match value.size() {
        None => return,
        Some(Size::Characters(len)) => (len, "character"),
        Some(Size::Elements(len)) => (len, "element"),
    };
    let (min, max) = (bounds.equal.or(bounds.min), bounds.equal.or(bounds.max));
    if min.is_none_or(|min| len >= min) && max.is_none_or(|max| len <= max) {
        return;
    }
    let wanted = match (min, max) {
        (Some(min), Some(max)) if min == max => counted(max, unit),
        (Some(min), Some(max)) => format!("{min} to {}", counted(max, unit)),
        (Some(min), None) => format!("at least {}", counted(min, unit)),
        (None, Some(max)) => format!("at most {}", counted(max, unit)),
        (None, None) => return,
    };
    broken("length", message, report, || format!("must have {wanted}, it has {len}"));
}

fn counted(count: usize, unit: &str) -> String {
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// The bounds of `range`.
#[derive(Debug)]
pub struct RangeBounds<N> {
    /// The inclusive minimum.
    pub min: Option<N>,
    /// The inclusive maximum.
    pub max: Option<N>,
    /// The exclusive minimum.
    pub exclusive_min: Option<N>,
    /// The exclusive maximum.
    pub exclusive_max: Option<N>,
}

/// Checks `range`. NaN is outside every range.
pub fn range<T: Number + ?Sized>(
    value: &T,
    bounds: RangeBounds<T::Value>,
    message: Option<&str>,
    report: &mut ValidationReport,
) {
    let Some(number) = value.number() else { return };
    let RangeBounds { min, max, exclusive_min, exclusive_max } = bounds;
    if min.as_ref().is_none_or(|min| number >= *min)
        && max.as_ref().is_none_or(|max| number <= *max)
        && exclusive_min.as_ref().is_none_or(|min| number > *min)
        && exclusive_max.as_ref().is_none_or(|max| number < *max)
    {
        return;
    }
    broken("range", message, report, || {
        let wanted = match (min, max) {
            (Some(min), Some(max)) => format!("from {min} to {max}"),
            (min, max) => {
                let bounds = [
                    min.map(|min| format!("at least {min}")),
                    exclusive_min.map(|min| format!("more than {min}")),
                    max.map(|max| format!("at most {max}")),
                    exclusive_max.map(|max| format!("less than {max}")),
                ];
                bounds.into_iter().flatten().collect::<Vec<_>>().join(" and ")
            }
        };
        format!("must be {wanted}, it is {number}")
    });
}

/// Checks `email`.
pub fn email<T: Text + ?Sized>(value: &T, message: Option<&str>, report: &mut ValidationReport) {
    let options = Options::default().without_display_text();
    if value.text().is_some_and(|text| EmailAddress::parse_with_options(text, options).is_err()) {
        broken("email", message, report, || "must be an email address".to_owned());
    }
}

/// Checks `url`: an absolute URL of any scheme.
#[cfg(feature = "url")]
pub fn url<T: Text + ?Sized>(value: &T, message: Option<&str>, report: &mut ValidationReport) {
    if value.text().is_some_and(|text| url::Url::parse(text).is_err()) {
        broken("url", message, report, || "must be a URL".to_owned());
    }
}

/// Makes the use of the rule `url` without its feature an error of the compiler.
#[cfg(not(feature = "url"))]
pub fn url<T: UrlFeature + ?Sized>(_: &T, _: Option<&str>, _: &mut ValidationReport) {}

/// Implemented by nothing.
#[cfg(not(feature = "url"))]
#[diagnostic::on_unimplemented(
    message = "`#[validate(url)]` needs the feature `url` of the crate `agentcore`",
    label = "the rule is not compiled in",
    note = "add `features = [\"url\"]` to the dependency `agentcore` in Cargo.toml"
)]
pub trait UrlFeature {}

/// Checks `regex`. An invalid pattern refuses every text.
pub fn regex<T: Text + ?Sized>(
    value: &T,
    pattern: &impl Pattern,
    message: Option<&str>,
    report: &mut ValidationReport,
) {
    let Some(text) = value.text() else { return };
    if !pattern.regex().is_some_and(|regex| regex.is_match(text)) {
        broken("regex", message, report, || format!("must match `{}`", pattern.text()));
    }
}

/// Checks `nested`.
pub fn nested<T: Validate + ?Sized>(value: &T, report: &mut ValidationReport) {
    value.validate(report);
}

fn broken(rule: &'static str, message: Option<&str>, report: &mut ValidationReport, text: impl FnOnce() -> String) {
    report.broken(rule, message.map_or_else(text, str::to_owned));
}

/// Checks `custom`. For an `Option`, the inherent method takes precedence over that of [`CheckValue`].
#[derive(Debug)]
pub struct Custom<'a, T: ?Sized>(pub &'a T);

impl<T> Custom<'_, Option<T>> {
    /// Checks the value if it is present.
    pub fn check<E: Display>(self, function: impl FnOnce(&T) -> Result<(), E>, report: &mut ValidationReport) {
        if let Some(value) = self.0 {
            Custom(value).check(function, report);
        }
    }
}

/// Checks a value that is not optional.
pub trait CheckValue {
    /// The type that the function checks.
    type Value: ?Sized;

    /// Calls the function, and reports its error.
    fn check<E: Display>(self, function: impl FnOnce(&Self::Value) -> Result<(), E>, report: &mut ValidationReport);
}

impl<T: ?Sized> CheckValue for Custom<'_, T> {
    type Value = T;

    fn check<E: Display>(self, function: impl FnOnce(&T) -> Result<(), E>, report: &mut ValidationReport) {
        if let Err(error) = function(self.0) {
            report.broken("custom", error.to_string());
        }
    }
}

/// A regular expression, as `regex(path = ..)` takes it.
#[diagnostic::on_unimplemented(
    message = "`regex(path = ..)` cannot use `{Self}`",
    label = "this is not a regular expression",
    note = "it takes a `Regex` or a `LazyLock<Regex>` of the `regex` crate; `regex = r\"..\"` needs neither"
)]
pub trait Pattern {
    /// Returns the compiled expression; `None` if it is invalid.
    fn regex(&self) -> Option<&Regex>;

    /// Returns the expression as written.
    fn text(&self) -> &str;
}

impl Pattern for Regex {
    fn regex(&self) -> Option<&Regex> {
        Some(self)
    }

    fn text(&self) -> &str {
        self.as_str()
    }
}

impl<T: Pattern, F: FnOnce() -> T> Pattern for LazyLock<T, F> {
    fn regex(&self) -> Option<&Regex> {
        (**self).regex()
    }

    fn text(&self) -> &str {
        (**self).text()
    }
}

/// A regular expression written in a rule. It is compiled at first use, and no later than at start.
#[derive(Debug)]
pub struct InlinePattern {
    text: &'static str,
    compiled: OnceLock<Result<Regex, regex::Error>>,
}

impl InlinePattern {
    /// Creates the pattern from the text of an expression.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self { text, compiled: OnceLock::new() }
    }

    fn compiled(&self) -> &Result<Regex, regex::Error> {
        self.compiled.get_or_init(|| Regex::new(self.text))
    }
}

impl Pattern for InlinePattern {
    fn regex(&self) -> Option<&Regex> {
        self.compiled().as_ref().ok()
    }

    fn text(&self) -> &str {
        self.text
    }
}

/// Compiles the patterns of the message `name`.
///
/// # Errors
/// A text for each invalid pattern.
pub fn check_inline(name: &str, patterns: &[&InlinePattern]) -> Result<(), Vec<String>> {
    let wrong = |pattern: &&&InlinePattern| Some((pattern.text, pattern.compiled().as_ref().err()?.to_string()));
    let wrong: Vec<String> = patterns
        .iter()
        .filter_map(|pattern| wrong(&pattern))
        .map(|(text, error)| format!("the pattern `{text}` of message `{name}` is not a regular expression: {error}"))
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

#[cfg(test)]
mod tests;
