//! The JavaScript modules of the page import each other in one direction only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

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

#[test]
fn the_modules_of_the_page_form_no_import_circle() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/chat/static");
    let mut imports = Imports::new();
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|extension| extension == "js") {
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            imports.insert(name, imports_of(&fs::read_to_string(&file).unwrap()));
        }
    }
    assert!(imports.values().flatten().count() > 10, "imports were not recognised: {imports:?}");
    for (name, imported) in imports.iter().flat_map(|(name, imported)| imported.iter().map(move |each| (name, each))) {
        assert!(imports.contains_key(imported), "{name} imports {imported}, which does not exist");
    }
    if let Some(circle) = circle(&imports) {
        panic!("modules of the page import each other in a circle: {}", circle.join(" -> "));
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
