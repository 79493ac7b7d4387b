//! Finds `kplan.yaml`.

use std::path::{Path, PathBuf};

use super::error::{CliError, io_text};
use super::own_rules::{self, OwnRules};
use crate::config::{self, Config, ConfigError, Problem};

/// Reads the `kplan.yaml` of the nearest folder above `path`, up to the root of its git repository; without a
/// repository only the folder of `path` and the working directory are looked at.
///
/// # Errors
/// The file or a rule that it names cannot be read, is no YAML, or holds what is not allowed.
pub(super) fn config(path: &Path) -> Result<Option<(Config, OwnRules)>, CliError> {
    let Some(file) = find(path) else {
        return Ok(None);
    };
    let name = file.to_string_lossy().into_owned();
    let text = std::fs::read_to_string(&file).map_err(|error| ConfigError {
        file: name.clone(),
        problems: vec![Problem::start(
            format!("it cannot be read: {}", io_text(&error)),
            "make it a readable UTF-8 file",
        )],
    })?;
    let folder = file.parent().unwrap_or(Path::new("")).to_owned();
    let own = own_rules::read(&config::rule_dirs(&text, &folder))?;
    let config = config::parse(&name, &text, &folder, &own.table)?;
    check_folders(&config, &folder)?;
    Ok(Some((config, own)))
}

/// Folders that a `kplan.yaml` names have to be there: nothing else would say that they are not.
fn check_folders(config: &Config, folder: &Path) -> Result<(), ConfigError> {
    let missing = config.folders.iter().filter(|(path, ..)| !folder.join(path).is_dir());
    let problems: Vec<Problem> = missing
        .map(|(path, line, column)| Problem {
            line: *line,
            column: *column,
            message: format!("the folder `{path}` is not there"),
            help: format!("correct it, or remove it; paths count from the folder of {}", config.name),
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(ConfigError { file: config.name.clone(), problems }) }
}

fn find(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    let absolute = absolute.canonicalize().unwrap_or(absolute);
    let start = if absolute.is_dir() { absolute.as_path() } else { absolute.parent()? };
    let here = std::env::current_dir().and_then(|here| here.canonicalize()).ok();
    let in_repository = start.ancestors().any(|folder| folder.join(".git").exists());
    for folder in start.ancestors() {
        let file = folder.join(config::FILE_NAME);
        if file.is_file() {
            return Some(if path.is_absolute() { file } else { from_here(&file, here.as_deref()) });
        }
        let last = if in_repository { folder.join(".git").exists() } else { Some(folder) == here.as_deref() };
        if last || (!in_repository && !here.as_deref().is_some_and(|here| start.starts_with(here))) {
            break;
        }
    }
    None
}

/// The path as seen from the working directory.
fn from_here(file: &Path, here: Option<&Path>) -> PathBuf {
    let Some(here) = here else {
        return file.to_owned();
    };
    let common = here.components().zip(file.components()).take_while(|(a, b)| a == b).count();
    let up = here.components().skip(common).map(|_| Path::new("..").as_os_str());
    up.chain(file.components().skip(common).map(|part| part.as_os_str())).collect()
}
