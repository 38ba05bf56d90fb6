//! Escapes and cuts text from clients for logs and errors, so that it stays on one line and cannot control a terminal.

use std::borrow::Cow;

/// Escapes control characters (such as line breaks and ANSI sequences), line and paragraph separators, zero-width
/// characters and marks of text direction.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_plain(character) {
            escaped.push(character);
        } else {
            escaped.extend(character.escape_default());
        }
    }
    Cow::Owned(escaped)
}

/// Returns the first `max` characters of a text that a client may have written, with an ellipsis if there are more.
pub(crate) fn excerpt(text: &str, max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max) {
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}

fn is_plain(character: char) -> bool {
    !character.is_control()
        && !matches!(character, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_control_and_direction_characters_are_escaped() {
        assert!(matches!(one_line("chat_message \u{1F600} \u{E9}"), Cow::Borrowed(_)));
        for (text, escaped) in [
            ("a\nb\r", "a\\nb\\r"),
            ("\u{1b}[31m", "\\u{1b}[31m"),
            ("a\u{85}\u{2028}\u{202E}b", "a\\u{85}\\u{2028}\\u{202e}b"),
            ("\u{FEFF}", "\\u{feff}"),
        ] {
            assert_eq!(one_line(text), escaped);
        }
    }
}
