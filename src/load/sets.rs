//! Sets and roles: kustomizations and charts split a PATH, and decide how their files are judged.

use std::collections::HashMap;
use std::path::PathBuf;

use super::Input;
use crate::model::{Role, SetId};
use crate::source::{FileId, SourceText};
use crate::yaml::{self, View};

/// A path with `.` and `..` taken out, with `/` between its parts.
pub fn normal(path: &str) -> String {
    if is_plain(path) {
        return path.to_owned();
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split(['/', '\\']) {
        match part {
            "." => {}
            "" if !parts.is_empty() => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// Whether there is surely nothing to take out, as of nearly all paths of a walk.
fn is_plain(path: &str) -> bool {
    let mut before = b'/';
    let all_plain = path.bytes().all(|byte| {
        let begins = std::mem::replace(&mut before, byte) == b'/';
        byte != b'\\' && !(begins && matches!(byte, b'.' | b'/'))
    });
    all_plain && before != b'/'
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

fn inside(path: &str, root: &str) -> bool {
    root.is_empty() || path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'))
}

fn join(folder: &str, path: &str) -> String {
    if folder.is_empty() { normal(path) } else { normal(&format!("{folder}/{path}")) }
}

/// The set and role of each input, and the folders that make a set of their own.
pub(super) fn assign(inputs: &[Input], stacks: &[PathBuf]) -> (Vec<SetId>, Vec<Role>, Vec<Root>) {
    let names: Vec<String> = inputs.iter().map(|input| normal(&input.name)).collect();
    let mut listed: HashMap<String, Role> = HashMap::new();
    let mut roots: Vec<Root> = Vec::new();
    let mut add = |folder: String, kind: RootKind, file: Option<usize>| {
        roots.push(Root { folder, kind, set: SetId(0), file: file.map(|index| FileId(index as u32)) });
    };
    for stack in stacks {
        add(normal(&stack.to_string_lossy()), RootKind::Stack, None);
    }
    for (index, (input, name)) in inputs.iter().zip(&names).enumerate() {
        if input.explicit {
            continue;
        }
        match file_name(name) {
            "kustomization.yaml" | "kustomization.yml" | "Kustomization" => {
                let kind = read_kustomization(input, folder(name), &mut listed);
                add(folder(name).to_owned(), kind, Some(index));
            }
            "Chart.yaml" => add(folder(name).to_owned(), RootKind::Chart, Some(index)),
            _ => {}
        }
    }
    let paths = inputs.iter().map(|input| input.path + 1).max().unwrap_or(0);
    let mut sets = Vec::new();
    let mut roles = Vec::new();
    for (input, name) in inputs.iter().zip(&names) {
        // The innermost root decides.
        let root = roots.iter().enumerate().filter(|(_, root)| inside(name, &root.folder));
        let root = root.max_by_key(|(_, root)| root.folder.len());
        let (set, role) = match root {
            _ if input.explicit => (input.path, Role::Manifest),
            Some((index, root)) => (paths + index, root.role(name, &listed)),
            None => (input.path, listed.get(name).copied().unwrap_or_default()),
        };
        sets.push(SetId(set as u32));
        roles.push(role);
    }
    for (index, root) in roots.iter_mut().enumerate() {
        root.set = SetId((paths + index) as u32);
    }
    (sets, roles, roots)
}

/// What makes a folder a set of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootKind {
    Kustomization,
    /// A kustomization that only others can use.
    Component,
    Chart,
    /// Named under `stacks:` in kplan.yaml.
    Stack,
}

/// A folder that is a set of its own.
#[derive(Clone, Debug)]
pub struct Root {
    /// Without `.` and `..`, as [`super::normal`] gives it; empty for the working directory.
    pub folder: String,
    pub kind: RootKind,
    pub set: SetId,
    /// Its kustomization or `Chart.yaml`.
    pub file: Option<FileId>,
}

impl Root {
    fn role(&self, name: &str, listed: &HashMap<String, Role>) -> Role {
        if let Some(role) = listed.get(name) {
            return *role;
        }
        if self.kind != RootKind::Chart {
            return Role::Manifest;
        }
        let within = name.strip_prefix(&self.folder).unwrap_or(name).trim_start_matches('/');
        if within.starts_with("crds/") { Role::Unrendered } else { Role::NotJudged }
    }
}

/// Takes from a kustomization which of its files are resources, and which are anything else; gives what it is itself.
fn read_kustomization(input: &Input, folder: &str, listed: &mut HashMap<String, Role>) -> RootKind {
    let Ok(bytes) = &input.content else { return RootKind::Kustomization };
    let file = yaml::read(&SourceText::from(String::from_utf8_lossy(bytes)));
    let Some(root) = file.documents.first().and_then(|document| document.root) else { return RootKind::Kustomization };
    let root = file.tree.view(root);
    let component = root.get_str("kind") == Some("Component");
    let resource_role = if component { Role::NotJudged } else { Role::Unrendered };
    let mut add = |path: &str, role: Role| {
        let path = path.split_once('=').map_or(path, |(_, path)| path);
        // A patch stays a patch though another kustomization lists it as a resource.
        let entry = listed.entry(join(folder, path)).or_insert(role);
        if role == Role::NotJudged {
            *entry = role;
        }
    };
    for path in strings(root, "resources").chain(strings(root, "bases")) {
        add(path, resource_role);
    }
    const FILES: [&str; 7] =
        ["patchesStrategicMerge", "components", "generators", "transformers", "validators", "configurations", "crds"];
    for key in FILES {
        strings(root, key).for_each(|path| add(path, Role::NotJudged));
    }
    for key in ["patches", "patchesJson6902", "replacements"] {
        root.list(key).filter_map(|patch| patch.get_str("path")).for_each(|path| add(path, Role::NotJudged));
    }
    for key in ["configMapGenerator", "secretGenerator"] {
        for generator in root.list(key) {
            strings(generator, "files").chain(strings(generator, "envs")).for_each(|path| add(path, Role::NotJudged));
        }
    }
    if component { RootKind::Component } else { RootKind::Kustomization }
}

fn strings<'a>(view: View<'a>, key: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    view.list(key).filter_map(View::str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(name: &str, text: &str) -> Input {
        Input { name: name.to_owned(), content: Ok(text.as_bytes().to_vec()), path: 0, explicit: false }
    }

    #[test]
    fn kustomizations_and_charts_split_a_path() {
        let inputs = [
            input("x/a.yaml", ""),
            input("x/base/kustomization.yaml", "resources: [web.yaml]\npatches:\n- path: ../patches/p.yaml\n"),
            input("x/base/web.yaml", ""),
            input("x/base/other.yaml", ""),
            input("x/patches/p.yaml", ""),
            input("x/chart/Chart.yaml", ""),
            input("x/chart/templates/web.yaml", ""),
            input("x/chart/crds/crd.yaml", ""),
        ];
        let (sets, roles, roots) = assign(&inputs, &[]);
        let sets: Vec<u32> = sets.iter().map(|set| set.0).collect();
        assert_eq!(sets, [0, 1, 1, 1, 0, 2, 2, 2]);
        use Role::{Manifest, NotJudged, Unrendered};
        assert_eq!(roles, [Manifest, Manifest, Unrendered, Manifest, NotJudged, NotJudged, NotJudged, Unrendered]);
        let roots: Vec<_> = roots.iter().map(|root| (root.folder.as_str(), root.kind, root.set, root.file)).collect();
        let base = ("x/base", RootKind::Kustomization, SetId(1), Some(FileId(1)));
        assert_eq!(roots, [base, ("x/chart", RootKind::Chart, SetId(2), Some(FileId(5)))]);
        assert_eq!(normal("./a/../b//c.yaml"), "b/c.yaml");
    }
}
