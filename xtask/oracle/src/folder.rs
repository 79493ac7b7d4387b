//! Real manifests: every object of a folder, with the namespaces it needs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use kplan::schema::Schema;
use kplan::source::SourceText;
use kplan::yaml;
use serde_json::{Value, json};

use crate::bases::documents;
use crate::generate::{Case, kind_of};
use crate::server::Server;

/// The objects of all files; what cannot be asked is counted and named.
pub(crate) fn cases(server: &Server, schema: &Schema, folders: &[PathBuf]) -> Result<Vec<Case>, String> {
    let mut files = Vec::new();
    for folder in folders {
        walk(folder, &mut files)?;
    }
    files.sort();
    let (mut cases, mut other) = (Vec::new(), BTreeSet::new());
    let mut patches = 0;
    for file in &files {
        let text = fs::read_to_string(file).unwrap_or_default();
        if let Some(problem) = unreadable(&text) {
            let what = if text.contains("{{") { "a template".to_owned() } else { problem };
            other.insert(format!("{}: {what}", file.display()));
        }
        let objects = documents(&text).into_iter().flat_map(opened);
        for (index, object) in objects.enumerate() {
            if is_patch(file, &object) {
                patches += 1;
            } else if kind_of(schema, &object).is_some() {
                cases.push(Case { name: format!("{} {index}", file.display()), object, old: None });
            } else if let Some(kind) = object["kind"].as_str() {
                other.insert(format!("{}: {} {kind}", file.display(), object["apiVersion"]));
            }
        }
    }
    println!("{} files, {} objects to ask, {patches} patches, {} others:", files.len(), cases.len(), other.len());
    for line in &other {
        println!("  not asked: {line}");
    }
    prepare(server, schema, &cases);
    Ok(cases)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    if folder.is_file() {
        files.push(folder.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry.map_err(|error| error.to_string())?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let manifest = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml" || ending == "json");
        if path.is_dir() && !hidden {
            walk(&path, files)?;
        } else if path.is_file() && manifest {
            files.push(path);
        }
    }
    Ok(())
}

/// Why kubectl could not read all of a file.
fn unreadable(text: &str) -> Option<String> {
    let file = yaml::read(&SourceText::from(text));
    file.documents.into_iter().find_map(|document| document.error).map(|error| error.message)
}

/// The items of a list, or the object itself.
fn opened(object: Value) -> Vec<Value> {
    match object["items"].as_array() {
        Some(items) if object["kind"].as_str().is_some_and(|kind| kind.ends_with("List")) => items.clone(),
        _ => vec![object],
    }
}

/// Whether the kustomization beside a file names it as a patch.
fn is_patch(file: &Path, object: &Value) -> bool {
    let Some(name) = file.file_name().map(|name| name.to_string_lossy().into_owned()) else { return false };
    let beside = file.parent().map(|folder| folder.join("kustomization.yaml"));
    let text = beside.and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    let Some(kustomization) = documents(&text).into_iter().next() else { return false };
    let names = |list: &Value, name: &str| {
        let items = list.as_array().into_iter().flatten();
        items.filter_map(|item| item.as_str().or(item["path"].as_str())).any(|path| path.ends_with(name))
    };
    let named = ["patches", "patchesStrategicMerge", "patchesJson6902", "components"];
    object.is_object() && named.iter().any(|key| names(&kustomization[*key], &name))
}

/// Makes the namespaces that objects name.
fn prepare(server: &Server, schema: &Schema, cases: &[Case]) {
    let names: BTreeSet<&str> = cases.iter().filter_map(|case| case.object["metadata"]["namespace"].as_str()).collect();
    for name in names {
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        if let Err(problem) = server.store(schema, &namespace) {
            println!("no namespace {name}: {problem}");
        }
    }
}
