//! Headers whose value is a list.

use axum::http::{HeaderMap, HeaderName};

/// Returns the elements of a header that is a comma-separated list. All lines of the header are one list; spaces and
/// tabs around an element, and empty elements, do not count (RFC 9110, sections 5.3 and 5.6.1).
///
/// An element may have bytes that are not ASCII.
pub(crate) fn elements(headers: &HeaderMap, name: HeaderName) -> impl DoubleEndedIterator<Item = &[u8]> {
    let lines = headers.get_all(name).into_iter();
    lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(trim).filter(|element| !element.is_empty())
}

fn trim(mut element: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = element {
        element = rest;
    }
    element
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops where it fails")]
mod tests {
    use axum::http::header::CONNECTION;
    use axum::http::{HeaderMap, HeaderValue};
    use proptest::prelude::*;

    use super::elements;

    fn headers(lines: &[impl AsRef<[u8]>]) -> HeaderMap {
        lines.iter().map(|line| (CONNECTION, HeaderValue::from_bytes(line.as_ref()).unwrap())).collect()
    }

    #[test]
    fn the_lines_of_a_header_are_one_list_without_empty_elements() {
        for (lines, expected) in [
            (&["a"][..], &["a"][..]),
            (&["a, b", "c"], &["a", "b", "c"]),
            (&["a,b\t,\t c ,"], &["a", "b", "c"]),
            (&["", ",", " ,\t, "], &[]),
            (&["a b"], &["a b"]),
        ] {
            let expected: Vec<_> = expected.iter().map(|element| element.as_bytes()).collect();
            assert_eq!(elements(&headers(lines), CONNECTION).collect::<Vec<_>>(), expected, "{lines:?}");
        }
        assert_eq!(elements(&headers(&[b"\xff, a"]), CONNECTION).nth(1), Some(&b"a"[..]));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_on_which_line_an_element_is(list in proptest::collection::vec("[ -+\\--~\t]{0,6}", 0..6)) {
            let (lines, line) = (headers(&list), headers(&[list.join(",")]));
            let found: Vec<_> = elements(&lines, CONNECTION).collect();
            prop_assert_eq!(&found, &elements(&line, CONNECTION).collect::<Vec<_>>());
            prop_assert!(found.iter().all(|element| !element.is_empty() && element.trim_ascii() == *element));
        }
    }
}
