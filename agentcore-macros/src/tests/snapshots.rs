//! The expansions in `snapshots/`: for each `NAME.rs`, `NAME.expanded.rs` is what the attribute generates.
//!
//! They show a reader what generated code looks like, and a reviewer what a change of the macros changes.
//! `UPDATE_SNAPSHOTS=1 cargo test -p agentcore-macros` writes them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::{Attribute, Item, Meta};

/// The longest expansion, in lines. A longer one is hard to read: generate less, and move logic into `__private`.
const MAX_LINES: usize = 80;

#[test]
fn every_expansion_matches_its_snapshot() {
    let update = std::env::var_os("UPDATE_SNAPSHOTS").is_some_and(|value| value == "1");
    let mut failures = String::new();
    let inputs = inputs();
    assert!(!inputs.is_empty(), "no snapshots found");
    for input in inputs {
        let actual = expand(&fs::read_to_string(&input).unwrap());
        let snapshot = input.with_extension("expanded.rs");
        if update {
            fs::write(&snapshot, &actual).unwrap();
        }
        let name = snapshot.file_name().unwrap().display();
        let expected = fs::read_to_string(&snapshot).unwrap_or_default();
        if actual != expected {
            writeln!(failures, "--- {name}\n{}", diff(&expected, &actual)).unwrap();
        }
        let lines = actual.lines().count();
        if lines > MAX_LINES {
            writeln!(failures, "--- {name} has {lines} lines, more than {MAX_LINES}").unwrap();
        }
    }
    assert!(
        failures.is_empty(),
        "{failures}\nif the new expansions are right, run `UPDATE_SNAPSHOTS=1 cargo test -p agentcore-macros` and commit them"
    );
}

#[test]
fn every_snapshot_has_an_input() {
    let expanded = |path: &PathBuf| path.to_string_lossy().ends_with(".expanded.rs");
    for snapshot in files().into_iter().filter(expanded) {
        let input = snapshot.with_extension("").with_extension("rs");
        assert!(input.exists(), "{} has no input: remove it", snapshot.display());
    }
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn inputs() -> Vec<PathBuf> {
    files().into_iter().filter(|path| !path.to_string_lossy().ends_with(".expanded.rs")).collect()
}

/// Expands the one item of an input, and formats the result.
fn expand(input: &str) -> String {
    let mut file = syn::parse_file(input).unwrap();
    let mut item = file.items.pop().unwrap();
    assert!(file.items.is_empty(), "an input has one item");
    let attribute = take_attribute(&mut item);
    let args = match &attribute.meta {
        Meta::List(list) => list.tokens.clone(),
        _ => TokenStream::new(),
    };
    let expand = match attribute.path().get_ident().unwrap().to_string().as_str() {
        "message" => crate::message::attribute,
        "consumer" => crate::consumer::attribute,
        "main" => crate::entry_point::attribute,
        other => panic!("no attribute `{other}`"),
    };
    let expanded = expand(args, item.into_token_stream());
    prettyplease::unparse(&syn::parse2(expanded).unwrap())
}

fn take_attribute(item: &mut Item) -> Attribute {
    let attrs = match item {
        Item::Struct(item) => &mut item.attrs,
        Item::Enum(item) => &mut item.attrs,
        Item::Impl(item) => &mut item.attrs,
        Item::Fn(item) => &mut item.attrs,
        _ => panic!("an input is a struct, an enum, an impl block or a function"),
    };
    let is_ours = |attr: &Attribute| ["message", "consumer", "main"].iter().any(|name| attr.path().is_ident(name));
    let index = attrs.iter().position(is_ours).unwrap();
    attrs.remove(index)
}

/// Returns the lines that differ: `-` from the snapshot, `+` from the macro, and common lines as they are.
fn diff(expected: &str, actual: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (expected.lines().collect(), actual.lines().collect());
    // `common[i][j]` is the length of the longest common subsequence of `old[i..]` and `new[j..]`.
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = match old[i] == new[j] {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut text) = (0, 0, String::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            writeln!(text, "  {}", old[i]).unwrap();
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            writeln!(text, "- {}", old[i]).unwrap();
            i += 1;
        } else {
            writeln!(text, "+ {}", new[j]).unwrap();
            j += 1;
        }
    }
    text
}

#[test]
fn a_diff_marks_the_lines_that_changed() {
    assert_eq!(diff("a\nb\nc", "a\nx\nc"), "  a\n- b\n+ x\n  c\n");
    assert_eq!(diff("", "a"), "+ a\n");
}
