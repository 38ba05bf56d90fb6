#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Returns the field, the rule and the text of each rule that `check` breaks.
fn broken(check: impl FnOnce(&mut ValidationReport)) -> Vec<(String, std::borrow::Cow<'static, str>, String)> {
    let mut report = ValidationReport::default();
    report.field("field", check);
    let details = report.into_result().err().map(|error| error.details().to_vec()).unwrap_or_default();
    details.into_iter().map(|detail| (detail.field, detail.rule, detail.message)).collect()
}

fn text_of(check: impl FnOnce(&mut ValidationReport)) -> Option<String> {
    broken(check).pop().map(|(_, _, text)| text)
}

const fn between(min: usize, max: usize) -> LengthBounds {
    LengthBounds { min: Some(min), max: Some(max), equal: None }
}

#[test]
fn a_broken_length_names_the_bounds_and_the_actual_length() {
    let text = |bounds, value: &str| text_of(|report| length(value, bounds, None, report));
    assert_eq!(text(between(1, 50), "").unwrap(), "must have 1 to 50 characters, it has 0");
    assert_eq!(text(between(2, 2), "abc").unwrap(), "must have 2 characters, it has 3");
    let at_least = |min| LengthBounds { min: Some(min), max: None, equal: None };
    assert_eq!(text(at_least(1), "").unwrap(), "must have at least 1 character, it has 0");
    let at_most = LengthBounds { min: None, max: Some(2), equal: None };
    assert_eq!(text(at_most, "abc").unwrap(), "must have at most 2 characters, it has 3");
    let exactly = LengthBounds { min: None, max: None, equal: Some(4) };
    assert_eq!(text(exactly, "abc").unwrap(), "must have 4 characters, it has 3");
}

#[test]
fn texts_are_measured_in_characters_and_collections_in_elements() {
    assert_eq!(text_of(|report| length("äöü", between(3, 3), None, report)), None);
    let numbers = vec![1, 2, 3];
    let text = text_of(|report| length(&numbers, between(1, 2), None, report)).unwrap();
    assert_eq!(text, "must have 1 to 2 elements, it has 3");
}

#[test]
fn an_absent_value_breaks_no_rule() {
    assert_eq!(text_of(|report| length(&None::<String>, between(1, 2), None, report)), None);
    assert_eq!(text_of(|report| email(&None::<String>, None, report)), None);
    assert!(text_of(|report| length(&Some(String::new()), between(1, 2), None, report)).is_some());
    assert!(text_of(|report| email(&Some("nobody".to_owned()), None, report)).is_some());
}

#[test]
fn a_broken_range_names_its_bounds() {
    let bounds = |min, max, exclusive_min, exclusive_max| RangeBounds { min, max, exclusive_min, exclusive_max };
    let text = |bounds, value: i32| text_of(|report| range(&value, bounds, None, report));
    assert_eq!(text(bounds(Some(1), Some(100), None, None), 0).unwrap(), "must be from 1 to 100, it is 0");
    assert_eq!(text(bounds(Some(1), None, None, None), 0).unwrap(), "must be at least 1, it is 0");
    assert_eq!(text(bounds(None, None, Some(0), Some(2)), 2).unwrap(), "must be more than 0 and less than 2, it is 2");
    assert_eq!(text(bounds(None, Some(9), Some(0), None), 10).unwrap(), "must be more than 0 and at most 9, it is 10");
    assert_eq!(text(bounds(Some(1), Some(100), None, None), 1), None);
    assert_eq!(text(bounds(Some(1), Some(100), None, None), 100), None);
}

#[test]
fn nan_is_outside_every_range() {
    let bounds = RangeBounds { min: Some(0.0), max: None, exclusive_min: None, exclusive_max: None };
    assert_eq!(text_of(|report| range(&f64::NAN, bounds, None, report)).unwrap(), "must be at least 0, it is NaN");
}

#[test]
fn a_custom_message_replaces_the_text() {
    let text = text_of(|report| length("", between(1, 2), Some("must not be empty"), report));
    assert_eq!(text.unwrap(), "must not be empty");
}

#[test]
fn an_email_address_is_recognized() {
    for address in ["a@example.org", "first.last+tag@example.org"] {
        assert_eq!(text_of(|report| email(address, None, report)), None, "{address}");
    }
    for address in ["", "a", "a@", "@example.org", "A <a@example.org>"] {
        assert_eq!(text_of(|report| email(address, None, report)).unwrap(), "must be an email address", "{address}");
    }
}

#[test]
#[cfg(feature = "url")]
fn a_url_is_recognized() {
    assert_eq!(text_of(|report| url("https://example.org/a?b=c", None, report)), None);
    for text in ["", "example.org", "/a", "http://"] {
        assert_eq!(text_of(|report| url(text, None, report)).unwrap(), "must be a URL", "{text}");
    }
}

#[test]
fn an_invalid_pattern_refuses_every_text_and_is_reported_at_start() {
    static GOOD: InlinePattern = InlinePattern::new("^[a-z]+$");
    static BAD: InlinePattern = InlinePattern::new("[");
    assert_eq!(text_of(|report| regex("abc", &GOOD, None, report)), None);
    assert_eq!(text_of(|report| regex("ABC", &GOOD, None, report)).unwrap(), "must match `^[a-z]+$`");
    assert!(text_of(|report| regex("abc", &BAD, None, report)).is_some());
    let wrong = check_inline("Say", &[&GOOD, &BAD]).unwrap_err();
    assert_eq!(wrong.len(), 1);
    assert!(wrong[0].starts_with("the pattern `[` of message `Say` is not a regular expression: "), "{}", wrong[0]);
}

#[test]
fn a_function_checks_the_value_inside_an_option() {
    fn even(number: &u8) -> Result<(), String> {
        if number.is_multiple_of(2) { Ok(()) } else { Err(format!("must be even, it is {number}")) }
    }
    assert_eq!(text_of(|report| Custom(&3).check(even, report)).unwrap(), "must be even, it is 3");
    assert_eq!(text_of(|report| Custom(&Some(3)).check(even, report)).unwrap(), "must be even, it is 3");
    assert_eq!(text_of(|report| Custom(&None).check(even, report)), None);
}

struct Line(String);

impl Validate for Line {
    fn validate(&self, report: &mut ValidationReport) {
        report.field("text", |report| length(&self.0, between(1, 4), None, report));
    }
}

#[test]
fn a_nested_value_is_reported_with_its_path() {
    let lines = vec![Line("ok".to_owned()), Line(String::new())];
    let paths =
        |check: &dyn Fn(&mut ValidationReport)| broken(check).into_iter().map(|(path, ..)| path).collect::<Vec<_>>();
    assert_eq!(paths(&|report| nested(&lines, report)), ["field[1].text"]);
    let by_room = BTreeMap::from([("lobby", vec![Line(String::new())])]);
    assert_eq!(paths(&|report| nested(&by_room, report)), ["field.lobby[0].text"]);
    assert_eq!(paths(&|report| nested(&Some(Box::new(Line(String::new()))), report)), ["field.text"]);
}

proptest! {
    #[test]
    fn a_length_is_broken_exactly_outside_its_bounds(text in ".{0,12}", min in 0_usize..8, more in 0_usize..8) {
        let (len, max) = (text.chars().count(), min + more);
        let is_broken = text_of(|report| length(&text, between(min, max), None, report)).is_some();
        prop_assert_eq!(is_broken, len < min || len > max);
    }

    #[test]
    fn a_range_is_broken_exactly_outside_its_bounds(value: i64, min: i64, max: i64) {
        let bounds = RangeBounds { min: Some(min), max: None, exclusive_min: None, exclusive_max: Some(max) };
        let is_broken = text_of(|report| range(&value, bounds, None, report)).is_some();
        prop_assert_eq!(is_broken, !(min..max).contains(&value));
    }
}
