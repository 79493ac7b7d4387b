//! What is reported of what was looked at: `--focus` by file, `-l` by label.

use std::path::{Path, PathBuf};

use super::error::CliError;
use super::options::Options;
use crate::diag::Diagnostic;
use crate::diff::Change;
use crate::model::selector::{Operator, Requirement};
use crate::model::{Bundle, ObjectId};
use crate::source::FileId;

/// Keeps what a run reports on.
#[derive(Debug, Default)]
pub(super) struct Focus {
    /// Absolute; empty for everything.
    paths: Vec<PathBuf>,
    labels: Vec<Requirement>,
}

impl Focus {
    /// Settles the focus; with `--focus` the paths of the run become the root of the config or of git.
    pub(super) fn new(options: &mut Options) -> Result<Focus, CliError> {
        let labels = options.selector.as_deref().map(selector).transpose()?.unwrap_or_default();
        if !options.focus {
            return Ok(Focus { paths: Vec::new(), labels });
        }
        if options.paths.iter().any(|path| path == "-") {
            return Err(CliError::usage(
                "--focus and standard input contradict each other",
                "name files or directories",
            ));
        }
        // No PATH is everything.
        let paths = if options.is_default { &[][..] } else { &options.paths };
        let paths = paths.iter().map(|path| absolute(Path::new(path))).collect();
        options.paths = vec![root(options)];
        Ok(Focus { paths, labels })
    }

    pub(super) fn keeps(&self, bundle: &Bundle, diagnostic: &Diagnostic) -> bool {
        self.keeps_file(bundle, diagnostic.file)
            && (self.labels.is_empty() || diagnostic.object.is_some_and(|id| self.keeps_object(bundle, id)))
    }

    /// Changes by the object that is wanted, else by the one that is there.
    pub(super) fn keeps_change(&self, desired: &Bundle, base: &Bundle, change: &Change) -> bool {
        let (bundle, id) = match (change.desired, change.base) {
            (Some(id), _) => (desired, id),
            (None, Some(id)) => (base, id),
            (None, None) => return true,
        };
        let in_files = change.desired.is_none() || self.keeps_file(bundle, bundle.object(id).file);
        in_files && self.keeps_object(bundle, id)
    }

    fn keeps_file(&self, bundle: &Bundle, file: FileId) -> bool {
        if self.paths.is_empty() {
            return true;
        }
        let path = absolute(Path::new(&bundle.sources.get(file).name));
        self.paths.iter().any(|focus| path.starts_with(focus))
    }

    fn keeps_object(&self, bundle: &Bundle, id: ObjectId) -> bool {
        let labels = bundle.written(id).at(&["metadata", "labels"]);
        let labels: Vec<(&str, &str)> = crate::model::pod::labels(labels).into_iter().collect();
        self.labels.iter().all(|requirement| requirement.matches(&labels))
    }
}

fn absolute(path: &Path) -> PathBuf {
    path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}

/// Folder of the config, else the root of the git repository, else the working directory; as seen from here.
fn root(options: &Options) -> String {
    if let Some(folder) = options.config.as_ref().and_then(|config| Path::new(&config.name).parent()) {
        let folder = folder.to_string_lossy().into_owned();
        return if folder.is_empty() { ".".to_owned() } else { folder };
    }
    let mut up = PathBuf::from(".");
    for folder in absolute(Path::new(".")).ancestors() {
        if folder.join(".git").exists() {
            return up.to_string_lossy().trim_start_matches("./").to_owned();
        }
        up.push("..");
    }
    ".".to_owned()
}

/// Reads `app=web,tier!=db,!legacy,stage in (a,b)` as kubectl's `-l` does.
fn selector(text: &str) -> Result<Vec<Requirement>, CliError> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        // A comma within brackets does not end a requirement.
        let mut depth = 0;
        let end = rest.find(|char: char| {
            depth += i32::from(char == '(') - i32::from(char == ')');
            char == ',' && depth == 0
        });
        let (part, tail) = end.map_or((rest, ""), |end| (&rest[..end], &rest[end + 1..]));
        let requirement = requirement(part.trim()).ok_or_else(|| {
            let help = "write it as app=web, tier!=db, stage in (a,b), legacy or !legacy, with commas between";
            CliError::usage(format!("-l \"{text}\": `{}` is no requirement", part.trim()), help)
        })?;
        found.push(requirement);
        rest = tail.trim_start();
    }
    Ok(found)
}

fn requirement(part: &str) -> Option<Requirement> {
    let make = |key: &str, op: Operator, values: Vec<&str>| {
        let key = key.trim();
        let plain = !key.is_empty() && !key.contains(|char: char| char.is_whitespace() || "(){}=!,".contains(char));
        let values = values.into_iter().map(|value| value.trim().to_owned()).collect();
        plain.then(|| Requirement { key: key.to_owned(), op, values })
    };
    if let Some(set) = part.strip_suffix(')') {
        let (head, values) = set.split_once('(')?;
        let (key, op) = match head.trim().rsplit_once(char::is_whitespace)? {
            (key, "in") => (key, Operator::In),
            (key, "notin") => (key, Operator::NotIn),
            _ => return None,
        };
        return make(key, op, values.split(',').collect());
    }
    if let Some(key) = part.strip_prefix('!') {
        return make(key, Operator::DoesNotExist, Vec::new());
    }
    if let Some((key, value)) = part.split_once("!=") {
        return make(key, Operator::NotIn, vec![value]);
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return make(key, Operator::In, vec![value]);
    }
    make(part, Operator::Exists, Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_read_as_in_kubectl() {
        let labels = vec![("app", "web"), ("tier", "db")];
        let matches = |text: &str| selector(text).unwrap().iter().all(|requirement| requirement.matches(&labels));
        for yes in ["app=web", "app==web,tier", "app in (web, x),!old", "stage!=a", "tier notin (a,b)", ""] {
            assert!(matches(yes), "{yes}");
        }
        for no in ["app=x", "old", "!app", "app in (x)", "tier!=db"] {
            assert!(!matches(no), "{no}");
        }
        for wrong in ["=a", "a b", "a in b", "a in (b", ",,"] {
            assert!(selector(wrong).is_err(), "{wrong}");
        }
    }
}
