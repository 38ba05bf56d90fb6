//! The documentation names only existing tests, files, modules, settings, codes and pages.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops where it fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text_of(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Returns the texts in backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Returns the rows of the tables, without their heads, and the heading of their section.
fn rows(page: &str) -> Vec<(&str, &str)> {
    let (mut section, mut rows) = ("", Vec::new());
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading;
        }
        let head = lines.peek().is_some_and(|next| next.starts_with("|---"));
        if line.starts_with("| ") && !head {
            rows.push((section, line));
        }
    }
    rows
}

/// Returns whether a line begins a test, given the line before. Tests that run on every backend, over every transport, with
/// every store or with every driver are declared through a macro, with the backend, the transport, the store's location or
/// the driver tests' `TestRedis` as their parameter.
fn begins_test(before: &str, line: &str, name: &str) -> bool {
    let line = line.trim_start();
    let function = line.strip_prefix("async ").unwrap_or(line);
    let Some(rest) = function.strip_prefix("fn ").and_then(|rest| rest.strip_prefix(name)) else { return false };
    let attribute = before.trim_start();
    rest.starts_with("(cluster)")
        || rest.starts_with("(over)")
        || rest.starts_with("(location)")
        || rest.starts_with("(redis: TestRedis)")
        || rest.starts_with("(mut redis: TestRedis)")
        || (rest.starts_with('(') && ["#[test]", "#[tokio::test"].iter().any(|test| attribute.starts_with(test)))
}

fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<_> = source.lines().collect();
    lines.windows(2).any(|pair| matches!(pair, [before, line] if begins_test(before, line, name)))
}

#[test]
fn every_promise_names_tests_that_exist() {
    let page = text_of("docs/coverage.md");
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (_, row) in rows(&page) {
        let named: Vec<_> = quoted(row).filter_map(|text| text.split_once(".rs: ")).collect();
        if named.is_empty() && !row.ends_with("| none |") {
            wrong.push(format!("a row without a test must end with `none`: {row}"));
        }
        for (file, name) in named {
            count += 1;
            match fs::read_to_string(root().join(format!("{file}.rs"))) {
                Ok(source) if has_test(&source, name) => {}
                Ok(_) => wrong.push(format!("{file}.rs has no test `{name}`")),
                Err(error) => wrong.push(format!("{file}.rs: {error}")),
            }
        }
    }
    assert!(wrong.is_empty(), "docs/coverage.md:\n{}", wrong.join("\n"));
    assert!(count > 100, "only {count} tests are named");
}

/// Returns whether the names before a type or a function are modules of the framework.
fn is_module(path: &str) -> bool {
    let (modules, last) = path.rsplit_once("::").unwrap_or(("", path));
    let is_name = |name: &&str| name.starts_with(|c: char| c.is_ascii_lowercase());
    // `Type::method`, `module::Type`, `module::module`.
    let names = modules.split("::").chain(Some(last)).filter(is_name);
    let mut folder = root().join("agentcore/src");
    if !is_name(&modules) {
        return true;
    }
    names.for_each(|name| folder.push(name));
    folder.is_dir() || folder.with_extension("rs").is_file()
}

#[test]
fn every_file_and_module_that_is_named_exists() {
    for file in ["docs/coverage.md", "docs/architecture.md"] {
        let page = text_of(file);
        for text in quoted(&page).filter(|text| !text.contains(char::is_whitespace) && !text.contains(['(', '<'])) {
            let is_file = [".rs", ".md", "/"].iter().any(|end| text.ends_with(end)) && !text.starts_with('/');
            let places = ["", "agentcore/src"].map(|place| root().join(place).join(text));
            assert!(!is_file || places.iter().any(|place| place.exists()), "{file}: there is no `{text}`");
            assert!(!text.contains("::") || is_module(text), "{file}: there is no module of `{text}`");
        }
    }
}

#[test]
fn every_setting_has_a_row_and_every_row_a_setting() {
    let first = |row: &str| row.strip_prefix("| `").and_then(|rest| Some(rest.split_once('`')?.0.to_owned()));
    let settings = text_of("agentcore/src/docs/settings.md");
    let settings: BTreeSet<_> = settings.lines().filter_map(first).collect();
    let page = text_of("docs/coverage.md");
    let rows =
        rows(&page).into_iter().filter(|(section, row)| *section == "Configuration" && !row.ends_with("| none |"));
    assert_eq!(rows.filter_map(|(_, row)| first(row)).collect::<BTreeSet<_>>(), settings);
}

#[test]
fn the_readme_leads_to_every_page() {
    let readme = text_of("README.md");
    for folder in ["agentcore/src/docs", "docs"] {
        for page in fs::read_dir(root().join(folder)).unwrap() {
            let link = format!("]({folder}/{})", page.unwrap().file_name().to_str().unwrap());
            assert!(readme.contains(&link), "README.md has no {link}");
        }
    }
}

/// Returns the texts in double quotes that look like error codes.
fn codes(line: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let is_code = move |text: &&str| text.len() > 4 && text.chars().all(is_part);
    line.split('"').skip(1).step_by(2).filter(is_code)
}

#[test]
fn the_page_on_the_protocol_lists_every_code() {
    /// Codes that only the process itself sees, at startup.
    const INSIDE: [&str; 1] = ["CANNOT_START"];
    let page = text_of("agentcore/src/docs/protocol.md");
    let listed: BTreeSet<_> = quoted(&page).collect();
    let (mut folders, mut found) = (vec![root().join("agentcore/src")], BTreeSet::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = fs::read_to_string(&path).unwrap();
                // A file's own tests stand at its end.
                let code = source.split("#[cfg(test)]").next().unwrap_or_default();
                let makes =
                    |line: &&str| ["Category::", "Violation::", "too_many("].iter().any(|form| line.contains(form));
                let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
                found.extend(code.filter(makes).flat_map(codes).map(str::to_owned));
            }
        }
    }
    assert!(found.len() > 15, "{found:?}");
    let missing = found.iter().filter(|code| !INSIDE.contains(&code.as_str()) && !listed.contains(code.as_str()));
    let missing: Vec<_> = missing.collect();
    assert!(missing.is_empty(), "agentcore/src/docs/protocol.md does not list {missing:?}");
}
