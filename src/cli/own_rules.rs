//! The users' rules of `ruleDirs`, and the policies that lie beside them.

use std::path::{Path, PathBuf};

use super::error::{CliError, ErrorKind, io_text};
use super::{locate, stages};
use crate::config::Settings;
use crate::diag::Rule;
use crate::lint::catalog::RULES;
use crate::load;
use crate::model::Bundle;
use crate::policy::{self, UserRule};
use crate::source::Source;

/// What a run has of its own beside the catalogue.
#[derive(Debug, Default)]
pub(super) struct OwnRules {
    /// Each with its file.
    pub rules: Vec<UserRule>,
    /// Files of the rules, in the order of the rules.
    pub files: Vec<PathBuf>,
    /// Policies, bindings and parameters.
    pub policies: Bundle,
    /// The catalogue with the rules of its own.
    pub table: Vec<&'static Rule>,
}

impl OwnRules {
    /// Globs of the fixtures, which are no manifests of anybody.
    pub(super) fn fixtures(&self) -> Vec<String> {
        let folder =
            |path: &Path| path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        let rules = self.rules.iter().zip(&self.files);
        let own = rules.filter_map(|(rule, file)| Some(format!("**/{}/{}/**", folder(file)?, rule.rule.id)));
        let policies = self.policies.iter().filter(|(_, object)| object.kind == "ValidatingAdmissionPolicy");
        let policies = policies.filter_map(|(_, object)| {
            let file = Path::new(&self.policies.sources.get(object.file).name);
            Some(format!("**/{}/{}/**", folder(file)?, object.name))
        });
        own.chain(policies).collect()
    }
}

/// The rules of the working directory's kplan.yaml.
pub(super) fn here() -> Result<OwnRules, CliError> {
    match locate::config(Path::new("."))? {
        Some((_, own)) => Ok(own),
        None => read(&[]),
    }
}

/// Reads the rules of folders; fixtures, which lie in folders named as their rules, stay out.
pub(super) fn read(folders: &[PathBuf]) -> Result<OwnRules, CliError> {
    let mut own = OwnRules { table: RULES.iter().collect(), ..OwnRules::default() };
    let mut wrong: Vec<String> = Vec::new();
    let mut policies = Vec::new();
    for path in folders.iter().map(|folder| files(folder)).collect::<Result<Vec<_>, _>>()?.into_iter().flatten() {
        let name = path.to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).map_err(|error| cannot_read(&path, &error))?;
        if text.lines().any(|line| line.starts_with("apiVersion:") || line.starts_with("\"apiVersion\"")) {
            policies.push(name);
            continue;
        }
        match policy::parse(&name, &text) {
            Ok(rule) if own.table.iter().any(|known| known.id == rule.rule.id) => {
                wrong.push(format!("{name}: there is a rule `{}` already", rule.rule.id));
            }
            Ok(rule) => {
                own.table.push(rule.rule);
                own.rules.push(rule);
                own.files.push(path);
            }
            Err(errors) => wrong.extend(errors.into_iter().map(|error| {
                format!("{}:{}:{}: {} ({})", error.file, error.line, error.column, error.message, error.help)
            })),
        }
    }
    own.policies = read_policies(&policies, &mut wrong)?;
    if wrong.is_empty() {
        return Ok(own);
    }
    let help = "correct the rules; `kplan rules test` runs their fixtures";
    Err(CliError::new(ErrorKind::Config, wrong.join("\nerror: "), help))
}

fn cannot_read(path: &Path, error: &std::io::Error) -> CliError {
    let message = format!("cannot read {}: {}", path.display(), io_text(error));
    CliError::new(ErrorKind::Config, message, "name a folder with rules under `ruleDirs:` in kplan.yaml")
}

/// YAML files directly in a folder, in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let entries = std::fs::read_dir(folder).map_err(|error| cannot_read(folder, &error))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<PathBuf> = paths.filter(|path| path.is_file() && load::is_manifest_name(path)).collect();
    files.sort();
    Ok(files)
}

/// Policies and what belongs to them; one that cannot be read or does not compile is a mistake of the configuration.
fn read_policies(files: &[String], wrong: &mut Vec<String>) -> Result<Bundle, CliError> {
    if files.is_empty() {
        return Ok(Bundle::default());
    }
    let settings = Settings::default();
    let (loaded, mut found) = load::run(files, &settings)?;
    let (mut bundle, unreadable) = stages::parse_all(loaded, &settings, None, None);
    found.extend(unreadable);
    if let Some(schema) = crate::schema::Schema::of(settings.kube_version) {
        crate::defaults::run(&mut bundle, schema);
    }
    let at = |source: &Source, span: crate::source::Span| {
        let place = source.line_column(span.start);
        format!("{}:{}:{}", source.name, place.line, place.column)
    };
    for diagnostic in found {
        let source = bundle.sources.get(diagnostic.file);
        wrong.push(format!("{}: {}", at(source, diagnostic.span), diagnostic.message));
    }
    for (id, problem) in policy::problems(&bundle) {
        let span = crate::model::path::place(bundle.written(id), &problem.field);
        let source = bundle.sources.get(bundle.object(id).file);
        wrong.push(format!("{}: {} does not compile: {}", at(source, span), problem.field, problem.message));
    }
    Ok(bundle)
}
