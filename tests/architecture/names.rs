//! One word means one thing: no two modules define a type of the same name.

use std::collections::BTreeMap;

use crate::sources::sources;

/// Names that several modules define, with the reason.
const ALLOWED: [(&str, &str); 0] = [];

#[test]
fn no_two_modules_define_a_type_of_one_name() {
    let mut defined: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in sources().values() {
        for (at, line) in source.code.lines().enumerate() {
            if let Some(name) = defined_type(line) {
                defined.entry(name.to_owned()).or_default().push(format!("{}:{}", source.file.display(), at + 1));
            }
        }
    }
    assert!(defined.len() > 200, "only {} types were found", defined.len());
    defined.retain(|name, places| places.len() > 1 && !ALLOWED.iter().any(|(allowed, _)| allowed == name));
    let found: Vec<_> = defined.iter().map(|(name, places)| format!("`{name}`: {}", places.join(", "))).collect();
    assert!(found.is_empty(), "types of one name, {}:\n{}", found.len(), found.join("\n"));
}

/// Returns the name of the type that a line begins to define. An associated type is no definition of its own.
fn defined_type(line: &str) -> Option<&str> {
    let is_indented = line.starts_with(' ');
    let line = line.trim_start();
    let line = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(") ")?.1,
        Some(rest) => rest.trim_start(),
        None => line,
    };
    let line = line.strip_prefix("unsafe ").unwrap_or(line);
    let (keyword, rest) = line.split_once(' ')?;
    let is_type = matches!(keyword, "struct" | "enum" | "trait" | "union") || (keyword == "type" && !is_indented);
    let name = rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next()?;
    (is_type && name.starts_with(char::is_uppercase)).then_some(name)
}

#[test]
fn definitions_are_recognised() {
    let found =
        ["pub(crate) struct Shard {", "    enum Part {", "trait Backend: Send {", "type Key = u64;"].map(defined_type);
    assert_eq!(found, [Some("Shard"), Some("Part"), Some("Backend"), Some("Key")]);
    assert_eq!(["    type Error = X;", "impl Foo {", "let type_ = 1;"].map(defined_type), [None; 3]);
}
