//! No circle between the files and folders that stand in one folder.
//!
//! A `mod.rs` is not part of a circle: it holds the contract of its folder and puts the parts together.

use std::collections::{BTreeMap, BTreeSet};

use crate::paths::named;
use crate::sources::{Source, sources};

/// Circles that are allowed, by the parts of one folder that form them, with the reason.
const ALLOWED: [(&[&str], &str); 0] = [];

type Uses = BTreeMap<String, BTreeSet<String>>;

#[test]
fn the_parts_of_a_folder_form_no_circle() {
    let sources = sources();
    let mut folders: BTreeMap<Vec<String>, Uses> = BTreeMap::new();
    for source in sources.values() {
        for path in named(source) {
            let used = origin(path, &sources);
            let folder = source.module.iter().zip(&used).take_while(|(a, b)| a == b).count();
            let (Some(user), Some(used)) = (source.module.get(folder), used.get(folder)) else { continue };
            let is_root = folder == 0;
            if !is_root && user != used {
                let uses = folders.entry(source.module[..folder].to_vec()).or_default();
                uses.entry(user.clone()).or_default().insert(used.clone());
            }
        }
    }
    let mut circles: Vec<_> = folders
        .iter()
        .flat_map(|(folder, uses)| circles(uses).into_iter().map(|circle| (folder.join("/"), circle)))
        .filter(|(_, circle)| !ALLOWED.iter().any(|(allowed, _)| circle.iter().eq(allowed.iter())))
        .map(|(folder, circle)| format!("{folder}: {}", circle.join(" -> ")))
        .collect();
    circles.sort();
    assert!(circles.is_empty(), "parts of one folder use each other in a circle:\n{}", circles.join("\n"));
}

/// Follows re-exports: where the item that a path names is defined, as far as the text shows.
fn origin(mut path: Vec<String>, sources: &BTreeMap<Vec<String>, Source>) -> Vec<String> {
    for _ in 0..8 {
        let module = (0..=path.len()).rev().find(|length| sources.contains_key(&path[..*length]));
        let Some(length) = module.filter(|length| *length < path.len()) else { return path };
        let (source, item) = (&sources[&path[..length]], &path[length]);
        match re_exported(source, item) {
            Some(real) if real != path => path = real,
            _ => return path,
        }
    }
    path
}

/// Returns the path behind `use ..` in a `mod.rs` that makes `item` known there.
fn re_exported(source: &Source, item: &str) -> Option<Vec<String>> {
    if !source.is_folder() {
        return None;
    }
    for statement in source.code.split(';') {
        let Some((_, tree)) = statement.split_once("use ") else { continue };
        let tree = tree.trim_start();
        let is_absolute = ["crate", "self", "super", "std", "::"].iter().any(|start| tree.starts_with(start));
        let tree = if is_absolute { tree.to_owned() } else { format!("self::{tree}") };
        let inside = Source { file: source.file.clone(), module: source.module.clone(), code: tree };
        let found = named(&inside).into_iter().find(|path| path.last().is_some_and(|last| last == item));
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Returns each group of parts that reach each other, smallest name first.
fn circles(uses: &Uses) -> Vec<Vec<String>> {
    let reach: BTreeMap<&String, BTreeSet<String>> = uses.keys().map(|part| (part, reachable(part, uses))).collect();
    let mut circles = BTreeSet::new();
    for (part, reached) in &reach {
        let circle: Vec<String> =
            reached.iter().filter(|other| reach.get(other).is_some_and(|back| back.contains(*part))).cloned().collect();
        if !circle.is_empty() {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

fn reachable(part: &str, uses: &Uses) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&String> = uses.get(part).into_iter().flatten().collect();
    while let Some(part) = next.pop() {
        if reached.insert(part.clone()) {
            next.extend(uses.get(part).into_iter().flatten());
        }
    }
    reached
}

#[test]
fn a_circle_is_found() {
    let uses = |pairs: &[(&str, &str)]| {
        let mut uses = Uses::new();
        for (user, used) in pairs {
            uses.entry((*user).to_owned()).or_default().insert((*used).to_owned());
        }
        uses
    };
    assert_eq!(circles(&uses(&[("a", "b"), ("b", "c"), ("a", "c")])), Vec::<Vec<String>>::new());
    assert_eq!(circles(&uses(&[("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")])), [["a", "b", "c"]]);
}
