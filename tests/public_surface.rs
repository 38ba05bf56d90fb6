//! Limits the number of public names at the root of `agentcore`, so that its front page stays readable.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

use std::fs;
use std::path::Path;

/// The maximum number of names at the root: modules, macros, crates and types. Other names belong in the module of
/// their subject.
const MAX_NAMES: usize = 45;

/// The names that `lib.rs` makes public, without those that are `#[doc(hidden)]`.
fn public_names(source: &str) -> Vec<String> {
    let code: String =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect();
    let mut names = Vec::new();
    let mut hidden = false;
    let mut rest = code.as_str();
    while let Some(item) = next_item(&mut rest) {
        if item.starts_with('#') {
            hidden |= item.replace(' ', "").contains("doc(hidden)");
            continue;
        }
        match item.strip_prefix("pub ") {
            Some(item) if !hidden => names.extend(declared(item)),
            _ => {}
        }
        hidden = false;
    }
    names
}

/// Takes the next attribute or item of a file: up to its `;`, or up to the end of its block or bracket.
fn next_item<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let text = rest.trim_start();
    let (is_attribute, is_use) = (text.starts_with('#'), text.starts_with("pub use ") || text.starts_with("use "));
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => depth -= 1,
            _ => {}
        }
        let ends = match c {
            ';' => depth == 0,
            ']' => depth == 0 && is_attribute,
            '}' => depth == 0 && !is_use,
            _ => false,
        };
        if ends {
            let (item, after) = text.split_at(at + 1);
            *rest = after;
            return Some(item);
        }
    }
    assert!(text.is_empty(), "an item without an end: {text}");
    None
}

/// The names of one item after its `pub`.
fn declared(item: &str) -> Vec<String> {
    if let Some(tree) = item.strip_prefix("use ") {
        return imported(tree.trim_end_matches(';'));
    }
    const KEYWORDS: [&str; 13] = [
        "mod", "struct", "enum", "union", "trait", "type", "static", "mut", "const", "unsafe", "async", "extern", "fn",
    ];
    let mut words = item.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
    let name = words.find(|word| !KEYWORDS.contains(word));
    vec![name.unwrap_or_else(|| panic!("no name in `{item}`")).to_owned()]
}

/// The names that a `use` tree brings in.
fn imported(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((path, list)) = tree.split_once('{') else {
        let name = tree.rsplit([':', ' ']).next().unwrap();
        assert_ne!(name, "*", "`{tree}` hides how many names it brings in");
        return vec![name.to_owned()];
    };
    assert!(!path.contains(','), "`{tree}`");
    let list = list.strip_suffix('}').unwrap_or_else(|| panic!("`{tree}`"));
    let (mut names, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (at, c) in list.char_indices().chain([(list.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let part = list[start..at].trim();
                start = at + 1;
                if !part.is_empty() {
                    names.extend(imported(part));
                }
            }
            _ => {}
        }
    }
    names
}

#[test]
fn the_root_has_at_most_45_names() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../agentcore/src/lib.rs");
    let source = fs::read_to_string(source).unwrap();
    let names = public_names(&source);
    assert!(names.contains(&"AgentCore".to_owned()), "the file is not read as it should be: {names:?}");
    assert!(names.len() <= MAX_NAMES, "{} names at the root, at most {MAX_NAMES}: {}", names.len(), names.join(", "));
}

/// `#[macro_export]` puts a macro at the root from any file.
#[test]
fn no_file_exports_a_macro() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../agentcore/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let exports = fs::read_to_string(&path).unwrap().contains("#[macro_export]");
                assert!(!exports, "{} exports a macro: count it among the names of the root", path.display());
            }
        }
    }
}

#[test]
fn every_form_of_a_public_item_is_counted() {
    let source = "
        // pub mod comment;
        pub mod a;
        mod b;
        #[cfg(feature = \"x\")]
        pub mod c;
        #[doc(hidden)]
        #[path = \"d.rs\"]
        pub mod d;
        pub use e::{f, g::{H, I as J}};
        pub use k;
        pub(crate) use l::M;
        /// Docs; with { braces
        pub mod n { pub use crate::{O, P}; }
        pub const fn q() {}
        pub struct R;
    ";
    assert_eq!(public_names(source), ["a", "c", "f", "H", "J", "k", "n", "q", "R"]);
}
