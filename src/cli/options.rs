//! From what was typed to what it means: paths, settings, outputs; contradictions are found here.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::args::{InputArgs, NodeArgs, ReportArgs, Terms};
use super::error::{CliError, ErrorKind};
use super::locate;
use super::output::{self, Output};
use super::own_rules::{self, OwnRules};
use super::progress;
use crate::config::{self, Config, Settings};
use crate::model::Version;
use crate::schema::Schema;
use crate::simulate::schedulers;

/// A run, settled.
#[derive(Debug)]
pub(super) struct Options {
    /// What is read.
    pub paths: Vec<String>,
    /// No PATH was given.
    pub is_default: bool,
    /// The paths as given, for people.
    pub target: String,
    pub settings: Settings,
    /// Oldest first; more than one for a range.
    pub versions: Vec<Version>,
    pub config: Option<Config>,
    pub own: OwnRules,
    pub outputs: Vec<Output>,
    pub selector: Option<String>,
    pub focus: bool,
    pub allow_empty: bool,
    pub baseline: Option<std::path::PathBuf>,
    pub nodes: Option<std::path::PathBuf>,
    pub snapshot: Option<std::path::PathBuf>,
    pub scheduler_config: Option<std::path::PathBuf>,
    /// `-n` was given.
    pub has_namespace: bool,
    /// The flag or the config names a version.
    pub has_version: bool,
    pub verbose: u8,
    pub quiet: bool,
    pub color: super::args::Color,
}

impl Options {
    /// Settles the flags of a command; `report` and `nodes` where it has them.
    pub(super) fn new(
        input: &InputArgs,
        report: &ReportArgs,
        nodes: &NodeArgs,
        terms: &Terms,
    ) -> Result<Options, CliError> {
        let paths = paths(input)?;
        let (config, own) = find_config(&paths)?;
        let mut settings = settings(input, config.as_ref());
        add_report(&mut settings, report);
        settings.ignore_paths.extend(own.fixtures());
        settings.sequential = nodes.sequential;
        let versions = versions_of(input, config.as_ref())?;
        let of_config = config.as_ref().and_then(|config| config.kube_version.as_ref());
        let has_version = input.kube_version.as_ref().or(of_config).is_some();
        settings.kube_version = versions.last().copied().unwrap_or(Version::DEFAULT);
        Ok(Options {
            is_default: input.paths.is_empty() && input.filenames.is_empty() && input.kustomize.is_none(),
            target: paths.join(" "),
            paths,
            settings,
            versions,
            config,
            own,
            outputs: output::parse(&report.outputs)?,
            selector: input.selector.clone(),
            focus: report.focus,
            allow_empty: input.allow_empty,
            baseline: report.baseline.clone(),
            nodes: nodes.nodes.clone(),
            snapshot: nodes.snapshot.clone(),
            scheduler_config: nodes.scheduler_config.clone(),
            has_namespace: input.namespace.is_some(),
            has_version,
            verbose: terms.verbose,
            quiet: terms.quiet,
            color: terms.color,
        })
    }

    /// `1.36` or `1.34..1.36`.
    /// What stands at the scheduler's side where it is of another version than the rules.
    pub(super) fn scheduler_text(&self) -> String {
        self.settings.scheduler.map(|version| format!(", scheduler {version}")).unwrap_or_default()
    }

    /// Pods land as in the version of their cluster, where none is asked for; of one that is not known this is said.
    pub(super) fn take_cluster_version(&mut self, version: &str, name: &str) {
        // Some vendors add to it: v1.36.3-eks-1.
        let parsed = version.split(['-', '+']).next().and_then(|version| version.parse::<Version>().ok());
        if self.has_version || version.is_empty() || parsed == Some(self.settings.kube_version) {
            return;
        }
        self.settings.scheduler = parsed.filter(|version| schedulers::VERSIONS.contains(version));
        if self.settings.scheduler.is_none() && !self.quiet {
            let rules = self.settings.kube_version;
            let known = schedulers::VERSIONS.map(|version| version.to_string()).join(", ");
            let line = format!("{name} is of Kubernetes {version}; pods land as in {rules} (known: {known})");
            progress::note(&[line]);
        }
    }

    pub(super) fn version_text(&self) -> String {
        match self.versions.as_slice() {
            [first, .., last] => format!("{first}..{last}"),
            [only] => only.to_string(),
            [] => Version::DEFAULT.to_string(),
        }
    }
}

/// PATHs, `-f` and `-k` are one list; nothing is the working directory.
fn paths(input: &InputArgs) -> Result<Vec<String>, CliError> {
    let mut paths: Vec<String> = input.paths.iter().chain(&input.filenames).chain(&input.kustomize).cloned().collect();
    if let Some(url) = paths.iter().find(|path| path.starts_with("http://") || path.starts_with("https://")) {
        let help = "fetch it first, and check the file: curl -fsSL URL | kplan check -";
        return Err(CliError::usage(format!("cannot read {url}: kplan reads no URLs"), help));
    }
    if paths.iter().filter(|path| *path == "-").count() > 1 {
        return Err(CliError::usage("standard input (-) is named twice", "name it once"));
    }
    if paths.is_empty() {
        paths.push(".".to_owned());
    }
    Ok(paths)
}

/// All PATHs of a run share one config.
fn find_config(paths: &[String]) -> Result<(Option<Config>, OwnRules), CliError> {
    let mut found: Option<(Config, OwnRules)> = None;
    for path in paths {
        let path = if path == "-" { "." } else { path };
        let config = locate::config(Path::new(path))?;
        match (&found, config) {
            (Some((known, _)), Some((config, _))) if known.name != config.name => {
                let message = format!("the PATHs have different configs: {} and {}", known.name, config.name);
                return Err(CliError::new(ErrorKind::Config, message, "run kplan once for each of them"));
            }
            (None, config) => found = config,
            _ => {}
        }
    }
    match found {
        Some((config, own)) => Ok((Some(config), own)),
        None => Ok((None, own_rules::read(&[])?)),
    }
}

fn settings(input: &InputArgs, config: Option<&Config>) -> Settings {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut settings = Settings { now, ..Settings::default() };
    if let Some(config) = config {
        config.apply(&mut settings);
    }
    if let Some(namespace) = &input.namespace {
        settings.namespace.clone_from(namespace);
    }
    settings.crd_dirs.extend(input.crd_dirs.iter().cloned());
    settings.kustomization.clone_from(&input.kustomize);
    if input.require_render {
        settings.rules.insert("not-rendered".to_owned(), Some(crate::diag::Severity::Error));
    }
    settings
}

fn add_report(settings: &mut Settings, report: &ReportArgs) {
    settings.tier = report.tier.as_deref().and_then(config::tier).unwrap_or(settings.tier);
    settings.fail_on = report.fail_on.as_deref().and_then(config::severity).unwrap_or(settings.fail_on);
    settings.no_ignores = report.no_ignores;
    settings.show_secrets = report.show_secrets;
}

/// The flag, else the config, else the default.
fn versions_of(input: &InputArgs, config: Option<&Config>) -> Result<Vec<Version>, CliError> {
    if let Some(wanted) = &input.kube_version {
        return versions(wanted, "--kube-version");
    }
    let in_config = config.and_then(|config| Some((config, config.kube_version.as_deref()?)));
    let Some((config, wanted)) = in_config else {
        return Ok(vec![Version::DEFAULT]);
    };
    let (line, column) = config.kube_version_at;
    versions(wanted, &format!("{}:{line}:{column}", config.name))
}

/// The versions of `1.36` or `1.34..1.36`, all of which must be known; `origin` says where it was written.
fn versions(wanted: &str, origin: &str) -> Result<Vec<Version>, CliError> {
    let read = |text: &str| {
        text.parse::<Version>().map_err(|message| {
            let (message, help) = message.split_once("; ").unwrap_or((&message, "write it as 1.36"));
            CliError::usage(format!("{origin}: {message}"), help)
        })
    };
    let (first, last) = wanted.split_once("..").unwrap_or((wanted, wanted));
    let (first, last) = (read(first)?, read(last)?);
    if first > last || first.major != last.major {
        let message = format!("{origin}: the range {wanted} ends before it starts");
        return Err(CliError::usage(message, format!("write {last}..{first}")));
    }
    let known: Vec<Version> = Schema::versions().collect();
    let asked: Vec<Version> =
        (first.minor..=last.minor.min(first.minor + 99)).map(|minor| Version::new(first.major, minor)).collect();
    if let Some(unknown) = asked.iter().find(|version| !known.contains(version)) {
        let names: Vec<String> = known.iter().map(Version::to_string).collect();
        let message = format!("{origin}: Kubernetes {unknown} is not known to this version of kplan");
        return Err(CliError::usage(message, format!("known: {}", names.join(", "))));
    }
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_single_or_a_range() {
        assert_eq!(versions_of(&InputArgs::default(), None).unwrap(), [Version::DEFAULT]);
        assert_eq!(versions("v1.36.3", "").unwrap(), [Version::new(1, 36)]);
        assert_eq!(versions("1.36..1.36", "").unwrap(), [Version::new(1, 36)]);
        for wrong in ["1.36..1.35", "1.20", "x", "1.36..1.99", "1.36..9.1"] {
            assert!(versions(wrong, "").is_err(), "{wrong}");
        }
    }
}
