//! The command line as it is typed. What it means is settled in [`super::options`].

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// terraform plan for Kubernetes: says before anything is applied whether the cluster will take it, whether it will
/// run, and what changes
#[derive(Debug, Parser)]
#[command(name = "kplan", version, max_term_width = 100)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub terms: Terms,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Say what is wrong with manifests: will the cluster take them, will they run, are they any good
    Check(CheckArgs),
    /// Place every pod on the nodes, as kube-scheduler would
    Simulate(SimulateArgs),
    /// Show what differs from a base, object by object and field by field
    Diff(DiffArgs),
    /// Show what would change, in which order, with which risk, and where the pods land
    Plan(PlanArgs),
    /// Do what the plan says, and wait until it is done
    Apply(ApplyArgs),
    /// Print objects decoded and canonical
    Show(ShowArgs),
    /// Print the page of a rule
    Explain(ExplainArgs),
    /// List the rules
    Rules(RulesArgs),
    /// Save the state of a cluster to a file, without secret values
    Snapshot(SnapshotArgs),
    /// Write a kplan.yaml to start from
    Init(InitArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Print the resolved settings
    Config(ConfigArgs),
}

/// How much is said, and how it looks.
#[derive(Debug, Args)]
pub(super) struct Terms {
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", help_heading = "Terminal")]
    pub color: Color,
    /// Say more: hidden fields, how long it took; repeat for more
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Terminal")]
    pub verbose: u8,
    /// No progress and no notes on stderr
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Terminal")]
    pub quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    Always,
    Never,
}

/// What is read.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct InputArgs {
    /// Files, directories (with everything below them) or - for standard input
    #[arg(value_name = "PATH")]
    pub paths: Vec<String>,
    /// The same as PATH, as in kubectl
    #[arg(short, long = "filename", value_name = "PATH")]
    pub filenames: Vec<String>,
    /// A kustomization directory
    #[arg(short, long, value_name = "DIR", conflicts_with_all = ["filenames", "paths"])]
    pub kustomize: Option<String>,
    /// Accepted as in kubectl; directories are always read with everything below them
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// Namespace of objects that name none
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Report on objects with these labels only, as app=web,tier!=db
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub selector: Option<String>,
    /// Directory with CustomResourceDefinitions; can be given several times
    #[arg(long = "crd-dir", value_name = "DIR")]
    pub crd_dirs: Vec<PathBuf>,
    /// Kubernetes version whose rules apply, or a range as 1.34..1.36
    #[arg(long, value_name = "VERSION")]
    pub kube_version: Option<String>,
    /// No objects found is fine
    #[arg(long)]
    pub allow_empty: bool,
    /// A kustomization or chart that is not rendered is an error
    #[arg(long)]
    pub require_render: bool,
}

/// The live cluster.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub(super) struct ClusterArgs {
    /// Context of the kubeconfig
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The kubeconfig; else $KUBECONFIG, else ~/.kube/config
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// How long one request may take, as 30s or 2m
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub request_timeout: Duration,
}

/// Reads `30s`, `2m`, `1h30m`, `500ms`; a bare number is seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        let (number, unit) = rest.split_at(digits);
        let end = unit.find(|letter: char| letter.is_ascii_digit()).unwrap_or(unit.len());
        let (unit, next) = unit.split_at(end);
        let number: u64 = number.parse().map_err(|_| "write it as 30s, 2m or 1h30m".to_owned())?;
        let seconds = match unit {
            "ms" => Some(Duration::from_millis(number)),
            "" | "s" => Some(Duration::from_secs(number)),
            "m" => number.checked_mul(60).map(Duration::from_secs),
            "h" => number.checked_mul(3600).map(Duration::from_secs),
            _ => None,
        };
        total = seconds.and_then(|seconds| total.checked_add(seconds)).ok_or("write it as 30s, 2m or 1h30m")?;
        rest = next;
    }
    // A day is longer than anything that is waited for.
    if total.is_zero() || total > Duration::from_secs(86_400) {
        return Err("it must be longer than nothing and at most 24h".to_owned());
    }
    Ok(total)
}

/// What is judged, and how it is reported.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct ReportArgs {
    /// Format, to stdout or to a file: human, concise, json, jsonl, sarif, junit, github, gitlab, markdown,
    /// html; can be given several times
    #[arg(short, long = "output", value_name = "FORMAT[=FILE]")]
    pub outputs: Vec<String>,
    /// Findings of this severity and above make the exit code 1
    #[arg(long, value_name = "SEVERITY", value_parser = ["error", "warning", "info"])]
    pub fail_on: Option<String>,
    /// Which rules run
    #[arg(long, value_name = "TIER", value_parser = ["default", "recommended", "strict"])]
    pub tier: Option<String>,
    /// Report on the PATHs only, but look at everything under the root of the config or of git
    #[arg(long)]
    pub focus: bool,
    /// Comments and annotations in manifests suppress nothing
    #[arg(long)]
    pub no_ignores: bool,
    /// Show the values of Secrets
    #[arg(long)]
    pub show_secrets: bool,
    /// Findings listed in this file do not count
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
}

/// The nodes that pods are placed on.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct NodeArgs {
    /// File with Node objects, or with `nodes:` as in kplan.yaml
    #[arg(long, value_name = "FILE")]
    pub nodes: Option<PathBuf>,
    /// Snapshot of a cluster
    #[arg(long, value_name = "FILE")]
    pub snapshot: Option<PathBuf>,
    /// KubeSchedulerConfiguration of the cluster's scheduler; without it, it runs as it comes
    #[arg(long, value_name = "FILE")]
    pub scheduler_config: Option<PathBuf>,
    /// Schedule each pod before the next one exists, in input order
    #[arg(long)]
    pub sequential: bool,
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    pub input: InputArgs,
    #[command(flatten)]
    pub report: ReportArgs,
    #[command(flatten)]
    pub nodes: NodeArgs,
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Mend what can be mended safely, in the files
    #[arg(long)]
    pub fix: bool,
    /// With --fix: mend also where it changes what the manifest means
    #[arg(long = "unsafe", requires = "fix")]
    pub with_unsafe: bool,
    /// With --fix: print the changes instead of writing them
    #[arg(long, requires = "fix")]
    pub diff: bool,
    /// Write the findings of this run to a baseline file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["fix", "baseline"])]
    pub write_baseline: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct SimulateArgs {
    #[command(flatten)]
    pub input: InputArgs,
    #[command(flatten)]
    pub report: ReportArgs,
    #[command(flatten)]
    pub nodes: NodeArgs,
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    #[command(flatten)]
    pub input: InputArgs,
    #[command(flatten)]
    pub report: ReportArgs,
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// What to compare with: cluster, empty, dir:PATH, git:REF, snapshot:FILE, or a bare path or git reference
    #[arg(long, value_name = "BASE")]
    pub base: Option<String>,
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// Exit with 1 where there are changes
    #[arg(long)]
    pub exit_code: bool,
}

#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    #[command(flatten)]
    pub compare: CompareArgs,
    /// Compare this instead of the files in PATH: dir:PATH, git:REF (of the PATHs there), snapshot:FILE or cluster
    #[arg(long, value_name = "BASE")]
    pub of: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    pub compare: CompareArgs,
    #[command(flatten)]
    pub nodes: NodeArgs,
    /// Save the plan for apply
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    #[command(flatten)]
    pub input: InputArgs,
    #[command(flatten)]
    pub report: ReportArgs,
    #[command(flatten)]
    pub nodes: NodeArgs,
    #[command(flatten)]
    pub cluster: ClusterArgs,
    #[command(flatten)]
    pub wait: WaitArgs,
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// Do not ask
    #[arg(short = 'y', long)]
    pub yes: bool,
}

/// What may be done where others are concerned.
#[derive(Debug, Args)]
#[command(next_help_heading = "Ownership")]
pub(super) struct PolicyArgs {
    /// What becomes of fields that other managers own, where kplan.yaml says nothing of them
    #[arg(long, value_name = "WHAT", value_parser = ["fail", "leave", "force"], default_value = "fail")]
    pub conflicts: String,
    /// Take fields that other managers own
    #[arg(long, conflicts_with = "conflicts")]
    pub force_conflicts: bool,
    /// Make the fields of another manager kplan's (helm, kapp, kustomize-controller, …; `*` for any part of a name)
    #[arg(long, value_name = "MANAGER", value_delimiter = ',')]
    pub take_over: Vec<String>,
    /// Apply the objects as this ApplySet, as kubectl does: NAME of a Secret, configmap/NAME, or RESOURCE.GROUP/NAME
    #[arg(long, value_name = "PARENT")]
    pub applyset: Option<String>,
    /// Kinds that may be deleted and created again where nothing else helps
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub allow_replace: Vec<String>,
}

/// How long apply waits, and for what.
#[derive(Debug, Args)]
#[command(next_help_heading = "Waiting")]
pub(super) struct WaitArgs {
    /// Wait until the changed objects are ready
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true", require_equals = true, action = clap::ArgAction::Set)]
    pub wait: bool,
    /// How long one object may take
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    pub timeout: Duration,
    /// How long everything may take
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = duration)]
    pub total_timeout: Duration,
    /// How long a pod may fail to pull its image, crash or lack its configuration before it counts as failed
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub trouble_timeout: Duration,
    /// How long a pod may find no node before it counts as failed; a cluster autoscaler needs time
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = duration)]
    pub unschedulable_timeout: Duration,
    /// Services of type LoadBalancer and Ingresses are ready only with their address
    #[arg(long)]
    pub wait_for_load_balancer: bool,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    pub input: InputArgs,
    /// Any YAML as kubectl's reader has it: a line of JSON for each document
    #[arg(long, conflicts_with_all = ["defaults", "to", "output"])]
    pub raw: bool,
    /// Fill in the defaults of the API server
    #[arg(long)]
    pub defaults: bool,
    /// Convert to this API version
    #[arg(long, value_name = "VERSION")]
    pub to: Option<String>,
    /// YAML documents, or one List in JSON
    #[arg(short, long, value_name = "FORMAT", value_parser = ["yaml", "json"])]
    pub output: Option<String>,
    /// Show the values of Secrets
    #[arg(long)]
    pub show_secrets: bool,
}

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// Id of the rule
    pub id: String,
}

#[derive(Debug, Args)]
pub(super) struct RulesArgs {
    #[command(subcommand)]
    pub action: Option<RulesAction>,
    /// A table, or JSON
    #[arg(short, long, value_name = "FORMAT", value_parser = ["human", "json"], default_value = "human")]
    pub output: String,
}

#[derive(Debug, Subcommand)]
pub(super) enum RulesAction {
    /// Run the fixtures of your own rules: in fail.yaml each bad line ends in `# SEVERITY: ID`, pass.yaml has none
    Test(RulesTestArgs),
}

#[derive(Debug, Args)]
pub(super) struct RulesTestArgs {
    /// Folders with rules; else `ruleDirs:` of kplan.yaml
    #[arg(value_name = "DIR")]
    pub folders: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct SnapshotArgs {
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Where to write it; else to stdout
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// Where to write it
    #[arg(value_name = "DIR", default_value = ".")]
    pub directory: PathBuf,
    /// Take over the settings of kube-linter, polaris or kube-score
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    /// Whose settings
    #[arg(value_name = "PATH", default_value = ".")]
    pub path: PathBuf,
    /// Print the JSON Schema of kplan.yaml instead
    #[arg(long)]
    pub schema: bool,
}
