//! Paths → sources: walks directories, reads files and standard input, tells sets and roles apart.

mod base;
mod checkout;
mod git;
mod sets;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use ignore::{WalkBuilder, WalkState};
use rayon::prelude::*;

pub use base::{Base, GitFiles, git_files};
pub use checkout::{Tree, git_tree};
pub use git::GitError;
pub use sets::{Root, RootKind, normal};

use crate::config::Settings;
use crate::diag::Diagnostic;
use crate::model::{Rendering, Role, SetId};
use crate::source::{FileId, Source, SourceText, Sources, Span};

/// Larger files are refused: spans are 31 bits wide.
const MAX_BYTES: usize = (1 << 31) - 2;

/// Most manifests have fewer bytes.
const SMALL: usize = 16 << 10;

/// What a user may ask to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    pub message: String,
    pub help: String,
}

/// One file before it is taken apart.
#[derive(Debug)]
pub struct Input {
    /// As the report shows it.
    pub name: String,
    pub content: Result<Vec<u8>, String>,
    /// Index of the PATH that led here.
    pub path: usize,
    /// Named on the command line, so it is judged as it stands.
    pub explicit: bool,
}

/// What was read: sources with the set and role of each, by [`crate::source::FileId`].
#[derive(Debug, Default)]
pub struct Loaded {
    pub sources: Sources,
    pub sets: Vec<SetId>,
    pub roles: Vec<Role>,
    /// Folders that are sets of their own.
    pub roots: Vec<Root>,
    /// Sets that a kustomization or chart makes and that were not rendered.
    pub unrendered: Vec<SetId>,
    /// Number of kustomizations and charts that were to be rendered and were not.
    pub not_rendered: usize,
    /// What was rendered, with the sources that hold it.
    pub rendered: Vec<Rendering>,
    /// Namespace of rendered objects that name none, where it is not that of the run.
    pub namespaces: BTreeMap<FileId, String>,
    /// Named on the command line.
    pub explicit: Vec<bool>,
}

/// Reads every PATH; `-` is standard input.
pub fn run(paths: &[String], settings: &Settings) -> Result<(Loaded, Vec<Diagnostic>), LoadError> {
    let mut inputs = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        inputs.extend(inputs_of(path, index, settings)?);
    }
    Ok(assemble(inputs, settings))
}

/// Makes sources of inputs that are already in memory, in their order; doubles are read once.
pub fn assemble(mut inputs: Vec<Input>, settings: &Settings) -> (Loaded, Vec<Diagnostic>) {
    let mut seen = std::collections::HashSet::new();
    inputs.retain(|input| seen.insert(sets::normal(&input.name)));
    let (sets, roles, roots) = sets::assign(&inputs, &settings.stacks);
    let unrendered = roots.iter().filter(|root| root.kind != RootKind::Stack).map(|root| root.set).collect();
    let mut loaded = Loaded { sets, roles, roots, unrendered, ..Loaded::default() };
    let mut diagnostics = Vec::new();
    for input in inputs {
        loaded.explicit.push(input.explicit);
        let decoded = input.content.and_then(decode);
        let (text, invalid, problem) = match decoded {
            Ok((text, invalid)) => (text, invalid, None),
            Err(problem) => (SourceText::default(), Vec::new(), Some(problem)),
        };
        let mut source = Source::new(input.name, text);
        source.invalid = invalid;
        let name = source.name.clone();
        let file = loaded.sources.add(source);
        if let Some(problem) = problem {
            let message = format!("cannot read {name}: {problem}");
            let help = "kubectl would refuse it too; mend the file, or exclude it in kplan.yaml under `ignore.paths`";
            diagnostics.push(Diagnostic::new("file-unreadable", file, Span::default(), message).help(help));
        }
    }
    (loaded, diagnostics)
}

/// The text, and the offsets of bytes that are no UTF-8 and stand as `?`.
fn decode(bytes: Vec<u8>) -> Result<(SourceText, Vec<u32>), String> {
    if bytes.len() > MAX_BYTES {
        return Err(format!("it has {} bytes, the limit is {MAX_BYTES}", bytes.len()));
    }
    if memchr::memchr(0, &bytes[..bytes.len().min(8192)]).is_some() {
        return Err("it is a binary file".to_owned());
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok((text.into(), Vec::new())),
        Err(error) => {
            let mut bytes = error.into_bytes();
            let mut invalid = Vec::new();
            let mut from = 0;
            while let Err(error) = std::str::from_utf8(&bytes[from..]) {
                let bad = from + error.valid_up_to();
                invalid.push(bad as u32);
                bytes[bad] = b'?';
                from = bad;
            }
            Ok((String::from_utf8_lossy(&bytes).into(), invalid))
        }
    }
}

fn inputs_of(path: &str, index: usize, settings: &Settings) -> Result<Vec<Input>, LoadError> {
    if path == "-" {
        let mut bytes = Vec::new();
        let content = std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes).map_err(|e| io_text(&e));
        return Ok(vec![Input { name: "-".to_owned(), content, path: index, explicit: true }]);
    }
    let metadata = std::fs::metadata(path).map_err(|error| LoadError {
        message: format!("cannot read {path}: {}", io_text(&error)),
        help: "give a file, a directory or - for standard input".to_owned(),
    })?;
    if !metadata.is_dir() {
        let content = read_file(Path::new(path));
        return Ok(vec![Input { name: path.to_owned(), content, path: index, explicit: true }]);
    }
    let files = walk(path, settings)?;
    Ok(files
        .into_par_iter()
        .map(|file| Input { content: read_file(&file), name: shown(&file), path: index, explicit: false })
        .collect())
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    read_bytes(path).map_err(|error| io_text(&error))
}

/// The size of a file is asked for only where it is large.
fn read_bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut bytes = Vec::with_capacity(SMALL);
    if file.by_ref().take(SMALL as u64).read_to_end(&mut bytes)? == SMALL {
        file.read_to_end(&mut bytes)?;
    } else {
        bytes.shrink_to_fit();
    }
    Ok(bytes)
}

/// An I/O error without the system's number.
fn io_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    text[..1].to_lowercase() + &text[1..]
}

fn shown(path: &Path) -> String {
    let name = path.to_string_lossy();
    name.strip_prefix("./").unwrap_or(&name).to_owned()
}

/// Files that kubectl would take from a directory, less what the ignore files name; in order of their names.
fn walk(root: &str, settings: &Settings) -> Result<Vec<PathBuf>, LoadError> {
    let mut overrides = ignore::overrides::OverrideBuilder::new(root);
    for glob in &settings.ignore_paths {
        overrides.add(&format!("!{glob}")).map_err(|error| LoadError {
            message: format!("`ignore.paths` has a broken glob `{glob}`: {error}"),
            help: "write it as in a .gitignore".to_owned(),
        })?;
    }
    let overrides = overrides.build().map_err(|error| LoadError {
        message: format!("`ignore.paths` cannot be used: {error}"),
        help: "write its globs as in a .gitignore".to_owned(),
    })?;
    let walk = WalkBuilder::new(root)
        .hidden(false)
        .add_custom_ignore_filename(".kplanignore")
        .overrides(overrides)
        .filter_entry(|entry| entry.file_name() != ".git")
        // This walk sees in the listing of a folder whether it has ignore files; the other one asks for each.
        .threads(1)
        .build_parallel();
    // What a link leads to is asked of links only.
    let is_file = |entry: &ignore::DirEntry| match entry.file_type() {
        Some(kind) if !kind.is_symlink() => kind.is_file(),
        _ => entry.path().is_file(),
    };
    let (send, files) = std::sync::mpsc::channel();
    walk.run(|| {
        let send = send.clone();
        Box::new(move |entry| {
            if let Some(file) = entry.ok().filter(|entry| is_manifest_name(entry.path()) && is_file(entry)) {
                let _ = send.send(file.into_path());
            }
            WalkState::Continue
        })
    });
    drop(send);
    let mut files: Vec<PathBuf> = files.iter().collect();
    files.sort();
    Ok(files)
}

/// kubectl reads `.json`, `.yaml` and `.yml` when it walks; a kustomization file may have no extension.
pub fn is_manifest_name(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("json" | "yaml" | "yml")) || path.file_name().is_some_and(|name| name == "Kustomization")
}
