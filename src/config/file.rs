//! The keys of `kplan.yaml`: reading goes through these types, and the schema of the file is made from them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::values::{
    Action, Amount, Count, Day, Level, PodLevel, PodLevelVersion, PresetName, Scalar, Seconds, SeverityName, Taint,
    Text, TierName, Tool, Wrong,
};
use crate::model::PodSecurityDefault;

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
    #[serde(deserialize_with = "sized")]
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
    /// Pod Security levels of namespaces whose labels the manifests do not show; later entries win.
    pub pod_security: Vec<PodSecurityEntry>,
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

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct PodSecurityEntry {
    /// Names of namespaces, in which * stands for any part; all where none is given.
    pub namespaces: Vec<Text>,
    #[schemars(with = "PodLevel")]
    pub enforce: Option<PodLevel>,
    #[schemars(with = "PodLevelVersion")]
    pub enforce_version: Option<PodLevelVersion>,
    #[schemars(with = "PodLevel")]
    pub warn: Option<PodLevel>,
    #[schemars(with = "PodLevelVersion")]
    pub warn_version: Option<PodLevelVersion>,
    #[schemars(with = "PodLevel")]
    pub audit: Option<PodLevel>,
    #[schemars(with = "PodLevelVersion")]
    pub audit_version: Option<PodLevelVersion>,
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
#[schemars(transform = preset_or_size)]
pub(super) struct Node {
    pub name: Text,
    /// A common node, about: cpu, memory and pods where they are not given.
    #[serde(default)]
    #[schemars(with = "PresetName")]
    pub preset: Option<PresetName>,
    /// How many of them there are.
    #[serde(default)]
    pub count: Count,
    /// Allocatable cpu, as 4 or 3920m.
    #[serde(default)]
    #[schemars(with = "Amount")]
    pub cpu: Option<Amount>,
    /// Allocatable memory, as 8Gi.
    #[serde(default)]
    #[schemars(with = "Amount")]
    pub memory: Option<Amount>,
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

/// Says that a node without a preset has cpu and memory of its own.
fn preset_or_size(schema: &mut Schema) {
    schema.insert("if".to_owned(), json!({"required": ["preset"]}));
    schema.insert("else".to_owned(), json!({"required": ["cpu", "memory"]}));
}

fn sized<'de, D: Deserializer<'de>>(nodes: D) -> Result<Vec<Node>, D::Error> {
    let nodes = Vec::<Node>::deserialize(nodes)?;
    let has_size = |node: &Node| node.preset.is_some() || node.cpu.is_some() && node.memory.is_some();
    if nodes.iter().all(has_size) { Ok(nodes) } else { Err(D::Error::custom(Wrong)) }
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

impl From<PodSecurityEntry> for PodSecurityDefault {
    fn from(entry: PodSecurityEntry) -> PodSecurityDefault {
        let levels = [("enforce", entry.enforce), ("warn", entry.warn), ("audit", entry.audit)];
        let versions = [
            ("enforce-version", entry.enforce_version),
            ("warn-version", entry.warn_version),
            ("audit-version", entry.audit_version),
        ];
        let levels = levels.into_iter().filter_map(|(label, level)| Some((label, level?.name().to_owned())));
        let versions = versions.into_iter().filter_map(|(label, version)| Some((label, version?.0)));
        PodSecurityDefault {
            namespaces: entry.namespaces.into_iter().map(|name| name.0).collect(),
            labels: levels.chain(versions).collect(),
        }
    }
}
