//! Single values of `kplan.yaml`: what of text and numbers is taken, and how the schema says it.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Number, Value};

use super::NodeShape;
use super::load::end_of_day;
use super::presets::{self, Preset};
use crate::model::rule::{Severity, Tier};

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

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    Fail,
    Leave,
    Force,
}

/// A level of the Pod Security Standards.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum PodLevel {
    Privileged,
    Baseline,
    Restricted,
}

/// `latest`, or the minor version of Kubernetes whose checks count.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct PodLevelVersion(pub String);

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
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Text(pub String);

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
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "u32")]
pub(super) struct Count(pub u32);

impl Default for Count {
    fn default() -> Count {
        Count(1)
    }
}

/// `90s`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Seconds(pub Duration);

/// The end of a day, in seconds since 1970.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Day(pub u64);

/// `key=value:Effect` or `key:Effect`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Taint(pub String);

/// The name of one of `presets`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct PresetName(&'static Preset);

impl TryFrom<String> for PresetName {
    type Error = Wrong;

    fn try_from(name: String) -> Result<PresetName, Wrong> {
        presets::find(&name).map(PresetName).ok_or(Wrong)
    }
}

impl PresetName {
    /// Fills in what an entry leaves to its preset; `pods` is what the entry says.
    pub(super) fn fill(&self, shape: &mut NodeShape, pods: Option<u32>) {
        self.0.fill(shape, pods);
    }
}

impl JsonSchema for PresetName {
    fn schema_name() -> Cow<'static, str> {
        "PresetName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"enum": presets::names().collect::<Vec<_>>()})
    }
}

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

impl TryFrom<String> for PodLevelVersion {
    type Error = Wrong;

    fn try_from(text: String) -> Result<PodLevelVersion, Wrong> {
        let fits = text == "latest" || text.strip_prefix("v1.").is_some_and(is_digits);
        if fits { Ok(PodLevelVersion(text)) } else { Err(Wrong) }
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

impl PodLevel {
    pub(super) fn name(self) -> &'static str {
        match self {
            PodLevel::Privileged => "privileged",
            PodLevel::Baseline => "baseline",
            PodLevel::Restricted => "restricted",
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

/// How the schema says a value.
macro_rules! schemas {
    ($($name:ident: $schema:tt,)*) => {$(
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

schemas! {
    Level: {"description": "off switches a rule off.", "enum": ["error", "warning", "info", "off", false]},
    Text: {"type": "string", "minLength": 1},
    Amount: {"type": ["string", "number"]},
    Scalar: {"type": ["string", "number", "boolean"]},
    Count: {"type": "integer", "minimum": 1, "maximum": 10_000},
    Seconds: {"description": "seconds, as 90s", "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?s$"},
    PodLevelVersion: {"description": "latest, or a version as v1.36", "type": "string", "pattern": "^(latest|v1\\.[0-9]+)$"},
    Day: {"description": "a day, as 2026-12-31", "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
    Taint: {
        "description": "key=value:Effect or key:Effect",
        "type": "string",
        "pattern": "^[^:=]+(=[^:]*)?:(NoSchedule|PreferNoSchedule|NoExecute)$",
    },
}
