//! What a `kplan.yaml` says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::problems::{self, Problem};
use super::{ChartRun, Ignore, NodeShape, Override, Settings};
use crate::model::rule::{Rule, Severity, Tier};
use crate::source::Source;
use crate::yaml::{self, View};

/// Name of the file that is looked for.
pub const FILE_NAME: &str = "kplan.yaml";

/// The schema of `kplan.yaml`.
pub const SCHEMA: &str = include_str!("../../schemas/kplan.schema.json");

/// Pods per node where kplan.yaml gives no number: the kubelet's default for `maxPods`.
const DEFAULT_PODS: u32 = 110;

/// What one `kplan.yaml` says; absent keys leave the settings as they are.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// As the report shows it.
    pub name: String,
    pub text: Arc<str>,
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
    let text: Arc<str> = Arc::from(text);
    let file = yaml::read(&text);
    let problems = problems::find(&file, &text, rules);
    if !problems.is_empty() {
        return Err(ConfigError { file: name.to_owned(), problems });
    }
    let mut config = Config { name: name.to_owned(), text: text.clone(), ..Config::default() };
    if let Some(root) = file.documents.first().and_then(|document| document.root) {
        read(&mut config, file.tree.view(root), folder);
        switch_on(&mut config, rules);
    }
    Ok(config)
}

/// Folders with rules that a `kplan.yaml` names; read before the rest, which may name those rules.
pub fn rule_dirs(text: &str, folder: &Path) -> Vec<PathBuf> {
    let file = yaml::read(&Arc::from(text));
    let root = file.documents.first().and_then(|document| document.root).map(|root| file.tree.view(root));
    root.into_iter().flat_map(|root| root.list("ruleDirs")).filter_map(View::str).map(|dir| folder.join(dir)).collect()
}

fn read(config: &mut Config, root: View<'_>, folder: &Path) {
    let source = Source::new("", config.text.clone());
    let keys = root.entries().map(|(key, span, _)| (key.to_owned(), source.line_column(span.start).line));
    config.lines = keys.collect();
    let texts = |key: &str| -> Vec<String> { root.list(key).filter_map(View::str).map(str::to_owned).collect() };
    let paths = |key: &str| -> Vec<PathBuf> { root.list(key).filter_map(View::str).map(|p| folder.join(p)).collect() };
    if let Some(version) = root.get("kubeVersion") {
        let place = Source::new("", config.text.clone()).line_column(version.span().start);
        config.kube_version = Some(plain(version));
        config.kube_version_at = (place.line, place.column);
    }
    config.tier = root.get_str("tier").and_then(tier);
    config.fail_on = root.get_str("failOn").and_then(severity);
    config.assume_exists = texts("assumeExists");
    config.contexts = texts("contexts");
    config.compat = texts("compat");
    config.overrides = root.list("overrides").map(read_override).collect();
    config.stacks = paths("stacks");
    config.crd_dirs = paths("crdDirs");
    config.rule_dirs = paths("ruleDirs");
    config.nodes = root.list("nodes").map(node).collect();
    config.charts = root.list("charts").map(|view| chart(view, folder)).collect();
    config.render_timeout = root.get("renderTimeout").and_then(|text| seconds(plain(text).trim_end_matches('s')));
    config.conflicts = root.list("conflicts").map(conflict).collect();
    config.apply_set = root.get("applySet").map(apply_set);
    for (id, value) in root.map("rules") {
        if value.get_bool("locked") {
            config.locked.insert(id.to_owned());
        }
        for (name, param) in value.map("params") {
            if let Ok(json) = serde_json::from_str(&param.to_json()) {
                config.params.entry(id.to_owned()).or_default().insert(name.to_owned(), json);
            }
        }
        let value = if value.is_map() { value.get("severity") } else { Some(value) };
        if let Some(value) = value {
            config.rules.insert(id.to_owned(), value.str().and_then(severity));
        }
    }
    let Some(ignore) = root.get("ignore") else { return };
    config.ignore_paths = ignore.list("paths").filter_map(View::str).map(str::to_owned).collect();
    for entry in ignore.items().chain(ignore.list("findings")) {
        read_ignore(config, entry);
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

fn read_override(view: View<'_>) -> Override {
    let rules = view.map("rules").filter_map(|(id, value)| {
        let value = if value.is_map() { value.get("severity")? } else { value };
        Some((id.to_owned(), value.str().and_then(severity)))
    });
    Override {
        paths: view.list("paths").filter_map(View::str).map(str::to_owned).collect(),
        rules: rules.collect(),
        tier: view.get_str("tier").and_then(tier),
    }
}

fn read_ignore(config: &mut Config, entry: View<'_>) {
    config.ignore_paths.extend(entry.list("paths").filter_map(View::str).map(str::to_owned));
    let Some(rule) = entry.get("rule") else { return };
    if let Some(day) = entry.get_str("expires").and_then(end_of_day) {
        config.expires.insert(config.ignores.len(), day);
    }
    let text = |key: &str| entry.get_str(key).unwrap_or_default().to_owned();
    let before = entry.tree.source().get(..rule.span().start as usize).unwrap_or("");
    config.ignores.push(Ignore {
        rule: text("rule"),
        path: text("path"),
        object: text("object"),
        container: text("container"),
        reason: text("reason"),
        expired: false,
        line: before.matches('\n').count() as u32 + 1,
    });
}

fn chart(view: View<'_>, folder: &Path) -> ChartRun {
    let text = |key: &str| view.get_str(key).map(str::to_owned);
    ChartRun {
        path: folder.join(view.get_str("path").unwrap_or_default()),
        release: text("release"),
        namespace: text("namespace"),
        values: view.list("values").filter_map(View::str).map(|path| folder.join(path)).collect(),
        set: view.map("set").map(|(key, value)| (key.to_owned(), plain(value))).collect(),
    }
}

fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok().filter(|duration| !duration.is_zero())
}

fn conflict(view: View<'_>) -> ConflictEntry {
    let text = |key: &str| view.get_str(key).unwrap_or("*").to_owned();
    ConflictEntry { kind: text("kind"), path: text("path"), manager: text("manager"), action: text("action") }
}

fn apply_set(view: View<'_>) -> ApplySetEntry {
    let text = |key: &str| view.get_str(key).map(str::to_owned);
    ApplySetEntry { parent: text("parent").unwrap_or_default(), namespace: text("namespace") }
}

fn node(view: View<'_>) -> NodeShape {
    let number = |key: &str| view.get_int(key).and_then(|number| u32::try_from(number).ok());
    let labels = view.map("labels").filter_map(|(key, value)| Some((key.to_owned(), value.str()?.to_owned())));
    let mut shape = NodeShape {
        name: view.get_str("name").unwrap_or_default().to_owned(),
        count: number("count").unwrap_or(1),
        cpu: view.get("cpu").map(plain).unwrap_or_default(),
        memory: view.get("memory").map(plain).unwrap_or_default(),
        pods: number("pods").unwrap_or(DEFAULT_PODS),
        labels: labels.collect(),
        taints: view.list("taints").filter_map(View::str).map(str::to_owned).collect(),
        zone: view.get_str("zone").map(str::to_owned),
    };
    if let Some(preset) = view.get_str("preset") {
        // The schema knows their names.
        let _ = super::presets::fill(&mut shape, preset, number("pods"));
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
            ("kubeVersion: one\n", "`one` is no Kubernetes version"),
            ("nodes: [{name: n, cpu: 1, memory: 1Gi}]\n", "kplan.yaml:1:16: `n` is not allowed here [quote it: \"n\""),
        ];
        for (text, expected) in cases {
            let error = read_text(text).unwrap_err();
            assert!(error.contains(expected), "{text}\n{error}\nexpected: {expected}");
        }
    }

    #[test]
    fn days_end_at_midnight() {
        assert_eq!(end_of_day("1970-01-01"), Some(86_400));
        assert_eq!(end_of_day("2024-02-29"), Some(1_709_251_200));
    }
}
