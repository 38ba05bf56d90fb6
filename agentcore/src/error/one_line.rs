//! Texts of clients in a log or an error: one line, and nothing that moves a cursor or turns the writing direction.

use std::borrow::Cow;

/// The text with every character escaped that is not plain: controls (line ends and ANSI sequences among them), line and
/// paragraph separators, and marks of direction.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_plain(character) {
            shown.push(character);
        } else {
            shown.extend(character.escape_default());
        }
    }
    Cow::Owned(shown)
}

fn is_plain(character: char) -> bool {
    !character.is_control()
        && !matches!(character, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_plain_is_escaped_and_the_rest_stays() {
        assert!(matches!(one_line("chat_message \u{1F600} \u{E9}"), Cow::Borrowed(_)));
        for (text, shown) in [
            ("a\nb\r", "a\\nb\\r"),
            ("\u{1b}[31m", "\\u{1b}[31m"),
            ("a\u{85}\u{2028}\u{202E}b", "a\\u{85}\\u{2028}\\u{202e}b"),
            ("\u{FEFF}", "\\u{feff}"),
        ] {
            assert_eq!(one_line(text), shown);
        }
    }
}
