//! The paths that a file names: `crate::a::b`, `super::{c, d::E}`.

use crate::sources::Source;

/// Returns the absolute paths, without `crate`, that the code of a file names from `crate`, `self` or `super` on.
pub(crate) fn named(source: &Source) -> Vec<Vec<String>> {
    let mut named = Vec::new();
    let code = source.code.as_str();
    for start in ["crate::", "self::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '$')) || is_visibility(&code[..at])
            {
                continue;
            }
            expand(&code[at..], &[], &mut named);
        }
    }
    named.into_iter().filter_map(|path| absolute(path, &source.module)).collect()
}

/// Returns whether a path that follows `before` says who sees an item, as in `pub(in crate::server)`.
fn is_visibility(before: &str) -> bool {
    before.ends_with("pub(in ")
}

/// Adds the paths that `text` begins with, each after `prefix`; returns what follows them.
fn expand<'t>(text: &'t str, prefix: &[String], named: &mut Vec<Vec<String>>) -> &'t str {
    let mut path = prefix.to_vec();
    let mut rest = text.trim_start();
    loop {
        if let Some(group) = rest.strip_prefix('{') {
            return expand_group(group, &path, named);
        }
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        path.push(rest[..end].to_owned());
        rest = &rest[end..];
        match rest.strip_prefix("::") {
            Some(further) if further.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '{')) => {
                rest = further;
            }
            _ => break,
        }
    }
    named.push(path);
    rest
}

fn expand_group<'t>(text: &'t str, prefix: &[String], named: &mut Vec<Vec<String>>) -> &'t str {
    let mut rest = text.trim_start();
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return after;
        }
        let before = rest.len();
        rest = expand(rest, prefix, named).trim_start();
        if let Some(renamed) = rest.strip_prefix("as ") {
            rest = renamed.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_').trim_start();
        }
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        if rest.is_empty() || rest.len() == before {
            return rest;
        }
    }
}

/// Resolves the first segments of a path that a module names; `None` if it leaves the crate.
fn absolute(path: Vec<String>, module: &[String]) -> Option<Vec<String>> {
    let mut base = module.to_vec();
    let mut segments = path.into_iter().peekable();
    match segments.next()?.as_str() {
        "crate" => base.clear(),
        "super" => {
            base.pop()?;
        }
        _ => {}
    }
    while segments.next_if(|segment| segment == "super").is_some() {
        base.pop()?;
    }
    base.extend(segments.filter(|segment| segment != "self"));
    Some(base)
}
