//! The JavaScript modules of the page import each other in one direction only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The modules that each module imports.
type Imports = BTreeMap<String, Vec<String>>;

fn imports_of(source: &str) -> Vec<String> {
    let statements = source.split("import ").skip(1);
    let names = statements.filter_map(|statement| statement.split_once("'./")?.1.split_once('\''));
    names.map(|(name, _)| name.to_owned()).collect()
}

/// The first circle of imports, from a module back to itself.
fn circle(imports: &Imports) -> Option<Vec<&str>> {
    let mut checked = BTreeSet::new();
    imports.keys().find_map(|name| circle_from(name, imports, &mut Vec::new(), &mut checked))
}

fn circle_from<'a>(
    name: &'a str,
    imports: &'a Imports,
    path: &mut Vec<&'a str>,
    checked: &mut BTreeSet<&'a str>,
) -> Option<Vec<&'a str>> {
    if let Some(start) = path.iter().position(|earlier| *earlier == name) {
        return Some([&path[start..], &[name]].concat());
    }
    if checked.contains(name) {
        return None;
    }
    path.push(name);
    let mut imported = imports.get(name).into_iter().flatten();
    let found = imported.find_map(|next| circle_from(next, imports, path, checked));
    path.pop();
    checked.insert(name);
    found
}

fn chat_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/chat")
}

fn imports_of_the_page() -> Imports {
    let mut imports = Imports::new();
    for entry in fs::read_dir(chat_folder().join("static")).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|extension| extension == "js") {
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            imports.insert(name, imports_of(&fs::read_to_string(&file).unwrap()));
        }
    }
    assert!(imports.values().flatten().count() > 10, "imports were not recognised: {imports:?}");
    imports
}

#[test]
fn the_modules_of_the_page_form_no_import_circle() {
    let imports = imports_of_the_page();
    for (name, imported) in imports.iter().flat_map(|(name, imported)| imported.iter().map(move |each| (name, each))) {
        assert!(imports.contains_key(imported), "{name} imports {imported}, which does not exist");
    }
    if let Some(circle) = circle(&imports) {
        panic!("modules of the page import each other in a circle: {}", circle.join(" -> "));
    }
}

#[test]
fn every_module_of_the_page_imports_lower_levels_of_the_readme() {
    let readme = fs::read_to_string(chat_folder().join("README.md")).unwrap();
    // Rows such as: | 1 | `connection` (the WebSocket), `session` (the data) |
    let rows = readme.lines().filter_map(|line| {
        let (level, modules) = line.strip_prefix("| ")?.split_once(" | ")?;
        Some((level.parse::<usize>().ok()?, modules))
    });
    let modules =
        rows.flat_map(|(level, modules)| modules.split('`').skip(1).step_by(2).map(move |name| (name, level)));
    let levels: BTreeMap<_, _> = modules.map(|(name, level)| (format!("{name}.js"), level)).collect();
    let imports = imports_of_the_page();
    assert!(levels.keys().eq(imports.keys()), "the README lists {levels:?}");
    for (name, imported) in imports.iter().flat_map(|(name, imported)| imported.iter().map(move |each| (name, each))) {
        assert!(levels[imported] < levels[name], "{name} imports {imported}, which is not on a lower level");
    }
}

#[test]
fn an_import_circle_is_found_and_named() {
    let module = |name: &str, source: &str| (name.to_owned(), imports_of(source));
    let mut imports = Imports::from([
        module("a.js", "import { b } from './b.js';"),
        module("b.js", "import {\n  c,\n  d,\n} from './c.js';\nimport './d.js';"),
        module("c.js", "import * as d from './d.js';"),
        module("d.js", "export const d = 'import nothing';"),
    ]);
    assert_eq!(circle(&imports), None);
    imports.extend([module("d.js", "import { b } from './b.js';")]);
    assert_eq!(circle(&imports), Some(vec!["b.js", "c.js", "d.js", "b.js"]));
}
