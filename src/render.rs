//! Kustomizations and charts become manifests: `kubectl kustomize` or `kustomize build`, and `helm template`, all at once,
//! without network and plugins, each result kept by the content that it comes from.

mod cache;
mod helm;
mod kustomize;
mod program;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::config::Settings;
use crate::diag::Diagnostic;
use crate::load::{LoadError, Loaded, Root, RootKind, is_manifest_name, normal};
use crate::model::{Rendering, Role, SetId};
use crate::source::{FileId, Source, Span};
use program::{Failure, short};

/// Where the files of a run are: those of a git reference lie in a folder of their own.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    /// What the names of the sources start with; nothing for those of the work tree.
    pub prefix: String,
    /// The folder that stands for the working directory.
    pub home: PathBuf,
}

impl Disk {
    fn path(&self, name: &str) -> PathBuf {
        let path = self.home.join(name.strip_prefix(&self.prefix).unwrap_or(name));
        if path.as_os_str().is_empty() { PathBuf::from(".") } else { path }
    }

    /// A path of a kustomization or kplan.yaml, as the source is named.
    fn name(&self, folder: &str, path: &str) -> String {
        let folder = folder.strip_prefix(&self.prefix).unwrap_or(folder);
        let joined = if folder.is_empty() { normal(path) } else { normal(&format!("{folder}/{path}")) };
        format!("{}{joined}", self.prefix)
    }
}

/// One thing to render.
struct Job<'r> {
    root: &'r Root,
    file: FileId,
    /// For people.
    label: String,
    kind: Kind<'r>,
}

enum Kind<'r> {
    Kustomization(kustomize::Parts),
    Chart(helm::Chart<'r>),
}

/// What a renderer made.
struct Output {
    text: String,
    /// By document, the name of the file it comes from.
    origins: Vec<(Option<String>, crate::model::OriginKind)>,
}

/// Renders what can be rendered, and adds it to the sources; what was not rendered is a diagnostic each.
///
/// # Errors
/// `-k` names a folder without a kustomization.
pub fn run(mut loaded: Loaded, settings: &Settings, disk: &Disk) -> Result<(Loaded, Vec<Diagnostic>), LoadError> {
    if let Some(folder) = &settings.kustomization {
        keep_only(&mut loaded, &disk.name("", folder), folder)?;
    }
    let roots = std::mem::take(&mut loaded.roots);
    let jobs = jobs(&roots, settings, disk);
    let outputs: Vec<Result<Output, Failure>> = jobs.par_iter().map(|job| render(job, settings, disk)).collect();
    let mut made = Made::new(&loaded, disk);
    let mut diagnostics = Vec::new();
    let mut failed = HashSet::new();
    for (job, output) in jobs.iter().zip(outputs) {
        match output {
            Ok(output) => made.add(&mut loaded, job, output),
            Err(failure) => {
                failed.insert(job.root.set);
                diagnostics.push(describe(job, &failure, &made, &loaded));
            }
        }
    }
    loaded.not_rendered = failed.len();
    settle(&mut loaded, &roots, &made, &failed);
    loaded.roots = roots;
    Ok((loaded, diagnostics))
}

/// `-k`: nothing counts but this one kustomization.
fn keep_only(loaded: &mut Loaded, folder: &str, shown: &str) -> Result<(), LoadError> {
    loaded.roots.retain(|root| root.folder == folder && root.kind == RootKind::Kustomization);
    let Some(root) = loaded.roots.first() else {
        return Err(LoadError {
            message: format!("-k {shown}: there is no kustomization.yaml, kustomization.yml or Kustomization"),
            help: "name the folder that holds it, or give the folder as a PATH".to_owned(),
        });
    };
    let set = root.set;
    for (role, own) in loaded.roles.iter_mut().zip(&loaded.sets) {
        if *own != set || *role == Role::Manifest {
            *role = Role::NotJudged;
        }
    }
    loaded.unrendered.retain(|unrendered| *unrendered == set);
    Ok(())
}

/// What is rendered on its own: kustomizations that no other one takes, charts that are in no other chart, each as often
/// as kplan.yaml has values for it.
fn jobs<'r>(roots: &'r [Root], settings: &'r Settings, disk: &Disk) -> Vec<Job<'r>> {
    let mut jobs = Vec::new();
    let kustomizations = roots.iter().filter(|root| root.kind == RootKind::Kustomization);
    let parts: Vec<(&Root, kustomize::Parts)> =
        kustomizations.map(|root| (root, kustomize::parts(&root.folder, disk))).collect();
    let taken: HashSet<String> =
        parts.iter().flat_map(|(root, parts)| parts.folders.iter().filter(|f| **f != root.folder)).cloned().collect();
    for (root, parts) in parts {
        let Some(file) = root.file else { continue };
        if !taken.contains(&root.folder) || parts.is_circular {
            let label = if root.folder.is_empty() { ".".to_owned() } else { root.folder.clone() };
            jobs.push(Job { root, file, label, kind: Kind::Kustomization(parts) });
        }
    }
    let charts: Vec<&Root> = roots.iter().filter(|root| root.kind == RootKind::Chart).collect();
    for root in &charts {
        let is_part = charts.iter().any(|other| {
            let inner = root.folder.strip_prefix(&other.folder);
            inner.is_some_and(|inner| inner.trim_start_matches('/').starts_with("charts/"))
        });
        if let (false, Some(file)) = (is_part, root.file) {
            let charts = helm::charts(&root.folder, settings, disk);
            jobs.extend(charts.into_iter().map(|(label, chart)| Job { root, file, label, kind: Kind::Chart(chart) }));
        }
    }
    jobs
}

fn render(job: &Job<'_>, settings: &Settings, disk: &Disk) -> Result<Output, Failure> {
    match &job.kind {
        Kind::Kustomization(parts) => kustomize::render(&job.root.folder, parts, settings, disk),
        Kind::Chart(chart) => helm::render(chart, settings, disk),
    }
}

/// The sources that rendering adds, and those that it covers.
struct Made<'d> {
    disk: &'d Disk,
    by_name: HashMap<String, FileId>,
    /// By absolute path, once a name is not enough.
    by_path: HashMap<PathBuf, FileId>,
    covered: HashSet<FileId>,
    folders: HashSet<String>,
}

impl<'d> Made<'d> {
    fn new(loaded: &Loaded, disk: &'d Disk) -> Made<'d> {
        let by_name = loaded.sources.iter().map(|(id, source)| (disk.name("", &plain(&source.name, disk)), id));
        Made {
            disk,
            by_name: by_name.collect(),
            by_path: HashMap::new(),
            covered: HashSet::new(),
            folders: HashSet::new(),
        }
    }

    fn add(&mut self, loaded: &mut Loaded, job: &Job<'_>, output: Output) {
        let set = job.root.set;
        let parts: Vec<FileId> = match &job.kind {
            Kind::Kustomization(parts) => {
                self.folders.extend(parts.folders.iter().cloned());
                let files = parts.files.iter().filter(|name| is_manifest_name(Path::new(name)));
                files.filter_map(|name| self.source(loaded, name, set)).collect()
            }
            Kind::Chart(_) => Vec::new(),
        };
        self.covered.extend(&parts);
        let mut origins = Vec::new();
        for (name, kind) in output.origins {
            let file = name.and_then(|name| self.source(loaded, &name, set));
            origins.push(crate::model::Origin { file, kind });
        }
        let file = add(loaded, Source::new(format!("{} (rendered)", job.label), output.text), set, Role::Manifest);
        if let Kind::Chart(chart) = &job.kind
            && let Some(namespace) = chart.namespace()
        {
            loaded.namespaces.insert(file, namespace.to_owned());
        }
        loaded.rendered.push(Rendering { file, root: job.file, label: job.label.clone(), origins, parts });
    }

    /// The source of this name; it is read where the walk did not come by.
    fn source(&mut self, loaded: &mut Loaded, name: &str, set: SetId) -> Option<FileId> {
        if let Some(known) = self.by_name.get(name) {
            return Some(*known);
        }
        if self.by_path.is_empty() {
            let path = |source: &Source| self.disk.path(&source.name).canonicalize().ok();
            self.by_path = loaded.sources.iter().filter_map(|(id, source)| Some((path(source)?, id))).collect();
        }
        let path = self.disk.path(name);
        let absolute = path.canonicalize().ok()?;
        let file = match self.by_path.get(&absolute) {
            Some(known) => *known,
            None => add(loaded, Source::new(name, std::fs::read_to_string(path).ok()?), set, Role::NotJudged),
        };
        self.by_path.insert(absolute, file);
        self.by_name.insert(name.to_owned(), file);
        Some(file)
    }
}

fn plain(name: &str, disk: &Disk) -> String {
    name.strip_prefix(&disk.prefix).unwrap_or(name).to_owned()
}

fn add(loaded: &mut Loaded, source: Source, set: SetId, role: Role) -> FileId {
    loaded.sets.push(set);
    loaded.roles.push(role);
    loaded.explicit.push(false);
    loaded.sources.add(source)
}

/// What was rendered is judged as it came out, and its parts no more.
fn settle(loaded: &mut Loaded, roots: &[Root], made: &Made<'_>, failed: &HashSet<SetId>) {
    let rendered: HashSet<FileId> = loaded.rendered.iter().map(|rendered| rendered.root).collect();
    let is_done = |root: &Root| match root.kind {
        RootKind::Chart => root.file.is_some_and(|file| rendered.contains(&file)),
        _ => made.folders.contains(&root.folder),
    };
    let done: BTreeMap<SetId, RootKind> =
        roots.iter().filter(|root| is_done(root) && !failed.contains(&root.set)).map(|r| (r.set, r.kind)).collect();
    loaded.unrendered.retain(|set| !done.contains_key(set));
    for (index, role) in loaded.roles.iter_mut().enumerate() {
        let chart = done.get(&loaded.sets[index]) == Some(&RootKind::Chart);
        if *role == Role::Unrendered && (chart || made.covered.contains(&FileId(index as u32))) {
            *role = Role::NotJudged;
        }
    }
}

fn describe(job: &Job<'_>, failure: &Failure, made: &Made<'_>, loaded: &Loaded) -> Diagnostic {
    let what = match job.kind {
        Kind::Kustomization(_) => "kustomization",
        Kind::Chart(_) => "chart",
    };
    let (rule, message, help) = match failure {
        Failure::Left { why, help } => ("not-rendered", format!("this {what} was not rendered: {why}"), help.clone()),
        Failure::Failed { program, message, .. } => {
            let help = format!("mend it until `{program}` renders it; applying it would fail in the same way");
            ("render-failed", format!("this {what} does not render: {}", short(message)), help)
        }
    };
    let (file, span) = match failure {
        Failure::Failed { at: Some((name, line)), .. } => made.by_name.get(name).map(|file| {
            let line = loaded.sources.get(*file).line_span(*line);
            (*file, line.unwrap_or_default())
        }),
        _ => None,
    }
    .unwrap_or((job.file, Span::default()));
    Diagnostic::new(rule, file, span, message).help(help)
}
