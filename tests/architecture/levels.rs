//! A module uses lower levels or its own.

use std::collections::BTreeSet;
use std::fs;

use crate::paths::named;
use crate::sources::{repository, sources};

/// The modules of `agentcore/src`, by level.
const LEVELS: [&[&str]; 8] = [
    &[
        "env",
        "error",
        "header_list",
        "id",
        "log_output",
        "log_throttle",
        "metrics",
        "panic",
        "settings",
        "state",
        "supervise",
        "sync",
        "time",
    ],
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

#[test]
fn no_module_uses_a_higher_level() {
    let (sources, mut upward) = (sources(), Vec::new());
    let is_module =
        |name: &String| !OUTSIDE.contains(&name.as_str()) && sources.contains_key(std::slice::from_ref(name));
    for source in sources.values() {
        let Some(module) = source.module.first().filter(|module| is_module(module)) else { continue };
        for used in named(source).into_iter().filter_map(|path| path.into_iter().next()).filter(is_module) {
            if level(&used) > level(module) {
                upward.push(format!("{}: `{module}` uses `{used}`", source.file.display()));
            }
        }
    }
    assert!(upward.is_empty(), "{}", upward.join("\n"));
}

#[test]
fn the_page_on_architecture_has_every_module_at_its_level() {
    let page = fs::read_to_string(repository().join("docs/architecture.md")).unwrap();
    for (level, modules) in LEVELS.iter().enumerate() {
        let row = page.lines().find_map(|line| line.strip_prefix(&format!("| {level} |")));
        let row = row.unwrap_or_else(|| panic!("docs/architecture.md has no row for level {level}"));
        let cell = row.split('|').next().unwrap();
        let named: BTreeSet<_> = cell.split('`').skip(1).step_by(2).collect();
        assert_eq!(named, modules.iter().copied().collect(), "level {level}");
    }
}
