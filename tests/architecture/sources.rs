//! The source files of the framework, reduced to the code that a build without tests compiles.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A file of `agentcore/src`.
pub(crate) struct Source {
    /// The path inside `agentcore/src`.
    pub(crate) file: PathBuf,
    /// The module path, without `crate`; the module of a `mod.rs` is its folder.
    pub(crate) module: Vec<String>,
    /// The text without comments, string literals and test modules. Lines keep their numbers.
    pub(crate) code: String,
}

impl Source {
    /// Returns whether the file is the `mod.rs` of its folder.
    pub(crate) fn is_folder(&self) -> bool {
        self.file.ends_with("mod.rs")
    }
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns all source files but those of tests, by module path.
pub(crate) fn sources() -> BTreeMap<Vec<String>, Source> {
    let root = repository().join("agentcore/src");
    let mut sources = BTreeMap::new();
    read(&root, &root, &mut sources);
    let tests: Vec<_> = sources.values().flat_map(test_modules).collect();
    sources.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
    sources
}

fn read(root: &Path, folder: &Path, sources: &mut BTreeMap<Vec<String>, Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let file = path.strip_prefix(root).unwrap().to_owned();
            let mut module: Vec<String> =
                file.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            if matches!(module.last().unwrap().as_str(), "mod" | "lib") {
                module.pop();
            }
            let code = without_tests(&without_comments(&fs::read_to_string(&path).unwrap()));
            sources.insert(module.clone(), Source { file, module, code });
        }
    }
}

/// Returns the modules in files of their own that a file declares for tests only.
fn test_modules(source: &Source) -> Vec<Vec<String>> {
    let lines: Vec<_> = source.code.lines().map(str::trim).collect();
    let declared = lines.windows(2).filter(|pair| is_for_tests(pair[0])).filter_map(|pair| {
        let name = pair[1].strip_prefix("mod ")?.strip_suffix(';')?;
        Some(source.module.iter().cloned().chain([name.to_owned()]).collect())
    });
    declared.collect()
}

/// Returns whether a line is an attribute that keeps the next item for tests; the feature `test-util` does not.
fn is_for_tests(line: &str) -> bool {
    line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test,")
}

/// Blanks comments, and the contents of string literals.
fn without_comments(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(raw) = rest.strip_prefix("r#\"") {
            raw.find("\"#").map_or(rest.len(), |end| end + 5)
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            rest[1..].find('\'').map_or(rest.len(), |end| end + 2)
        } else if next == '"' {
            end_of_string(rest)
        } else {
            code.push(next);
            rest = &rest[next.len_utf8()..];
            continue;
        };
        code.extend(rest[..skipped].chars().filter(|c| *c == '\n'));
        rest = &rest[skipped..];
    }
    code
}

fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// Blanks items that are compiled for tests only, with their bodies.
fn without_tests(code: &str) -> String {
    let mut kept = Vec::new();
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        kept.push(line);
        if !is_for_tests(line.trim_start()) {
            continue;
        }
        let mut depth = 0_usize;
        for line in lines.by_ref() {
            // A module in a file of its own: `test_modules` reads its name.
            let is_declaration = line.trim_start().starts_with("mod ") && line.ends_with(';');
            kept.push(if is_declaration { line } else { "" });
            depth = depth + line.matches('{').count() - line.matches('}').count();
            if depth == 0 && (line.trim_end().ends_with(['}', ';', ','])) {
                break;
            }
        }
    }
    kept.join("\n")
}
