//! `helm template`, once for each set of values.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::cache::Key;
use super::program::{Failure, Program, Scratch};
use super::{Disk, Output};
use crate::config::{ChartRun, Settings};
use crate::load::normal;
use crate::model::OriginKind;
use crate::source::SourceText;
use crate::yaml;

/// One run of `helm template`.
pub(super) struct Chart<'s> {
    folder: String,
    /// `name` of its Chart.yaml.
    name: String,
    /// What kplan.yaml says of it, if it does.
    run: Option<&'s ChartRun>,
}

impl Chart<'_> {
    pub(super) fn namespace(&self) -> Option<&str> {
        self.run.and_then(|run| run.namespace.as_deref())
    }
}

/// The runs of a chart with their names for people; none for a library, which renders to nothing.
pub(super) fn charts<'s>(folder: &str, settings: &'s Settings, disk: &Disk) -> Vec<(String, Chart<'s>)> {
    let text = std::fs::read_to_string(disk.path(&disk.name(folder, "Chart.yaml"))).unwrap_or_default();
    let file = yaml::read(&SourceText::from(text));
    let root = file.documents.first().and_then(|document| document.root).map(|root| file.tree.view(root));
    let text = |key: &str| root.and_then(|root| root.get_str(key)).unwrap_or_default().to_owned();
    if text("type") == "library" {
        return Vec::new();
    }
    let plain = folder.strip_prefix(&disk.prefix).unwrap_or(folder);
    let label = if plain.is_empty() { "." } else { plain };
    let make = |run| Chart { folder: folder.to_owned(), name: text("name"), run };
    let own = settings.charts.iter().filter(|run| normal(&run.path.to_string_lossy()) == plain);
    let mut found: Vec<(String, Chart<'s>)> = own.map(|run| (title(label, run), make(Some(run)))).collect();
    if found.is_empty() {
        found.push((label.to_owned(), make(None)));
    }
    found
}

/// `charts/web with prod.yaml, image=nginx`
fn title(label: &str, run: &ChartRun) -> String {
    let files = run.values.iter().map(|file| file.display().to_string());
    let all: Vec<String> = files.chain(run.set.iter().map(|(key, value)| format!("{key}={value}"))).collect();
    if all.is_empty() { label.to_owned() } else { format!("{label} with {}", all.join(", ")) }
}

pub(super) fn render(chart: &Chart<'_>, settings: &Settings, disk: &Disk) -> Result<Output, Failure> {
    let Some(program) = Program::find("helm") else {
        return Err(Failure::Left {
            why: "helm was not found".to_owned(),
            help: "install it, or render the chart with `helm template` elsewhere and check the output".to_owned(),
        });
    };
    let scratch = Scratch::new()?;
    let arguments = arguments(chart, settings, disk);
    let mut key = Key::new(&program.identity());
    arguments.iter().for_each(|argument| key.add(argument.as_encoded_bytes()));
    let folder = disk.path(&chart.folder);
    for path in below(&folder) {
        key.add_file(&path.strip_prefix(&folder).unwrap_or(&path).to_string_lossy(), &path);
    }
    for values in chart.run.iter().flat_map(|run| &run.values) {
        key.add_file("", &disk.path(&disk.name("", &values.to_string_lossy())));
    }
    let text = match key.read() {
        Some(text) => text,
        None => {
            let text = program.run(&arguments, &scratch.0, settings.render_timeout);
            let text = text.map_err(|failure| explain(failure, chart))?;
            key.write(&text);
            text
        }
    };
    let origins = origins(&text, chart);
    Ok(Output { text, origins })
}

fn arguments(chart: &Chart<'_>, settings: &Settings, disk: &Disk) -> Vec<OsString> {
    let absolute = |path: PathBuf| path.canonicalize().or_else(|_| std::path::absolute(&path)).unwrap_or(path);
    let run = chart.run;
    let release = run.and_then(|run| run.release.as_deref()).unwrap_or(&chart.name);
    let namespace = chart.namespace().unwrap_or(&settings.namespace);
    let mut arguments: Vec<OsString> = vec!["template".into(), release.into()];
    arguments.push(absolute(disk.path(&chart.folder)).into());
    arguments.extend(["--include-crds".into(), "--skip-tests".into(), "--namespace".into(), namespace.into()]);
    arguments.extend(["--kube-version".into(), format!("v{}.0", settings.kube_version).into()]);
    for values in run.iter().flat_map(|run| &run.values) {
        arguments.push("--values".into());
        arguments.push(absolute(disk.path(&disk.name("", &values.to_string_lossy()))).into());
    }
    for (key, value) in run.map(|run| &run.set).unwrap_or(&BTreeMap::new()) {
        arguments.extend(["--set".into(), format!("{key}={value}").into()]);
    }
    arguments
}

/// Files below a folder, links not followed, in the order of their names.
fn below(folder: &Path) -> Vec<PathBuf> {
    let walk = ignore::WalkBuilder::new(folder).standard_filters(false).sort_by_file_name(std::ffi::OsStr::cmp).build();
    walk.filter_map(Result::ok).map(ignore::DirEntry::into_path).filter(|path| path.is_file()).collect()
}

/// A chart that asks for values and gets none is not wrong; else the file that helm names is.
fn explain(failure: Failure, chart: &Chart<'_>) -> Failure {
    let Failure::Failed { message, .. } = failure else { return failure };
    if chart.run.is_none() && (message.contains("execution error at") || message.contains("values don't meet")) {
        return Failure::Left {
            why: format!("it wants values that it does not have itself: {message}"),
            help: "name files with values under `charts:` in kplan.yaml".to_owned(),
        };
    }
    if message.contains("missing in charts/ directory") {
        return Failure::Left {
            why: message,
            help: "run `helm dependency build` before; kplan fetches nothing".to_owned(),
        };
    }
    let at = place(&message, chart);
    Failure::Failed { program: "helm template".to_owned(), message, at }
}

/// `web/templates/a.yaml:4:12` among helm's words, as the name of the file and the line.
fn place(message: &str, chart: &Chart<'_>) -> Option<(String, u32)> {
    let start = format!("{}/", chart.name);
    let words = message.split([' ', '(', ')', '"', '<', '>']);
    let word = words.into_iter().find(|word| word.starts_with(&start) && word.contains("templates/"))?;
    let mut parts = word.split(':');
    let name = source_name(parts.next()?, chart);
    Some((name, parts.next().and_then(|line| line.parse().ok()).unwrap_or(1)))
}

/// `web/templates/a.yaml`, or a part of a chart within: helm starts with the chart's name, the source with its folder.
fn source_name(path: &str, chart: &Chart<'_>) -> String {
    let inner = path.split_once('/').map_or(path, |(_, inner)| inner);
    if chart.folder.is_empty() { inner.to_owned() } else { format!("{}/{inner}", chart.folder) }
}

/// By document, the template that helm names in `# Source:`.
fn origins(text: &str, chart: &Chart<'_>) -> Vec<(Option<String>, OriginKind)> {
    let mut origins = Vec::new();
    for document in format!("\n{text}").split("\n---") {
        if document.trim().is_empty() {
            continue;
        }
        let source = document.lines().find_map(|line| line.strip_prefix("# Source: "));
        let name = source.map(|path| source_name(path.trim(), chart));
        let is_crd = name.as_ref().is_some_and(|name| name.contains("/crds/"));
        origins.push((name, if is_crd { OriginKind::Manifest } else { OriginKind::Template }));
    }
    origins
}
