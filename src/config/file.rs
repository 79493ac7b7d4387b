//! The keys of `kplan.yaml`: reading goes through these types, and the schema of the file is made from them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Number, Value};

use super::load::end_of_day;
use crate::model::rule::{Severity, Tier};

/// Settings of kplan for a folder and everything below it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(title = "kplan.yaml")]
pub(super) struct File {
    /// Kubernetes version whose rules apply, as "1.36", or a range, as "1.34..1.36".
    #[schemars(with = "Amount")]
    pub kube_version: Option<Amount>,
    /// Which rules run: those that are right nearly always, the recommended ones too, or all.
    #[schemars(with = "TierName")]
    pub tier: Option<TierName>,
    /// Findings of this severity and above make the exit code 1.
    #[schemars(with = "SeverityName")]
    pub fail_on: Option<SeverityName>,
    /// By rule id its severity, or a map with it; off switches a rule off.
    pub rules: BTreeMap<String, RuleEntry>,
    /// What is not read and not reported.
    pub ignore: Ignores,
    /// Objects outside the manifests: "Secret default/pull-secret", "StorageClass fast"; * matches any part.
    pub assume_exists: Vec<Text>,
    /// The nodes that pods are placed on.
    pub nodes: Vec<Node>,
    /// Folders that are one set each.
    pub stacks: Vec<Text>,
    /// What holds for some paths; later entries win.
    pub overrides: Vec<OverrideEntry>,
    /// Other tools whose ignore annotations in manifests count as well.
    pub compat: Vec<Tool>,
    /// Folders with rules of your own: files with CEL, and ValidatingAdmissionPolicies.
    pub rule_dirs: Vec<Text>,
    /// Folders with CustomResourceDefinitions.
    pub crd_dirs: Vec<Text>,
    /// Kinds of custom resources whose pods come from a template; rules see those as the pods of a Deployment.
    pub workloads: Vec<WorkloadEntry>,
    /// How charts are rendered: one run of `helm template` an entry, so several for one chart try several sets of values.
    pub charts: Vec<Chart>,
    /// How long rendering one kustomization or chart may take, as 90s; 60s where it is not given.
    #[schemars(with = "Seconds")]
    pub render_timeout: Option<Seconds>,
    /// Contexts of the kubeconfig that plan and apply may use.
    pub contexts: Vec<Text>,
    /// What becomes of fields that other managers own; the first entry that fits counts.
    pub conflicts: Vec<Conflict>,
    /// The ApplySet that plan and apply make of the objects, as kubectl apply --applyset does.
    #[schemars(with = "ApplySet")]
    pub apply_set: Option<ApplySet>,
}

/// What of a rule is set: its severity alone, or more.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum RuleEntry {
    Level(Level),
    Options(RuleOptions),
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RuleOptions {
    #[schemars(with = "Level")]
    pub severity: Option<Level>,
    /// Comments and annotations in manifests cannot suppress it.
    pub locked: bool,
    /// Parameters of the rule; `kplan explain ID` lists them.
    pub params: BTreeMap<String, Value>,
}

/// A map has options, anything else is a severity: the schema says which of the two is meant, so that its errors do.
impl JsonSchema for RuleEntry {
    fn schema_name() -> Cow<'static, str> {
        "RuleEntry".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (options, level) = (generator.subschema_for::<RuleOptions>(), generator.subschema_for::<Level>());
        json_schema!({
            "type": ["string", "boolean", "object"],
            "if": {"type": "object"},
            "then": options,
            "else": level,
        })
    }
}

/// A severity, or off, which unquoted YAML 1.1 reads as false.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Level(pub Option<Severity>);

impl TryFrom<Value> for Level {
    type Error = Wrong;

    fn try_from(value: Value) -> Result<Level, Wrong> {
        match value.as_str() {
            Some("off") => Ok(Level(None)),
            Some(name) => super::severity(name).map(|severity| Level(Some(severity))).ok_or(Wrong),
            None if value == Value::Bool(false) => Ok(Level(None)),
            None => Err(Wrong),
        }
    }
}

impl JsonSchema for Level {
    fn schema_name() -> Cow<'static, str> {
        "Level".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"enum": ["error", "warning", "info", "off", false]})
    }
}

/// A list of entries, or a map that keeps files and findings apart.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Ignores {
    List(Vec<IgnoreEntry>),
    Map(IgnoreMap),
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct IgnoreMap {
    /// Globs of files that are not read at all.
    pub paths: Vec<Text>,
    pub findings: Vec<IgnoreEntry>,
}

impl Default for Ignores {
    fn default() -> Ignores {
        Ignores::List(Vec::new())
    }
}

impl JsonSchema for Ignores {
    fn schema_name() -> Cow<'static, str> {
        "Ignores".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (map, entry) = (generator.subschema_for::<IgnoreMap>(), generator.subschema_for::<IgnoreEntry>());
        json_schema!({
            "type": ["array", "object"],
            "if": {"type": "object"},
            "then": map,
            "else": {"items": entry},
        })
    }
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct IgnoreEntry {
    /// Id of the rule, or * for all.
    #[schemars(with = "Text")]
    pub rule: Option<Text>,
    /// Glob over the path of the file.
    pub path: String,
    /// "Kind namespace/name"; * matches any part.
    pub object: String,
    /// Name of the container.
    pub container: String,
    /// Needed for findings of class rejected.
    pub reason: String,
    /// The last day on which it counts, as 2026-12-31.
    #[schemars(with = "Day")]
    pub expires: Option<Day>,
    /// Globs of files that are not read at all.
    pub paths: Vec<Text>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OverrideEntry {
    /// Globs over the path of the file.
    pub paths: Vec<Text>,
    /// Severity by rule id; off switches a rule off.
    #[serde(default)]
    pub rules: BTreeMap<String, Level>,
    /// Which rules run there.
    #[serde(default)]
    #[schemars(with = "TierName")]
    pub tier: Option<TierName>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WorkloadEntry {
    /// As objects of the kind write it; the version does not matter.
    pub api_version: Text,
    pub kind: Text,
    /// Path of the pod template in the object, as spec.template.
    pub template: Text,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Chart {
    /// Folder of the chart.
    pub path: Text,
    /// Name of the release; else the chart's own name.
    #[serde(default)]
    #[schemars(with = "Text")]
    pub release: Option<Text>,
    /// Namespace of the release.
    #[serde(default)]
    #[schemars(with = "Text")]
    pub namespace: Option<Text>,
    /// Files with values; later ones win.
    #[serde(default)]
    pub values: Vec<Text>,
    /// Single values, as for --set of helm.
    #[serde(default)]
    #[expect(dead_code, reason = "values are taken as they are written, which only the text tells")]
    pub set: BTreeMap<String, Scalar>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Node {
    pub name: Text,
    /// How many of them there are.
    #[serde(default)]
    pub count: Count,
    /// Allocatable cpu, as 4 or 3920m.
    pub cpu: Amount,
    /// Allocatable memory, as 8Gi.
    pub memory: Amount,
    /// Most pods at once; 110 where it is not given.
    #[serde(default)]
    #[schemars(with = "u32")]
    pub pods: Option<u32>,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// key=value:Effect or key:Effect.
    #[serde(default)]
    pub taints: Vec<Taint>,
    #[serde(default)]
    #[schemars(with = "String")]
    pub zone: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Conflict {
    /// Kind of the object; * matches any part.
    #[serde(default = "any")]
    pub kind: Text,
    /// Path of the field, "spec.replicas"; * matches any part.
    #[serde(default = "any")]
    pub path: Text,
    /// Name of the manager; * matches any part.
    #[serde(default = "any")]
    pub manager: Text,
    /// Stop, leave the field to its owner, or take it.
    pub action: Action,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApplySet {
    /// Its parent: NAME of a Secret, configmap/NAME, or RESOURCE.GROUP/NAME.
    pub parent: Text,
    /// Namespace of the parent.
    #[serde(default)]
    #[schemars(with = "Text")]
    pub namespace: Option<Text>,
}

fn any() -> Text {
    Text("*".to_owned())
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    Fail,
    Leave,
    Force,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum TierName {
    Default,
    Recommended,
    Strict,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum SeverityName {
    Error,
    Warning,
    Info,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Tool {
    KubeLinter,
    KubeScore,
    Polaris,
    Datree,
    Trivy,
    Checkov,
}

/// Text that is not empty.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub(super) struct Text(#[schemars(length(min = 1))] pub String);

/// A quantity or version: text, or the number that YAML makes of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Amount {
    Text(String),
    Number(Number),
}

impl Amount {
    pub(super) fn text(self) -> String {
        match self {
            Amount::Text(text) => text,
            Amount::Number(number) => number.to_string(),
        }
    }
}

/// A value for `--set`: text, a number or a truth value.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Scalar;

impl TryFrom<Value> for Scalar {
    type Error = Wrong;

    fn try_from(value: Value) -> Result<Scalar, Wrong> {
        if value.is_string() || value.is_number() || value.is_boolean() { Ok(Scalar) } else { Err(Wrong) }
    }
}

/// How many: 1 to 10000.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "u32")]
pub(super) struct Count(#[schemars(range(min = 1, max = 10_000))] pub u32);

impl Default for Count {
    fn default() -> Count {
        Count(1)
    }
}

/// `90s`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", extend("pattern" = "^[0-9]+(\\.[0-9]+)?s$"))]
pub(super) struct Seconds(pub Duration);

/// The end of a day, in seconds since 1970.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", extend("pattern" = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))]
pub(super) struct Day(pub u64);

/// `key=value:Effect` or `key:Effect`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", extend("pattern" = "^[^:=]+(=[^:]*)?:(NoSchedule|PreferNoSchedule|NoExecute)$"))]
pub(super) struct Taint(pub String);

/// Not as the schema says; the schema's validator says what is wrong.
#[derive(Debug)]
pub(super) struct Wrong;

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not as the schema says")
    }
}

impl TryFrom<String> for Text {
    type Error = Wrong;

    fn try_from(text: String) -> Result<Text, Wrong> {
        if text.is_empty() { Err(Wrong) } else { Ok(Text(text)) }
    }
}

impl TryFrom<u32> for Count {
    type Error = Wrong;

    fn try_from(number: u32) -> Result<Count, Wrong> {
        if (1..=10_000).contains(&number) { Ok(Count(number)) } else { Err(Wrong) }
    }
}

impl TryFrom<String> for Seconds {
    type Error = Wrong;

    fn try_from(text: String) -> Result<Seconds, Wrong> {
        let number = text.strip_suffix('s').filter(|number| number.splitn(2, '.').all(is_digits)).ok_or(Wrong)?;
        let seconds: f64 = number.parse().map_err(|_| Wrong)?;
        Duration::try_from_secs_f64(seconds).map(Seconds).map_err(|_| Wrong)
    }
}

impl TryFrom<String> for Day {
    type Error = Wrong;

    fn try_from(text: String) -> Result<Day, Wrong> {
        let parts: Vec<&str> = text.split('-').collect();
        let is_day = parts.iter().map(|part| part.len()).eq([4, 2, 2]) && parts.into_iter().all(is_digits);
        // A day that no calendar has is told by itself.
        if is_day { Ok(Day(end_of_day(&text).unwrap_or_default())) } else { Err(Wrong) }
    }
}

impl TryFrom<String> for Taint {
    type Error = Wrong;

    fn try_from(text: String) -> Result<Taint, Wrong> {
        let is_taint = text.split_once(':').is_some_and(|(key, effect)| {
            key.split('=').next().is_some_and(|name| !name.is_empty())
                && ["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(&effect)
        });
        if is_taint { Ok(Taint(text)) } else { Err(Wrong) }
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number"]})
    }
}

impl JsonSchema for Scalar {
    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "number", "boolean"]})
    }
}

impl From<TierName> for Tier {
    fn from(name: TierName) -> Tier {
        match name {
            TierName::Default => Tier::Default,
            TierName::Recommended => Tier::Recommended,
            TierName::Strict => Tier::Strict,
        }
    }
}

impl From<SeverityName> for Severity {
    fn from(name: SeverityName) -> Severity {
        match name {
            SeverityName::Error => Severity::Error,
            SeverityName::Warning => Severity::Warning,
            SeverityName::Info => Severity::Info,
        }
    }
}

impl Tool {
    pub(super) fn name(self) -> &'static str {
        match self {
            Tool::KubeLinter => "kube-linter",
            Tool::KubeScore => "kube-score",
            Tool::Polaris => "polaris",
            Tool::Datree => "datree",
            Tool::Trivy => "trivy",
            Tool::Checkov => "checkov",
        }
    }
}

impl Action {
    pub(super) fn name(self) -> &'static str {
        match self {
            Action::Fail => "fail",
            Action::Leave => "leave",
            Action::Force => "force",
        }
    }
}
