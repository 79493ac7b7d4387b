//! `kubectl kustomize` or `kustomize build`, with the origin of each object.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Component, Path};

use super::cache::Key;
use super::program::{Failure, Program, Scratch};
use super::{Disk, Output};
use crate::config::Settings;
use crate::load::normal;
use crate::model::OriginKind;
use crate::source::SourceText;
use crate::yaml::{self, View};

const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The annotation that kustomize writes for `buildMetadata: [originAnnotations]`.
const ORIGIN: &str = "    config.kubernetes.io/origin: |";

/// What a kustomization is made of, from the outermost inwards.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// Names of files, kustomizations included.
    pub files: Vec<String>,
    /// Names of folders with a kustomization, its own first.
    pub folders: Vec<String>,
    /// It leads back to itself.
    pub is_circular: bool,
    /// Entries that no file or folder stands behind: the kustomization, and the entry.
    missing: Vec<(String, String)>,
    /// `buildMetadata` and `sortOptions` of the outermost one, as JSON.
    outermost: Vec<(&'static str, String)>,
}

/// Follows a kustomization to everything it names.
pub(super) fn parts(folder: &str, disk: &Disk) -> Parts {
    let mut parts = Parts { folders: vec![folder.to_owned()], ..Parts::default() };
    let mut next = 0;
    while let Some(folder) = parts.folders.get(next).cloned() {
        next += 1;
        let names = NAMES.iter().map(|name| disk.name(&folder, name));
        let Some((name, text)) = names.into_iter().find_map(|name| {
            let text = std::fs::read_to_string(disk.path(&name)).ok()?;
            Some((name, text))
        }) else {
            continue;
        };
        parts.files.push(name.clone());
        let file = yaml::read(&SourceText::from(text));
        let Some(root) = file.documents.first().and_then(|document| document.root) else { continue };
        let root = file.tree.view(root);
        if next == 1 {
            let kept = ["buildMetadata", "sortOptions"].into_iter();
            parts.outermost = kept.filter_map(|key| Some((key, root.get(key)?.to_json()))).collect();
        }
        for (key, value) in root.fields() {
            let is_base = matches!(key, "resources" | "bases" | "components");
            texts(value, &mut |text| parts.add(&name, &folder, text, is_base, disk));
        }
    }
    parts
}

/// All texts below a value.
fn texts(view: View<'_>, add: &mut dyn FnMut(&str)) {
    view.fields().for_each(|(_, value)| texts(value, add));
    view.items().for_each(|item| texts(item, add));
    if let Some(text) = view.str().filter(|text| text.len() < 1000 && !text.contains('\n')) {
        add(text);
    }
}

impl Parts {
    fn add(&mut self, file: &str, folder: &str, text: &str, is_base: bool, disk: &Disk) {
        let path = text.split_once('=').map_or(text, |(_, path)| path);
        let path = if is_base { text } else { path };
        if path.is_empty() {
            return;
        }
        let name = disk.name(folder, path);
        let on_disk = disk.path(&name);
        if on_disk.is_file() {
            if !self.files.contains(&name) {
                self.files.push(name);
            }
        } else if on_disk.is_dir() {
            if self.folders.first() == Some(&name) && is_base {
                self.is_circular = true;
            }
            // What is no kustomization itself ends here, and the renderer says so.
            if is_base && !self.folders.contains(&name) {
                self.folders.push(name);
            }
        } else if is_base {
            self.missing.push((file.to_owned(), text.to_owned()));
        }
    }
}

/// Whether kustomize would look for an entry in the network.
fn is_remote(entry: &str) -> bool {
    entry.contains("://")
        || entry.contains("?ref=")
        || entry.starts_with("git@")
        || entry
            .split('/')
            .next()
            .is_some_and(|host| host.contains('.') && !host.starts_with('.') && entry.contains('/'))
}

pub(super) fn render(folder: &str, parts: &Parts, settings: &Settings, disk: &Disk) -> Result<Output, Failure> {
    if let Some((file, entry)) = parts.missing.iter().find(|(_, entry)| is_remote(entry)) {
        return Err(Failure::Left {
            why: format!("{file} takes {entry} from the network"),
            help: "keep a copy of it beside the kustomization and name that; kplan fetches nothing".to_owned(),
        });
    }
    let Some(program) = Program::find("kubectl").or_else(|| Program::find("kustomize")) else {
        return Err(Failure::Left {
            why: "neither kubectl nor kustomize was found".to_owned(),
            help: "install one of them, or render it with `kubectl kustomize` elsewhere and check the output"
                .to_owned(),
        });
    };
    let scratch = Scratch::new()?;
    let root = disk.path(folder);
    let root = root.canonicalize().unwrap_or(root);
    let mut key = Key::new(&program.identity());
    parts.files.iter().for_each(|name| key.add_file(name, &disk.path(name)));
    parts.missing.iter().for_each(|(_, entry)| key.add(entry.as_bytes()));
    key.add(root.as_os_str().as_encoded_bytes());
    let home = disk.path(&disk.prefix).canonicalize().unwrap_or_default();
    let name = |path: &str| disk.name("", &relative(&home, Path::new(path)));
    if let Some(text) = key.read() {
        return Ok(take_origins(&text, &name));
    }
    let wrapper = scratch.0.join("build");
    let failed = |error: std::io::Error| Failure::Left {
        why: format!("{} cannot be written: {error}", scratch.0.display()),
        help: "set TMPDIR to a folder that can be written".to_owned(),
    };
    std::fs::create_dir_all(&wrapper).map_err(failed)?;
    std::fs::write(wrapper.join(NAMES[0]), outer(&relative(&wrapper, &root), parts)).map_err(failed)?;
    let verb: &[&str] = if program.name == "kubectl" { &["kustomize"] } else { &["build"] };
    let mut arguments: Vec<OsString> = verb.iter().map(OsString::from).collect();
    arguments.push(wrapper.clone().into_os_string());
    let text = program.run(&arguments, &scratch.0, settings.render_timeout).map_err(|failure| match failure {
        Failure::Failed { program, message, at } => {
            let message = clean(&message, &wrapper, &root, folder);
            Failure::Failed { program: format!("{program} {}", verb[0]), message, at }
        }
        other => other,
    })?;
    let text = absolute_origins(&text, &wrapper);
    key.write(&text);
    Ok(take_origins(&text, &name))
}

/// A kustomization around the user's own, so that its file stays as it is.
fn outer(root: &str, parts: &Parts) -> String {
    let mut metadata = "[originAnnotations]".to_owned();
    let mut rest = String::new();
    for (key, json) in &parts.outermost {
        match *key {
            "buildMetadata" if json.contains("managedByLabel") => {
                metadata = "[managedByLabel, originAnnotations]".into()
            }
            "buildMetadata" => {}
            key => rest.push_str(&format!("{key}: {json}\n")),
        }
    }
    let mut quoted = String::new();
    yaml::write_json_string(&mut quoted, root);
    format!("resources: [{quoted}]\nbuildMetadata: {metadata}\n{rest}")
}

/// The way from one absolute folder to another.
fn relative(from: &Path, to: &Path) -> String {
    let from: Vec<Component<'_>> = from.components().collect();
    let to: Vec<Component<'_>> = to.components().collect();
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from[common..].iter().map(|_| "..".to_owned());
    let down = to[common..].iter().map(|part| part.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}

/// The renderer's words without the wrapper around the kustomization.
fn clean(message: &str, wrapper: &Path, root: &Path, folder: &str) -> String {
    let shown = if folder.is_empty() { "." } else { folder };
    let text = message.replace(&relative(wrapper, root), shown).replace(&root.display().to_string(), shown);
    // Every level of bases repeats that it may be a file or a folder; the last part is the cause.
    let cause = text.rsplit("must resolve to a file': ").next().unwrap_or_default();
    cause.rsplit("recursed accumulation of path ").next().unwrap_or_default().to_owned()
}

/// Makes the origins absolute, which the wrapper starts from itself.
fn absolute_origins(text: &str, wrapper: &Path) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_origin = false;
    for line in text.split_inclusive('\n') {
        in_origin = line.trim_end() == ORIGIN || (in_origin && line.starts_with("      "));
        let inner = line.trim_start();
        let path = inner.strip_prefix("path: ").or_else(|| inner.strip_prefix("configuredIn: "));
        match path.filter(|_| in_origin) {
            Some(path) => {
                let written = path.trim_end();
                out.push_str(&line[..line.len() - path.len()]);
                out.push_str(&normal(&wrapper.join(written).to_string_lossy()));
                out.push('\n');
            }
            None => out.push_str(line),
        }
    }
    out
}

/// Takes the origins out of the text, with the maps that they alone filled.
fn take_origins(text: &str, name: &dyn Fn(&str) -> String) -> Output {
    let mut output = Output { text: String::with_capacity(text.len()), origins: Vec::new() };
    for document in text.split("\n---\n") {
        if !output.origins.is_empty() {
            output.text.push_str("---\n");
        }
        let (path, kind) = take_origin(document, &mut output.text);
        output.origins.push((path.map(|path| name(&path)), kind));
    }
    output
}

fn take_origin(document: &str, out: &mut String) -> (Option<String>, OriginKind) {
    let lines: Vec<&str> = document.lines().collect();
    let mut origin = (None, OriginKind::Manifest);
    let mut dropped = HashSet::new();
    let top = |line: &str| !line.starts_with([' ', '-']);
    let metadata = lines.iter().position(|line| *line == "metadata:");
    let end = metadata.and_then(|start| Some(start + 1 + lines[start + 1..].iter().position(|line| top(line))?));
    let block = metadata.map_or(0..0, |start| start..end.unwrap_or(lines.len()));
    if let Some(at) = block.clone().find(|at| lines[*at] == ORIGIN) {
        let last = (at + 1..block.end).find(|at| !lines[*at].starts_with("      ")).unwrap_or(block.end);
        dropped.extend(at..last);
        for line in &lines[at + 1..last] {
            let inner = line.trim_start();
            if let Some(path) = inner.strip_prefix("path: ") {
                origin = (Some(path.to_owned()), OriginKind::Manifest);
            } else if let Some(path) = inner.strip_prefix("configuredIn: ") {
                origin = (Some(path.to_owned()), OriginKind::Generator);
            }
        }
        let next_is_deep = lines.get(last).is_some_and(|line| last < block.end && line.starts_with("    "));
        if lines[at - 1] == "  annotations:" && !next_is_deep {
            dropped.insert(at - 1);
        }
    }
    for (_, line) in lines.iter().enumerate().filter(|(at, _)| !dropped.contains(at)) {
        out.push_str(line);
        out.push('\n');
    }
    origin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_taken_out_with_what_they_alone_fill() {
        let text = "kind: A\nmetadata:\n  annotations:\n    config.kubernetes.io/origin: |\n      path: a/b.yaml\n  name: x\n---\n\
            data:\n  t: |\n    config.kubernetes.io/origin: |\nkind: B\nmetadata:\n  annotations:\n    a: b\n\
            \x20   config.kubernetes.io/origin: |\n      configuredIn: k.yaml\n      configuredBy:\n        kind: G\n    z: y\n";
        let output = take_origins(text, &str::to_owned);
        let expected = "kind: A\nmetadata:\n  name: x\n---\ndata:\n  t: |\n    config.kubernetes.io/origin: |\nkind: B\n\
            metadata:\n  annotations:\n    a: b\n    z: y\n";
        assert_eq!(output.text, expected);
        let from = |path: &str, kind| (Some(path.to_owned()), kind);
        assert_eq!(output.origins, [from("a/b.yaml", OriginKind::Manifest), from("k.yaml", OriginKind::Generator)]);
    }

    #[test]
    fn remote_entries_are_told_from_files() {
        for remote in ["https://a.b/c", "github.com/a/b?ref=v1", "git@a.b:c/d", "github.com/a/b//c", "ssh://x/y"] {
            assert!(is_remote(remote), "{remote}");
        }
        for local in ["../base", "./a/b.yaml", "web.yaml", "base", "a/b"] {
            assert!(!is_remote(local), "{local}");
        }
        assert_eq!(relative(Path::new("/a/b/c"), Path::new("/a/d")), "../../d");
    }
}
