//! The path of a consumer, in the form of axum: `/ws/{user_id}`, `/files/{*rest}`.

use syn::LitStr;

use crate::diagnostics::Diagnostic;

/// The names in the braces of `path`.
///
/// # Errors
/// What axum would refuse at start.
pub(super) fn names(path: &LitStr) -> Result<Vec<String>, Diagnostic> {
    let text = path.value();
    if !text.starts_with('/') {
        let help = format!("`\"/{text}\"`");
        return Err(Diagnostic::new(path, "a path must start with `/`").help(help));
    }
    let mut names: Vec<String> = Vec::new();
    for segment in text.split('/') {
        if let Some(name) = segment.strip_prefix(':').filter(|name| !name.is_empty()) {
            let error = Diagnostic::new(path, format_args!("`:{name}` is no name in a path"));
            return Err(error.help(format_args!("`{{{name}}}`")));
        }
        if let Some(name) = name(segment).map_err(|wrong| Diagnostic::new(path, wrong))? {
            if names.contains(&name) {
                return Err(Diagnostic::new(path, format_args!("`{{{name}}}` is twice in the path")));
            }
            names.push(name);
        }
    }
    Ok(names)
}

/// The name in the braces of one segment; `{{` and `}}` stand for braces.
fn name(segment: &str) -> Result<Option<String>, String> {
    let plain = segment.replace("{{", "").replace("}}", "");
    let Some((_, rest)) = plain.split_once('{') else {
        return if plain.contains('}') {
            Err(format!("`{segment}` closes a brace that is not open"))
        } else {
            Ok(None)
        };
    };
    let Some((name, after)) = rest.split_once('}') else {
        return Err(format!("`{segment}` does not close its brace"));
    };
    if after.contains(['{', '}']) {
        return Err(format!("`{segment}` has more than one name: there is at most one between two `/`"));
    }
    let name = name.strip_prefix('*').unwrap_or(name);
    if name.is_empty() || name.contains(['{', '*']) {
        return Err(format!("`{segment}` has no name in its braces"));
    }
    Ok(Some(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use proc_macro2::Span;

    use super::*;

    fn names_of(path: &str) -> Option<Vec<String>> {
        names(&LitStr::new(path, Span::call_site())).ok()
    }

    #[test]
    fn the_names_are_those_in_braces() {
        assert_eq!(names_of("/ws"), Some(vec![]));
        assert_eq!(names_of("/ws/{user_id}/{*rest}"), Some(vec!["user_id".to_owned(), "rest".to_owned()]));
        assert_eq!(names_of("/ws/{{literal}}"), Some(vec![]));
        assert_eq!(names_of("/ws/v{version}"), Some(vec!["version".to_owned()]));
    }

    #[test]
    fn a_path_that_axum_refuses_is_refused() {
        for path in ["ws", "/ws/:id", "/ws/{}", "/ws/{id", "/ws/id}", "/{id}/{id}", "/{a}{b}", "/{*}"] {
            assert_eq!(names_of(path), None, "{path}");
        }
    }
}
