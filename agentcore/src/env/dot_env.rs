//! Reads `.env`. An error names a line and its variable, and never shows a value, which may be a secret.

use std::{fs, io};

use crate::error::Error;

/// Stands for a `$` while the file is parsed, so that the parser expands no variables. It is no character of any text.
const DOLLAR: char = '\u{FDD0}';

/// Reads the variables of a file; none if it does not exist.
///
/// # Errors
/// The file cannot be read, or a line of it cannot be parsed.
pub(super) fn read(path: &str) -> Result<Vec<(String, String)>, Error> {
    match fs::read(path) {
        Ok(bytes) => parse(&bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Error::start(format!("`.env` cannot be read: {error}"))),
    }
}

fn parse(bytes: &[u8]) -> Result<Vec<(String, String)>, Error> {
    let text = str::from_utf8(bytes).map_err(|error| {
        let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        Error::start(format!("`.env` cannot be read: line {line} is not UTF-8"))
    })?;
    let text = keep_dollars(text.strip_prefix('\u{FEFF}').unwrap_or(text));
    let variables = dotenvy::from_read_iter(text.as_bytes()).map(|variable| match variable {
        Ok((name, value)) => Ok((name, value.replace(DOLLAR, "$"))),
        Err(_) => Err(Error::start(format!("`.env` cannot be read: {}", place(&text)))),
    });
    variables.collect()
}

/// Replaces each `$` that no backslash precedes.
fn keep_dollars(text: &str) -> String {
    let mut escaped = false;
    text.chars()
        .map(|character| {
            let kept = if character == '$' && !escaped { DOLLAR } else { character };
            escaped = character == '\\' && !escaped;
            kept
        })
        .collect()
}

/// Describes where a text that cannot be parsed is wrong. The parser does not say, so this looks for the longest
/// beginning that it can parse.
fn place(text: &str) -> String {
    const RULE: &str = "is not NAME=value; a value with spaces, quotes or # needs quotes around it";
    let parses = |text: &str| dotenvy::from_read_iter(text.as_bytes()).all(|variable| variable.is_ok());
    let starts = text.split_inclusive('\n').scan(0, |end, line| Some(std::mem::replace(end, *end + line.len())));
    let valid = starts.enumerate().filter_map(|(before, start)| Some((before, text.split_at_checked(start)?)));
    let last_valid = valid.filter(|(_, (beginning, _))| parses(beginning)).last();
    let (before, rest) = last_valid.map_or((0, text), |(before, (_, rest))| (before, rest));
    let line = rest.lines().next().unwrap_or_default();
    let name = line.split_once('=').map(|(name, _)| name.trim().trim_start_matches("export ").trim());
    match name.filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')) {
        Some(name) => format!("line {}, the value of {name}, {RULE}", before + 1),
        None => format!("line {} {RULE}", before + 1),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops where it fails")]
mod tests {
    use super::*;

    fn value(text: &str) -> String {
        parse(text.as_bytes()).unwrap().pop().unwrap().1
    }

    #[test]
    fn a_dollar_is_kept() {
        for (text, expected) in [
            ("KEY=abc$def", "abc$def"),
            ("KEY=$HOME", "$HOME"),
            ("KEY=\"a${HOME}b\"", "a${HOME}b"),
            ("KEY='a$b'", "a$b"),
            (r"KEY=a\$b", "a$b"),
            (r"KEY='a\$b'", r"a\$b"),
            (r#"KEY="a\\$b""#, r"a\$b"),
            ("\u{FEFF}KEY=a", "a"),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn an_error_names_the_line_and_the_variable_and_shows_no_value() {
        for (text, told) in [
            ("A=1\nREDIS_URL=redis://:swordfish two@h\n", "line 2, the value of REDIS_URL, is not"),
            ("# x\n\nexport KEY=swordfish two", "line 3, the value of KEY, is not"),
            ("KEY=\"swordfish\n\nA=1", "line 1, the value of KEY, is not"),
            ("A=1\nKEY=sword$fish 'two\n", "line 2, the value of KEY, is not"),
            ("swordfish\n", "line 1 is not NAME=value"),
            ("swordfish two=3\n", "line 1 is not NAME=value"),
            ("A=\"1\n2\"\nB=swordfish two\n", "line 3, the value of B, is not"),
            ("A=1\nA=swordfish two\nA=swordfish two\n", "line 2, the value of A, is not"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(told), "{told} is not in {error}");
            assert!(!error.contains("sword"), "{error}");
        }
        let error = parse(b"A=1\nKEY=sword\xFF").unwrap_err().to_string();
        assert!(error.contains("line 2 is not UTF-8") && !error.contains("sword"), "{error}");
    }
}
