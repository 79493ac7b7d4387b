//! Settings of a run: `kplan.yaml`, the command line and defaults, resolved.

mod contradictions;
mod file;
mod load;
pub mod presets;
mod problems;
mod quick;
mod schema;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

pub use load::{Config, ConfigError, ConflictEntry, FILE_NAME, end_of_day, parse, rule_dirs, severity, tier};
pub use problems::{Problem, suggest};
pub use schema::schema;

use crate::model::pod::CustomWorkload;
use crate::model::rule::{Severity, Tier};
use crate::model::{PodSecurityDefault, Version};
use crate::source::FileId;

/// Everything that a stage may ask about the run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The Kubernetes version whose rules apply.
    pub kube_version: Version,
    /// The version of the scheduler, where it is another.
    pub scheduler: Option<Version>,
    /// Seconds since 1970; the one time of the run.
    pub now: u64,
    pub tier: Tier,
    /// Findings of this severity and above make the exit code 1.
    pub fail_on: Severity,
    /// Severity per rule id; `None` switches the rule off.
    pub rules: BTreeMap<String, Option<Severity>>,
    pub ignores: Vec<Ignore>,
    /// kplan.yaml among the sources of the bundle, to point at entries of `ignore:` that match nothing.
    pub config_file: Option<FileId>,
    /// Objects that exist outside the set, as `Kind namespace/name` or `Kind name`; `*` matches any part.
    pub assume_exists: Vec<String>,
    /// Namespace of namespaced objects that name none (`-n`).
    pub namespace: String,
    /// Nodes of `nodes:` in kplan.yaml.
    pub nodes: Vec<NodeShape>,
    pub crd_dirs: Vec<PathBuf>,
    /// Folders that are one set each.
    pub stacks: Vec<PathBuf>,
    /// Globs of paths that are not read.
    pub ignore_paths: Vec<String>,
    /// Show secret values instead of masking them.
    pub show_secrets: bool,
    /// Comments and annotations suppress nothing.
    pub no_ignores: bool,
    /// Schedule each pod before the next one exists.
    pub sequential: bool,
    /// How charts are rendered, one entry a run.
    pub charts: Vec<ChartRun>,
    /// How long one rendering may take.
    pub render_timeout: Duration,
    /// What holds for some paths; later ones win.
    pub overrides: Vec<Override>,
    /// Rules that nothing in a manifest can suppress.
    pub locked: BTreeSet<String>,
    /// Other tools whose ignore annotations count.
    pub compat: Vec<String>,
    /// Parameters of rules, by rule and name.
    pub params: BTreeMap<String, BTreeMap<String, serde_json::Value>>,
    /// The one kustomization that counts (`-k`).
    pub kustomization: Option<String>,
    /// Kinds of custom resources whose pods come from a template.
    pub workloads: Vec<CustomWorkload>,
    /// Pod Security levels of namespaces whose labels the manifests do not show.
    pub pod_security: Vec<PodSecurityDefault>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            kube_version: Version::DEFAULT,
            scheduler: None,
            now: 0,
            tier: Tier::Default,
            fail_on: Severity::Error,
            rules: BTreeMap::new(),
            ignores: Vec::new(),
            config_file: None,
            assume_exists: Vec::new(),
            namespace: "default".to_owned(),
            nodes: Vec::new(),
            crd_dirs: Vec::new(),
            stacks: Vec::new(),
            ignore_paths: Vec::new(),
            show_secrets: false,
            no_ignores: false,
            sequential: false,
            charts: Vec::new(),
            render_timeout: RENDER_TIMEOUT,
            overrides: Vec::new(),
            locked: BTreeSet::new(),
            compat: Vec::new(),
            params: BTreeMap::new(),
            kustomization: None,
            workloads: Vec::new(),
            pod_security: Vec::new(),
        }
    }
}

/// How long one rendering may take where kplan.yaml says nothing.
const RENDER_TIMEOUT: Duration = Duration::from_secs(60);

/// One run of `helm template`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChartRun {
    /// The chart's folder, from the folder where kplan runs.
    pub path: PathBuf,
    pub release: Option<String>,
    pub namespace: Option<String>,
    /// Files with values, from the folder where kplan runs; later ones win.
    pub values: Vec<PathBuf>,
    /// Single values, as for `--set`.
    pub set: BTreeMap<String, String>,
}

/// What holds for some paths in the place of the rest of the settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Override {
    /// Globs over the path of the file, which also match behind any folder.
    pub paths: Vec<String>,
    pub rules: BTreeMap<String, Option<Severity>>,
    pub tier: Option<Tier>,
}

/// One entry of `ignore:` in kplan.yaml.
#[derive(Clone, Debug, Default)]
pub struct Ignore {
    pub rule: String,
    /// Glob over the file's path; empty for all.
    pub path: String,
    /// `Kind namespace/name` with `*`; empty for all.
    pub object: String,
    /// Name of the container; empty for all.
    pub container: String,
    pub reason: String,
    /// Its last day is over.
    pub expired: bool,
    /// Line of kplan.yaml, to report it when unused.
    pub line: u32,
}

/// A node, or `count` nodes, in the short form of kplan.yaml.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeShape {
    pub name: String,
    pub count: u32,
    pub cpu: String,
    pub memory: String,
    pub pods: u32,
    pub labels: BTreeMap<String, String>,
    /// `key=value:Effect` or `key:Effect`.
    pub taints: Vec<String>,
    pub zone: Option<String>,
}
