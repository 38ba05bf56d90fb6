//! The levels of `docs/architecture.md`: a module uses lower levels or its own.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of `agentcore/src`, by level.
const LEVELS: [&[&str]; 8] = [
    &["env", "error", "id", "log_throttle", "metrics", "panic", "settings", "state", "supervise", "sync", "time"],
    &["auth", "message", "wire"],
    &["schema", "backend"],
    &["registry", "worker"],
    &["manager"],
    &["consumer", "middleware"],
    &["server"],
    &["testing"],
];

/// Modules outside the levels: the front page, and what generated code names.
const OUTSIDE: [&str; 2] = ["lib", "private"];

fn level(module: &str) -> usize {
    LEVELS
        .iter()
        .position(|modules| modules.contains(&module))
        .unwrap_or_else(|| panic!("module `{module}` has no level: add it here and in docs/architecture.md"))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The modules that a line names as `crate::module`.
fn named(line: &str) -> impl Iterator<Item = &str> {
    let code = line.split("//").next().unwrap_or_default();
    code.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '_')).unwrap_or(rest.len());
        &rest[..end]
    })
}

#[test]
fn no_module_uses_a_higher_level() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../agentcore/src");
    let mut upward = Vec::new();
    for path in sources(&root) {
        let inside = path.strip_prefix(&root).unwrap();
        let module = inside.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs");
        if OUTSIDE.contains(&module) || module == "docs" {
            continue;
        }
        for (number, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            for used in named(line).filter(|used| !used.is_empty()) {
                if level(used) > level(module) {
                    upward.push(format!("{}:{}: `{module}` uses `{used}`", inside.display(), number + 1));
                }
            }
        }
    }
    assert!(upward.is_empty(), "{}", upward.join("\n"));
}

#[test]
fn the_page_on_architecture_has_every_module_at_its_level() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/architecture.md");
    let page = fs::read_to_string(page).unwrap();
    for (level, modules) in LEVELS.iter().enumerate() {
        let row = page.lines().find_map(|line| line.strip_prefix(&format!("| {level} |")));
        let row = row.unwrap_or_else(|| panic!("docs/architecture.md has no row for level {level}"));
        let cell = row.split('|').next().unwrap();
        let named: BTreeSet<_> = cell.split('`').skip(1).step_by(2).collect();
        assert_eq!(named, modules.iter().copied().collect(), "level {level}");
    }
}
