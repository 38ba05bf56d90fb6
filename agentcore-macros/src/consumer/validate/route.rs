//! Checks the route of a consumer, in axum's syntax: `/ws/{user_id}`, `/files/{*rest}`.

use syn::LitStr;

use crate::diagnostics::Diagnostic;

/// Returns the names of the parameters in `path`.
///
/// # Errors
/// axum would reject the path when the server starts.
pub(super) fn parameters(path: &LitStr) -> Result<Vec<String>, Diagnostic> {
    let text = path.value();
    if !text.starts_with('/') {
        let error = Diagnostic::new(path, "a path must start with `/`");
        return Err(error.help(format_args!("write `\"/{text}\"`")));
    }
    let mut names: Vec<String> = Vec::new();
    for segment in text.split('/') {
        if let Some(name) = segment.strip_prefix(':').filter(|name| !name.is_empty()) {
            let error = Diagnostic::new(path, format_args!("`:{name}` is not how a path names a parameter"));
            return Err(error.help(format_args!("write `{{{name}}}`")));
        }
        if let Some(name) = parameter(segment).map_err(|text| Diagnostic::new(path, text))? {
            if names.contains(&name) {
                return Err(Diagnostic::new(path, format_args!("`{{{name}}}` is in the path twice")));
            }
            names.push(name);
        }
    }
    Ok(names)
}

/// Returns the name of the parameter in one segment; `{{` and `}}` are escaped braces.
fn parameter(segment: &str) -> Result<Option<String>, String> {
    let plain = segment.replace("{{", "").replace("}}", "");
    let Some((_, rest)) = plain.split_once('{') else {
        return if plain.contains('}') { Err(format!("`{segment}` has a `}}` without a `{{`")) } else { Ok(None) };
    };
    let Some((name, after)) = rest.split_once('}') else {
        return Err(format!("`{segment}` has a `{{` without a `}}`"));
    };
    if after.contains(['{', '}']) {
        return Err(format!("`{segment}` must have at most one parameter"));
    }
    let name = name.strip_prefix('*').unwrap_or(name);
    if name.is_empty() || name.contains(['{', '*']) {
        return Err(format!("`{segment}` must have a name in its braces"));
    }
    Ok(Some(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use proc_macro2::Span;

    use super::*;

    fn parameters_of(path: &str) -> Option<Vec<String>> {
        parameters(&LitStr::new(path, Span::call_site())).ok()
    }

    #[test]
    fn the_parameters_are_the_names_in_braces() {
        assert_eq!(parameters_of("/ws"), Some(vec![]));
        assert_eq!(parameters_of("/ws/{user_id}/{*rest}"), Some(vec!["user_id".to_owned(), "rest".to_owned()]));
        assert_eq!(parameters_of("/ws/{{literal}}"), Some(vec![]));
        assert_eq!(parameters_of("/ws/v{version}"), Some(vec!["version".to_owned()]));
    }

    #[test]
    fn a_path_that_axum_rejects_is_rejected() {
        for path in ["ws", "/ws/:id", "/ws/{}", "/ws/{id", "/ws/id}", "/{id}/{id}", "/{a}{b}", "/{*}"] {
            assert_eq!(parameters_of(path), None, "{path}");
        }
    }
}
