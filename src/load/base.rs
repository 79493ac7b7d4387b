//! What a plan is compared with: nothing, a directory, or a git reference that is read without touching the work tree.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::git::{Git, GitError};
use crate::schema::nearest;

/// Where the other side of a diff comes from (`--base`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// Everything is new.
    Empty,
    /// The live cluster of the context.
    Cluster,
    /// A file or directory.
    Dir(String),
    /// Anything that git can resolve to a commit: branch, tag, hash, `HEAD~2`.
    Git(String),
    /// A file with the state of a cluster.
    Snapshot(String),
}

impl Base {
    /// Reads `cluster`, `empty`, `dir:PATH`, `git:REF`, `snapshot:FILE` or a bare value, which is a path where one exists (`exists`), else a git
    /// reference. The error says what is wrong and what to write.
    pub fn parse(text: &str, exists: impl Fn(&str) -> bool) -> Result<Base, String> {
        match text.split_once(':') {
            _ if text.is_empty() => {
                Err("--base needs a value: cluster, empty, dir:PATH, git:REF or snapshot:FILE".to_owned())
            }
            _ if text == "empty" => Ok(Base::Empty),
            _ if text == "cluster" => Ok(Base::Cluster),
            Some(("dir" | "git" | "snapshot", "")) => Err(format!("--base {text} lacks what comes behind the colon")),
            Some(("dir", path)) => Ok(Base::Dir(path.to_owned())),
            Some(("git", reference)) => Ok(Base::Git(reference.to_owned())),
            Some(("snapshot", file)) => Ok(Base::Snapshot(file.to_owned())),
            _ if exists(text) => Ok(Base::Dir(text.to_owned())),
            _ => Ok(Base::Git(text.to_owned())),
        }
    }
}

/// Files at a git reference.
#[derive(Debug, Default)]
pub struct GitFiles {
    /// `REF:path` with the path as it was asked for, joined with the walk; and the bytes. In order of names.
    pub files: Vec<(String, Vec<u8>)>,
    /// Links and submodules below the paths, which are not followed, each with what it is.
    pub skipped: Vec<(String, &'static str)>,
}

/// The manifests below `paths` at a git reference. A path need not exist in the work tree; `root` is where relative
/// paths start. `is_manifest` says which files of a directory count; a file that is named itself always does.
pub fn git_files(
    root: &Path,
    reference: &str,
    paths: &[String],
    is_manifest: &dyn Fn(&Path) -> bool,
) -> Result<GitFiles, GitError> {
    let mut found = GitFiles::default();
    for path in paths {
        let (directory, rest) = existing_directory(&root.join(path));
        let git = Git::open(&directory)?;
        let commit = commit(&git, reference)?;
        let prefix = git.text(&["rev-parse", "--show-prefix"])?;
        let inside = join(prefix.trim_end_matches('\n'), &rest);
        let git = Git::open(Path::new(git.text(&["rev-parse", "--show-toplevel"])?.trim_end_matches('\n')))?;
        let tree = list(&git, &commit, &inside)?;
        read(&git, reference, (path, &inside), tree, is_manifest, &mut found)?;
    }
    found.files.sort();
    found.files.dedup_by(|a, b| a.0 == b.0);
    Ok(found)
}

/// The nearest directory that exists, and the rest of the path with slashes.
fn existing_directory(path: &Path) -> (PathBuf, String) {
    let mut directory = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let mut rest: Vec<String> = Vec::new();
    while !directory.is_dir() {
        rest.extend(directory.file_name().map(|name| name.to_string_lossy().into_owned()));
        match directory.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => directory = parent,
            _ => return (PathBuf::from("."), reversed(rest)),
        }
    }
    (directory.to_owned(), reversed(rest))
}

fn reversed(mut names: Vec<String>) -> String {
    names.reverse();
    names.join("/")
}

fn join(prefix: &str, rest: &str) -> String {
    let prefix = prefix.trim_end_matches('/');
    match (prefix.is_empty(), rest.is_empty()) {
        (true, _) => rest.to_owned(),
        (_, true) => prefix.to_owned(),
        _ => format!("{prefix}/{rest}"),
    }
}

/// The commit of a reference; the error names references that are spelt like it.
fn commit(git: &Git, reference: &str) -> Result<String, GitError> {
    let wanted = format!("{reference}^{{commit}}");
    match git.text(&["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted]) {
        Ok(hash) => Ok(hash.trim_end().to_owned()),
        Err(GitError::Failed { .. }) => {
            let names = git.text(&["for-each-ref", "--format=%(refname:short)"]).unwrap_or_default();
            let near = nearest(reference, names.lines()).into_iter().take(3).map(str::to_owned).collect();
            Err(GitError::NoReference { reference: reference.to_owned(), near })
        }
        Err(error) => Err(error),
    }
}

/// One entry of a tree.
struct Entry {
    mode: String,
    hash: String,
    path: String,
}

const IGNORE_FILES: [&str; 3] = [".gitignore", ".ignore", ".kplanignore"];

/// What a tree holds at and below a path, and the ignore files of the directories above it.
fn list(git: &Git, commit: &str, path: &str) -> Result<Vec<Entry>, GitError> {
    let mut above = Vec::new();
    let mut directory = path;
    while !directory.is_empty() {
        directory = directory.rsplit_once('/').map_or("", |(parent, _)| parent);
        above.extend(IGNORE_FILES.iter().map(|name| join(directory, name)));
    }
    let mut arguments = vec!["--literal-pathspecs", "ls-tree", "-r", "-z", commit, "--"];
    arguments.push(if path.is_empty() { "." } else { path });
    arguments.extend(above.iter().map(String::as_str));
    let output = git.bytes(&arguments, &[])?;
    let mut entries = Vec::new();
    for line in output.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
        // `MODE TYPE HASH\tPATH`
        let line = String::from_utf8_lossy(line);
        let Some((head, path)) = line.split_once('\t') else { continue };
        let mut words = head.split(' ');
        let (Some(mode), Some(_), Some(hash)) = (words.next(), words.next(), words.next()) else { continue };
        entries.push(Entry { mode: mode.to_owned(), hash: hash.to_owned(), path: path.to_owned() });
    }
    Ok(entries)
}

/// Reads the manifests of a listing. `asked` is the path as given, and inside the repository.
fn read(
    git: &Git,
    reference: &str,
    asked: (&str, &str),
    tree: Vec<Entry>,
    is_manifest: &dyn Fn(&Path) -> bool,
    found: &mut GitFiles,
) -> Result<(), GitError> {
    let (shown, inside) = asked;
    let (mut wanted, mut rules) = (Vec::new(), Vec::new());
    for entry in tree {
        let name = format!("{reference}:{}", shown_path(shown, inside, &entry.path));
        let file_name = entry.path.rsplit('/').next().unwrap_or_default();
        match entry.mode.as_str() {
            "120000" => found.skipped.push((name, "a link")),
            "160000" => found.skipped.push((name, "a submodule")),
            _ if IGNORE_FILES.contains(&file_name) => rules.push(entry),
            _ if entry.path == inside || is_manifest(Path::new(&entry.path)) => wanted.push((name, entry)),
            _ => {}
        }
    }
    let hashes: Vec<&str> =
        rules.iter().chain(wanted.iter().map(|(_, entry)| entry)).map(|e| e.hash.as_str()).collect();
    let blobs = git.blobs(&hashes)?;
    let ignores = ignores(&rules, &blobs);
    for (name, entry) in wanted {
        if entry.path != inside && is_ignored(&ignores, &entry.path) {
            continue;
        }
        if let Some(bytes) = blobs.get(&entry.hash) {
            found.files.push((name, bytes.clone()));
        }
    }
    Ok(())
}

/// The path as the work tree's walk would show it.
fn shown_path(shown: &str, inside: &str, path: &str) -> String {
    let rest = path.strip_prefix(inside).unwrap_or(path).trim_start_matches('/');
    let shown = shown.trim_end_matches('/');
    let shown = shown.strip_prefix("./").unwrap_or(shown);
    match (shown, rest) {
        (shown, "") => shown.to_owned(),
        ("." | "", rest) => rest.to_owned(),
        (shown, rest) => format!("{shown}/{rest}"),
    }
}

/// The ignore files of the tree, each with its directory.
fn ignores(rules: &[Entry], blobs: &HashMap<String, Vec<u8>>) -> Vec<(String, Gitignore)> {
    let mut all = Vec::new();
    for rule in rules {
        let directory = rule.path.rsplit_once('/').map_or("", |(directory, _)| directory).to_owned();
        let mut builder = GitignoreBuilder::new("");
        for line in String::from_utf8_lossy(blobs.get(&rule.hash).map_or(&[][..], Vec::as_slice)).lines() {
            // A broken line matches nothing, as for git.
            let _ = builder.add_line(None, line);
        }
        if let Ok(matcher) = builder.build() {
            all.push((directory, matcher));
        }
    }
    all
}

fn is_ignored(ignores: &[(String, Gitignore)], path: &str) -> bool {
    ignores.iter().any(|(directory, matcher)| {
        let inside = match directory.as_str() {
            "" => Some(path),
            directory => path.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/')),
        };
        inside.is_some_and(|path| matcher.matched_path_or_any_parents(path, false).is_ignore())
    })
}
