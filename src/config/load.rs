//! What a `kplan.yaml` says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::{self, File, IgnoreEntry, Ignores, OverrideEntry, RuleEntry, RuleOptions};
use super::problems::{self, Problem};
use super::values::{Amount, Text};
use super::{ChartRun, Ignore, NodeShape, Override, Settings};
use crate::model::PodSecurityDefault;
use crate::model::pod::{CustomWorkload, TemplatePlace};
use crate::model::rule::{Rule, Severity, Tier};
use crate::source::{Source, SourceText, Span};
use crate::yaml::{self, View};

/// Name of the file that is looked for.
pub const FILE_NAME: &str = "kplan.yaml";

/// Pods per node where kplan.yaml gives no number: the kubelet's default for `maxPods`.
const DEFAULT_PODS: u32 = 110;

/// What one `kplan.yaml` says; absent keys leave the settings as they are.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// As the report shows it.
    pub name: String,
    pub text: SourceText,
    /// The line of each key.
    pub lines: BTreeMap<String, u32>,
    /// A version or a range.
    pub kube_version: Option<String>,
    /// Line and column of that version.
    pub kube_version_at: (u32, u32),
    pub tier: Option<Tier>,
    pub fail_on: Option<Severity>,
    pub rules: BTreeMap<String, Option<Severity>>,
    pub ignores: Vec<Ignore>,
    /// Day on which an ignore ends, by its index; seconds since 1970.
    pub expires: BTreeMap<usize, u64>,
    pub ignore_paths: Vec<String>,
    pub assume_exists: Vec<String>,
    pub nodes: Vec<NodeShape>,
    /// From the folder where kplan runs.
    pub stacks: Vec<PathBuf>,
    /// From the folder where kplan runs.
    pub crd_dirs: Vec<PathBuf>,
    pub contexts: Vec<String>,
    pub charts: Vec<ChartRun>,
    /// Folders with rules of the user, from the folder where kplan runs.
    pub rule_dirs: Vec<PathBuf>,
    pub overrides: Vec<Override>,
    pub locked: BTreeSet<String>,
    pub compat: Vec<String>,
    pub params: BTreeMap<String, BTreeMap<String, serde_json::Value>>,
    pub render_timeout: Option<Duration>,
    /// What becomes of fields that other managers own; the first that fits counts.
    pub conflicts: Vec<ConflictEntry>,
    /// Kinds of custom resources whose pods come from a template.
    pub workloads: Vec<CustomWorkload>,
    /// Pod Security levels of namespaces whose labels the manifests do not show.
    pub pod_security: Vec<PodSecurityDefault>,
    /// Folders that have to be there as they are written, each with its line and column.
    pub folders: Vec<(String, u32, u32)>,
    pub apply_set: Option<ApplySetEntry>,
}

/// `applySet:`: the parent of the ApplySet that the objects are applied as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplySetEntry {
    /// `[RESOURCE[.GROUP]/]NAME`.
    pub parent: String,
    pub namespace: Option<String>,
}

/// One entry of `conflicts:`; `*` in a text stands for any part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConflictEntry {
    pub kind: String,
    pub path: String,
    pub manager: String,
    /// `fail`, `leave` or `force`.
    pub action: String,
}

/// Why a `kplan.yaml` cannot be used; all problems, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    pub file: String,
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let newline = if index > 0 { "\n" } else { "" };
            write!(f, "{newline}{}:{}:{}: {}", self.file, problem.line, problem.column, problem.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Reads the text of a `kplan.yaml`; paths in it are taken from `folder`, ids of rules must be among `rules`.
///
/// # Errors
/// It is no YAML, or holds what the schema does not allow.
pub fn parse(name: &str, text: &str, folder: &Path, rules: &[&Rule]) -> Result<Config, ConfigError> {
    let text = SourceText::from(text);
    let file = yaml::read(&text);
    let (read, problems) = problems::find(&file, &text, rules);
    let (Some(read), true) = (read, problems.is_empty()) else {
        return Err(ConfigError { file: name.to_owned(), problems });
    };
    let mut config = Config { name: name.to_owned(), text: text.clone(), ..Config::default() };
    let root = file.documents.first().and_then(|document| document.root).map(|root| file.tree.view(root));
    read_as_written(&mut config, root, &read);
    settle(&mut config, read, folder);
    switch_on(&mut config, rules);
    Ok(config)
}

/// Folders with rules that a `kplan.yaml` names; read before the rest, which may name those rules.
pub fn rule_dirs(text: &str, folder: &Path) -> Vec<PathBuf> {
    let file = yaml::read(&SourceText::from(text));
    let root = file.documents.first().and_then(|document| document.root).map(|root| file.tree.view(root));
    root.into_iter().flat_map(|root| root.list("ruleDirs")).filter_map(View::str).map(|dir| folder.join(dir)).collect()
}

/// What the types do not tell: lines, and numbers as they are written, `1.30` as `1.30`.
fn read_as_written(config: &mut Config, root: Option<View<'_>>, file: &File) {
    let Some(root) = root else { return };
    let source = Source::new("", config.text.clone());
    let line = |span: Span| source.line_column(span.start).line;
    config.lines = root.entries().map(|(key, span, _)| (key.to_owned(), line(span))).collect();
    if let Some(version) = root.get("kubeVersion").filter(|_| file.kube_version.is_some()) {
        let place = source.line_column(version.span().start);
        config.kube_version = Some(plain(version));
        config.kube_version_at = (place.line, place.column);
    }
    let ignores = root.get("ignore").into_iter().flat_map(|ignore| ignore.items().chain(ignore.list("findings")));
    let rules = ignores.filter_map(|entry| entry.get("rule")).filter(|rule| !rule.is_null());
    config.ignores = rules.map(|rule| Ignore { line: line(rule.span()), ..Ignore::default() }).collect();
    let charts = root.list("charts").filter_map(|chart| chart.get("path"));
    let folders = root.list("stacks").chain(root.list("crdDirs")).chain(charts);
    config.folders = folders
        .filter_map(|folder| {
            let place = source.line_column(folder.span().start);
            Some((folder.str()?.to_owned(), place.line, place.column))
        })
        .collect();
    let sets = root.list("charts").map(|chart| chart.map("set").map(|(key, value)| (key.to_owned(), plain(value))));
    config.charts = sets.map(|set| ChartRun { set: set.collect(), ..ChartRun::default() }).collect();
}

fn settle(config: &mut Config, file: File, folder: &Path) {
    let texts = |texts: Vec<Text>| -> Vec<String> { texts.into_iter().map(|text| text.0).collect() };
    let paths = |paths: &[Text]| -> Vec<PathBuf> { paths.iter().map(|path| folder.join(&path.0)).collect() };
    config.tier = file.tier.map(Tier::from);
    config.fail_on = file.fail_on.map(Severity::from);
    config.stacks = paths(&file.stacks);
    config.crd_dirs = paths(&file.crd_dirs);
    config.rule_dirs = paths(&file.rule_dirs);
    config.assume_exists = texts(file.assume_exists);
    config.contexts = texts(file.contexts);
    config.compat = file.compat.into_iter().map(|tool| tool.name().to_owned()).collect();
    config.overrides = file.overrides.into_iter().map(override_of).collect();
    config.nodes = file.nodes.into_iter().map(node).collect();
    config.render_timeout = file.render_timeout.map(|seconds| seconds.0).filter(|timeout| !timeout.is_zero());
    config.conflicts = file.conflicts.into_iter().map(conflict).collect();
    config.apply_set = file
        .apply_set
        .map(|entry| ApplySetEntry { parent: entry.parent.0, namespace: entry.namespace.map(|text| text.0) });
    config.workloads = file.workloads.into_iter().map(workload).collect();
    config.pod_security = file.pod_security.into_iter().map(PodSecurityDefault::from).collect();
    for (run, chart) in config.charts.iter_mut().zip(file.charts) {
        run.path = folder.join(chart.path.0);
        run.release = chart.release.map(|text| text.0);
        run.namespace = chart.namespace.map(|text| text.0);
        run.values = paths(&chart.values);
    }
    for (id, entry) in file.rules {
        let options = match entry {
            RuleEntry::Level(severity) => RuleOptions { severity: Some(severity), ..RuleOptions::default() },
            RuleEntry::Options(options) => options,
        };
        config.rules.extend(options.severity.map(|severity| (id.clone(), severity.0)));
        config.locked.extend(options.locked.then(|| id.clone()));
        config.params.extend((!options.params.is_empty()).then_some((id, options.params)));
    }
    let (entries, paths) = match file.ignore {
        Ignores::List(entries) => (entries, Vec::new()),
        Ignores::Map(map) => (map.findings, map.paths),
    };
    config.ignore_paths = texts(paths);
    let mut place = 0;
    for entry in entries {
        config.ignore_paths.extend(entry.paths.into_iter().map(|path| path.0));
        let Some(rule) = entry.rule else { continue };
        config.expires.extend(entry.expires.map(|day| (place, day.0)));
        if let Some(ignore) = config.ignores.get_mut(place) {
            let IgnoreEntry { path, object, container, reason, .. } = entry;
            *ignore = Ignore { rule: rule.0, path, object, container, reason, expired: false, line: ignore.line };
        }
        place += 1;
    }
}

/// A rule that finds nothing without parameters is on when one is given and no severity says otherwise.
fn switch_on(config: &mut Config, rules: &[&Rule]) {
    for rule in rules {
        let given = config.params.get(rule.id).filter(|_| !config.rules.contains_key(rule.id));
        if given.is_some_and(|given| rule.needed_params().iter().any(|name| given.contains_key(name))) {
            config.rules.insert(rule.id.to_owned(), Some(rule.severity));
        }
    }
}

fn override_of(entry: OverrideEntry) -> Override {
    Override {
        paths: entry.paths.into_iter().map(|path| path.0).collect(),
        rules: entry.rules.into_iter().map(|(id, severity)| (id, severity.0)).collect(),
        tier: entry.tier.map(Tier::from),
    }
}

fn conflict(entry: file::Conflict) -> ConflictEntry {
    ConflictEntry {
        kind: entry.kind.0,
        path: entry.path.0,
        manager: entry.manager.0,
        action: entry.action.name().to_owned(),
    }
}

fn workload(entry: file::WorkloadEntry) -> CustomWorkload {
    let group = entry.api_version.0.split_once('/').map_or("", |(group, _)| group).to_owned();
    CustomWorkload { group, kind: entry.kind.0, place: TemplatePlace::at(&entry.template.0) }
}

fn node(node: file::Node) -> NodeShape {
    let amount = |amount: Option<Amount>| amount.map(Amount::text).unwrap_or_default();
    let mut shape = NodeShape {
        name: node.name.0,
        count: node.count.0,
        cpu: amount(node.cpu),
        memory: amount(node.memory),
        pods: node.pods.unwrap_or(DEFAULT_PODS),
        labels: node.labels,
        taints: node.taints.into_iter().map(|taint| taint.0).collect(),
        zone: node.zone,
    };
    if let Some(preset) = node.preset {
        preset.fill(&mut shape, node.pods);
    }
    shape
}

/// A text as it is, a number as it is written: `1.30` stays `1.30`.
fn plain(view: View<'_>) -> String {
    view.str().unwrap_or_else(|| view.written()).to_owned()
}

/// The tier of a name.
pub fn tier(name: &str) -> Option<Tier> {
    [Tier::Default, Tier::Recommended, Tier::Strict].into_iter().find(|tier| tier.name() == name)
}

/// The severity of a name; `None` for `off`.
pub fn severity(name: &str) -> Option<Severity> {
    [Severity::Error, Severity::Warning, Severity::Info].into_iter().find(|severity| severity.name() == name)
}

/// Seconds since 1970 at the end of a day `2026-12-31`; the calendar is Howard Hinnant's `days_from_civil`.
pub fn end_of_day(day: &str) -> Option<u64> {
    let mut parts = day.split('-').map(str::parse::<i64>);
    let (year, month, day) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    u64::try_from((days + 1) * 86_400).ok()
}

impl Config {
    /// Puts what the file says into the settings.
    pub fn apply(&self, settings: &mut Settings) {
        settings.tier = self.tier.unwrap_or(settings.tier);
        settings.fail_on = self.fail_on.unwrap_or(settings.fail_on);
        settings.rules.extend(self.rules.clone());
        settings.ignore_paths.extend(self.ignore_paths.iter().cloned());
        settings.assume_exists.extend(self.assume_exists.iter().cloned());
        settings.stacks.extend(self.stacks.iter().cloned());
        settings.crd_dirs.extend(self.crd_dirs.iter().cloned());
        settings.nodes = self.nodes.clone();
        settings.charts = self.charts.clone();
        settings.workloads = self.workloads.clone();
        settings.pod_security = self.pod_security.clone();
        settings.params = self.params.clone();
        settings.locked = self.locked.clone();
        settings.overrides = self.overrides.clone();
        settings.compat = self.compat.clone();
        settings.render_timeout = self.render_timeout.unwrap_or(settings.render_timeout);
        for (index, ignore) in self.ignores.iter().enumerate() {
            let expired = self.expires.get(&index).is_some_and(|end| *end <= settings.now);
            settings.ignores.push(Ignore { expired, ..ignore.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Config, String> {
        parse("kplan.yaml", text, Path::new("a"), &crate::lint::catalog::RULES.iter().collect::<Vec<_>>()).map_err(
            |error| {
                let helps = error.problems.iter().map(|problem| format!(" [{}]", problem.help)).collect::<String>();
                format!("{error}{helps}")
            },
        )
    }

    #[test]
    fn settings_come_from_the_file() {
        let text = "kubeVersion: 1.30\nfailOn: warning\nrules:\n  image-tag-mutable: off\n  probes-identical: {severity: error}\n\
            ignore:\n- rule: api-removed\n  reason: old\n  expires: 1970-01-02\n- paths: [x/**]\n- {rule: hpa-target-missing}\n\
            nodes:\n- {name: big, count: 3, cpu: 2, memory: 8Gi, taints: ['a=b:NoSchedule']}\nstacks: [s]\n";
        let config = read_text(text).unwrap();
        assert_eq!(config.kube_version.as_deref(), Some("1.30"));
        assert_eq!(config.rules["image-tag-mutable"], None);
        assert_eq!(config.rules["probes-identical"], Some(Severity::Error));
        assert_eq!((config.nodes[0].cpu.as_str(), config.nodes[0].pods, config.nodes[0].count), ("2", 110, 3));
        assert_eq!(config.stacks, [PathBuf::from("a/s")]);
        let mut settings = Settings { now: 2 * 86_400, ..Settings::default() };
        config.apply(&mut settings);
        assert_eq!(
            settings.ignores.iter().map(|ignore| (ignore.expired, ignore.line)).collect::<Vec<_>>(),
            [(true, 7), (false, 11)]
        );
        assert_eq!(settings.ignore_paths, ["x/**"]);
        assert!(read_text("").is_ok());
    }

    #[test]
    fn problems_have_a_place_and_a_remedy() {
        let cases = [
            ("a: 1\nkubeVerison: 1\n", "kplan.yaml:2:1: unknown key `kubeVerison`"),
            ("kubeVerison: 1\n", "did you mean `kubeVersion`?"),
            (
                "nodes:\n- name: a\n  cpu: 1\n  memory: 1Gi\n  taint: []\n",
                "kplan.yaml:5:3: unknown key `taint` [did you mean `taints`?]",
            ),
            ("failOn: eror\n", "kplan.yaml:1:9: `eror` is not allowed here [write one of error, warning, info]"),
            ("tier: [a]\n", "kplan.yaml:1:7: a list is not allowed here"),
            (
                "rules:\n  image-tag-mutabel: off\n",
                "kplan.yaml:2:3: `image-tag-mutabel` is no rule of kplan [did you mean `image-tag-mutable`?",
            ),
            ("rules: {image-tag-mutable: loud}\n", "write one of error, warning, info, off"),
            ("nodes:\n- cpu: 1\n", "kplan.yaml:2:3: `name` is missing"),
            ("tier: a: b\n", "kplan.yaml:1:8: mapping values are not allowed in this context"),
            ("tier: strict\ntier: strict\n", "kplan.yaml:2:1: `tier` stands twice"),
            ("- a\n", "kplan.yaml:1:1: a list is not allowed here [write keys and values"),
            ("nodes: [{name: a, cpu: 1, memory: 1Gi, taints: ['a:No']}]\n", "`a:No` is not written as it should be"),
            ("ignore: [{rule: x-y}]\n", "`x-y` is no rule of kplan"),
            ("nodes: [{name: a, cpu: lots, memory: 1Gi}]\n", "kplan.yaml:1:24: `lots` is no quantity"),
            ("renderTimeout: 2\n", "kplan.yaml:1:16: `2` is not allowed here [write seconds, as 90s]"),
            ("kubeVersion: one\n", "`one` is no Kubernetes version"),
        ];
        tell(&cases);
    }

    #[track_caller]
    fn tell(cases: &[(&str, &str)]) {
        for (text, expected) in cases {
            let error = read_text(text).unwrap_err();
            assert!(error.contains(expected), "{text}\n{error}\nexpected: {expected}");
        }
    }

    #[test]
    fn problems_of_parameters() {
        tell(&[
            (
                "rules:\n  replicas-single:\n    params: {mim: 3}\n",
                "kplan.yaml:3:14: unknown key `mim` [did you mean `min`?]",
            ),
            ("rules: {replicas-single: {params: {min: 0}}}\n", "kplan.yaml:1:41: `0` is too small [write 1 or more]"),
            (
                "rules: {replicas-single: {params: {min: three}}}\n",
                "`three` is not allowed here [write a whole number]",
            ),
            ("rules: {api-removed: {params: {a: 1}}}\n", "the rule `api-removed` has no parameters"),
            (
                "rules: {required-labels: warning}\n",
                "`required-labels` finds nothing without a parameter [add `params:` with labels",
            ),
            ("rules: {required-labels: {params: {labels: {}}}}\n", "an empty map is not allowed here"),
            ("rules: {required-labels: {params: {labels: {a: '('}}}}\n", "`(` is no regular expression"),
            ("rules: {resource-cap: {params: {cpu: lots}}}\n", "`lots` is no quantity [write it as 4, 500m or 8Gi]"),
            ("rules: {service-port-range: {params: {ports: ['9-1']}}}\n", "`9-1` is no range of ports"),
            ("rules: {image-tag-mutable: {params: {tags: latest}}}\n", "`latest` is not allowed here [write a list]"),
        ]);
    }

    #[test]
    fn contradictions() {
        tell(&[
            (
                "rules: {api-removed: {severity: off, locked: true}}\n",
                "`api-removed` is locked, so that nobody ignores it, and off",
            ),
            ("ignore: [{path: x}]\n", "`rule` is missing"),
            ("ignore: [{rule: '*', path: '[x'}]\n", "`[x` is no pattern"),
            ("ignore: [{rule: '*', expires: 2026-02-30}]\n", "no calendar has the day `2026-02-30`"),
            ("overrides: [{paths: [a]}]\n", "kplan.yaml:1:14: the override changes nothing"),
            ("nodes: [[a, 1, 1]]\n", "kplan.yaml:1:9: a list is not allowed here"),
            (
                "nodes: [{name: a, cpu: 1, memory: 1Gi}, {name: a, cpu: 1, memory: 1Gi}]\n",
                "kplan.yaml:1:48: two nodes are named `a`",
            ),
            (
                "workloads: [{apiVersion: apps/v1, kind: Deployment, template: a}]\n",
                "kplan knows the pod template of apps/v1 Deployment: spec.template",
            ),
            ("workloads: [{apiVersion: a.b/v1, kind: C, template: a..b}]\n", "`a..b` is no path of a pod template"),
            ("nodes: [{name: n, cpu: 1, memory: 1Gi}]\n", "kplan.yaml:1:16: `n` is not allowed here [quote it: \"n\""),
        ]);
    }

    /// What the types take the schema takes, and the other way round.
    #[test]
    fn types_and_schema_agree() {
        let validator = jsonschema::validator_for(&super::super::schema(&[])).unwrap();
        let texts = [
            (true, "tier: strict\nfailOn: warning\nkubeVersion: 1.36\n"),
            (false, "tier: loud\n"),
            (true, "rules: {a: 'off', b: false, c: {severity: error, params: {x: 1}, locked: true}}\n"),
            (false, "rules: {a: loud}\n"),
            (false, "rules: {a: true}\n"),
            (false, "rules: {a: {severity: loud}}\n"),
            (false, "rules: {a: {sever: error}}\n"),
            (false, "rules: {a: [error]}\n"),
            (true, "ignore: [{rule: a, expires: '2026-12-31'}]\n"),
            (false, "ignore: [{rule: a, expires: '2026-1-31'}]\n"),
            (true, "ignore: {paths: [a], findings: [{rule: a}]}\n"),
            (false, "ignore: {paths: [a], findings: [{rule: ''}]}\n"),
            (true, "nodes: [{name: a, cpu: 4, memory: 8Gi, count: 3, taints: ['a=b:NoSchedule', 'a:NoExecute']}]\n"),
            (false, "nodes: [{name: a, cpu: 4, memory: 8Gi, count: 0}]\n"),
            (false, "nodes: [{name: a, cpu: 4}]\n"),
            (false, "nodes: [{name: a, cpu: 4, memory: 1, taints: ['a:No']}]\n"),
            (true, "charts: [{path: a, values: [b], set: {x: true}}]\nrenderTimeout: 1.5s\n"),
            (false, "charts: [{path: a, set: {x: [1]}}]\n"),
            (false, "renderTimeout: 1.s\n"),
            (false, "renderTimeout: 1m\n"),
            (true, "overrides: [{paths: ['a/**'], rules: {x: 'off'}, tier: strict}]\ncompat: [trivy]\n"),
            (false, "overrides: [{rules: {x: 'off'}}]\n"),
            (false, "compat: [other]\n"),
            (false, "stacks: [1]\n"),
            (false, "stacks: ['']\n"),
            (true, "conflicts: [{action: leave, kind: Deployment}]\n"),
            (false, "conflicts: [{kind: Deployment}]\n"),
            (true, "workloads: [{apiVersion: a/v1, kind: B, template: spec.template}]\n"),
            (false, "workloads: [{kind: B}]\n"),
            (false, "other: 1\n"),
        ];
        for (expected, text) in texts {
            let file = yaml::read(&SourceText::from(text));
            let json = file.tree.view(file.documents[0].root.unwrap()).to_json();
            let value: serde_json::Value = serde_json::from_str(&json).unwrap();
            let is_read = problems::find(&file, &SourceText::from(text), &[]).0.is_some();
            assert_eq!((is_read, validator.is_valid(&value)), (expected, expected), "{text}");
        }
    }

    #[test]
    fn days_end_at_midnight() {
        assert_eq!(end_of_day("1970-01-01"), Some(86_400));
        assert_eq!(end_of_day("2024-02-29"), Some(1_709_251_200));
    }
}
