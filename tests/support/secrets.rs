//! Every run of kplan is searched for secret values: those of its own input, and those that any test of the same
//! program has put into a cluster. `finish` does it, so that no test can forget to.
//!
//! A value is looked for as it is, escaped as in JSON, and in base64. Values from `LONG` on are looked for everywhere;
//! shorter ones as whole words, where they are no plain words and nothing else of the input says them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use kplan::yaml::{self, View};

use super::Run;

/// The length from which kplan masks a value wherever it turns up.
const LONG: usize = 8;
/// Shorter values are words that mean anything.
const SHORT: usize = 4;
/// Files of a folder that are read for a run; a larger folder is no set of manifests.
const FILES: usize = 400;
/// Larger files are made to be large, and hold no Secrets.
const BYTES: u64 = 1 << 20;

/// Values that a cluster of this run may hold.
static STORED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
static RUNS: AtomicUsize = AtomicUsize::new(0);
static VALUES: AtomicUsize = AtomicUsize::new(0);

/// What a run must not show, and what was there before it.
pub struct Watch {
    secrets: BTreeSet<String>,
    folder: PathBuf,
    before: BTreeSet<PathBuf>,
}

/// Reads what a command gets: manifests in its folder and among its arguments, and its standard input. `None` where
/// its output is searched for nothing: it is not kplan, or is asked to show what is secret.
pub fn watch(command: &Command, input: &[u8]) -> Option<Watch> {
    let arguments: Vec<String> = command.get_args().map(|text| text.to_string_lossy().into_owned()).collect();
    let folder = command.get_current_dir().map_or_else(PathBuf::new, Path::to_owned);
    let is_kplan = command.get_program() == env!("CARGO_BIN_EXE_kplan");
    let before = files(&folder);
    let named = arguments.iter().flat_map(|argument| argument.split(['=', ':'])).map(|part| folder.join(part));
    let mut paths: BTreeSet<PathBuf> = named.flat_map(|path| files(&path)).collect();
    if is_kplan {
        paths.extend(before.iter().cloned());
    }
    let mut texts: Vec<String> = paths.iter().filter_map(|path| read(path)).collect();
    texts.push(String::from_utf8_lossy(input).into_owned());
    let mut secrets = of_texts(&texts);
    secrets.extend(literals(&arguments));
    let on_cluster = arguments.iter().any(|argument| argument == "--kubeconfig");
    if on_cluster {
        let mut stored = STORED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        stored.extend(secrets.iter().filter(|value| value.len() >= LONG).cloned());
        secrets.extend(stored.iter().cloned());
    }
    let open = arguments.iter().any(|argument| argument == "--show-secrets" || argument == "--raw");
    (is_kplan && !open).then_some(Watch { secrets, folder, before })
}

impl Watch {
    /// Fails where the run shows a value, on a stream or in a file that it made.
    #[track_caller]
    pub fn hold(&self, run: &Run) {
        RUNS.fetch_add(1, Ordering::Relaxed);
        VALUES.fetch_add(self.secrets.len(), Ordering::Relaxed);
        let mut outputs = vec![("stdout".to_owned(), run.stdout.clone()), ("stderr".to_owned(), run.stderr.clone())];
        let made = files(&self.folder).into_iter().filter(|path| !self.before.contains(path));
        outputs.extend(made.filter_map(|path| Some((path.display().to_string(), read(&path)?))));
        for (place, text) in &outputs {
            for value in &self.secrets {
                if let Some(line) = shows(text, value) {
                    let line: String = line.chars().take(300).collect();
                    panic!("{place} shows the secret value {value:?}: {line}");
                }
            }
        }
    }
}

/// How many runs were searched, and for how many values in all.
pub fn count() -> (usize, usize) {
    (RUNS.load(Ordering::Relaxed), VALUES.load(Ordering::Relaxed))
}

/// The line of a text that shows a value.
pub fn shows<'t>(text: &'t str, value: &str) -> Option<&'t str> {
    let escaped = serde_json::Value::from(value).to_string();
    let code = yaml::base64::encode(value.as_bytes());
    let forms = [value, escaped.trim_matches('"'), code.trim_end_matches('=')];
    let is_part = |char: char| char.is_alphanumeric() || "+/=-_.".contains(char);
    let is_there = |form: &str| {
        form.len() >= SHORT
            && text.match_indices(form).any(|(at, _)| {
                let goes_on = text[..at].chars().next_back().is_some_and(is_part)
                    || text[at + form.len()..].chars().next().is_some_and(|char| is_part(char) && char != '=');
                form.len() >= LONG || !goes_on
            })
    };
    let form = forms.into_iter().find(|form| is_there(form))?;
    // A value of several lines is in none of them as a whole.
    Some(text.lines().find(|line| line.contains(form)).unwrap_or("(over several lines)"))
}

/// The values of all Secrets in some files, but for plain words that the files say elsewhere too.
pub fn of_texts(texts: &[String]) -> BTreeSet<String> {
    let mut values: BTreeMap<String, usize> = BTreeMap::new();
    for text in texts.iter().filter(|text| text.contains("Secret")) {
        let file = yaml::read(&text.as_str().into());
        for root in file.documents.iter().filter_map(|document| document.root) {
            of_object(file.tree.view(root), &mut values);
        }
    }
    let is_said = |(value, times): &(String, usize)| {
        let is_word = value.chars().all(char::is_alphabetic);
        match value.len() >= LONG {
            true if !is_word => return false,
            // `root` is in messages for other reasons.
            false if is_word => return true,
            _ => {}
        }
        let said: usize = texts.iter().map(|text| text.matches(value.as_str()).count()).sum();
        said > *times
    };
    values.into_iter().filter(|pair| pair.0.len() >= SHORT && !is_said(pair)).map(|(value, _)| value).collect()
}

fn of_object(object: View<'_>, values: &mut BTreeMap<String, usize>) {
    object.list("items").for_each(|item| of_object(item, values));
    if object.get_str("kind") != Some("Secret") {
        return;
    }
    for (_, value) in object.map("stringData") {
        add(value.str().unwrap_or_default(), 1, values);
    }
    for (_, value) in object.map("data") {
        let code = value.str().unwrap_or_default();
        let plain = yaml::base64::decode(code.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        add(&plain.unwrap_or_else(|| code.to_owned()), 0, values);
    }
}

/// A value, and the longer ones of its lines.
fn add(value: &str, times: usize, values: &mut BTreeMap<String, usize>) {
    let value = value.trim();
    *values.entry(value.to_owned()).or_default() += times;
    for line in value.lines().filter(|line| *line != value && line.trim().len() >= 2 * LONG) {
        *values.entry(line.trim().to_owned()).or_default() += times;
    }
}

/// What `kubectl create secret` is given.
fn literals(arguments: &[String]) -> Vec<String> {
    if !arguments.iter().any(|argument| argument == "secret") {
        return Vec::new();
    }
    let values = arguments.iter().filter_map(|argument| argument.strip_prefix("--from-literal="));
    values.filter_map(|pair| Some(pair.split_once('=')?.1.to_owned())).collect()
}

/// The files below a path, none where there are too many.
fn files(path: &Path) -> BTreeSet<PathBuf> {
    if path.as_os_str().is_empty() {
        return BTreeSet::new();
    }
    let skip = |entry: &walkdir::DirEntry| !["target", ".git"].iter().any(|name| entry.file_name() == *name);
    let entries = walkdir::WalkDir::new(path).into_iter().filter_entry(skip).flatten();
    let found: BTreeSet<PathBuf> =
        entries.filter(|entry| entry.file_type().is_file()).take(FILES + 1).map(|entry| entry.into_path()).collect();
    if found.len() > FILES { BTreeSet::new() } else { found }
}

fn read(path: &Path) -> Option<String> {
    let is_small = fs::metadata(path).is_ok_and(|metadata| metadata.len() <= BYTES);
    let bytes = fs::read(path).ok().filter(|_| is_small)?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
