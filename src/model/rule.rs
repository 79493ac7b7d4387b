//! What a rule is, and the scales that findings are sorted by.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

/// What a finding means for the user; design of the report, see ARCHITECTURE.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// No YAML, or no object.
    Unreadable,
    /// The API server says no.
    Rejected,
    /// Will not be scheduled.
    Pending,
    /// Accepted but cannot work.
    Broken,
    Risky,
    Style,
    /// No schema is known.
    Unjudged,
}

impl Class {
    pub fn name(self) -> &'static str {
        match self {
            Class::Unreadable => "unreadable",
            Class::Rejected => "rejected",
            Class::Pending => "pending",
            Class::Broken => "broken",
            Class::Risky => "risky",
            Class::Style => "style",
            Class::Unjudged => "unjudged",
        }
    }
}

/// How loud a finding is; `--fail-on` compares against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    Info,
    Warning,
    Error,
}

impl Severity {
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// Which rules run: each tier includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Cannot be applied, run or be reached, or loses data.
    Default,
    Recommended,
    Strict,
}

impl Tier {
    pub fn name(self) -> &'static str {
        match self {
            Tier::Default => "default",
            Tier::Recommended => "recommended",
            Tier::Strict => "strict",
        }
    }
}

/// One row of the rule catalogue (`rules/<group>/<id>.yaml`).
#[derive(Debug)]
pub struct Rule {
    pub id: &'static str,
    pub group: &'static str,
    pub class: Class,
    pub tier: Tier,
    pub severity: Severity,
    pub kinds: &'static [&'static str],
    pub title: &'static str,
    pub why: &'static str,
    pub fix: &'static str,
    pub since: &'static str,
    /// `tool:id` of the same check in other tools.
    pub aliases: &'static [&'static str],
    /// A JSON object: the name of each parameter with its JSON Schema, which has a description, and a default unless the
    /// rule finds nothing without it.
    pub params: &'static str,
}

impl Rule {
    /// The JSON Schema of each parameter, by its name.
    pub fn param_schemas(&self) -> Map<String, Value> {
        serde_json::from_str(self.params).unwrap_or_default()
    }

    /// Parameters without a default: with none of them given the rule finds nothing.
    pub fn needed_params(&self) -> Vec<String> {
        let schemas = self.param_schemas().into_iter();
        schemas.filter(|(_, schema)| schema.get("default").is_none()).map(|(name, _)| name).collect()
    }

    /// The value of every parameter: what is given, else its default, else null.
    pub fn params_in_force(&self, given: Option<&BTreeMap<String, Value>>) -> Map<String, Value> {
        let value = |(name, schema): (String, Value)| {
            let own = given.and_then(|given| given.get(&name)).or_else(|| schema.get("default"));
            let own = own.cloned().unwrap_or_default();
            (name, own)
        };
        self.param_schemas().into_iter().map(value).collect()
    }
}

/// The numbers of `80` or `30000-32767`; `None` where that is no range.
pub fn range(text: &str) -> Option<RangeInclusive<i64>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let bound = |text: &str| text.parse::<u32>().ok().map(i64::from);
    let range = bound(first)?..=bound(last)?;
    (!range.is_empty()).then_some(range)
}

/// A regular expression that fits a text as a whole.
pub fn whole(regex: &str) -> String {
    format!("^(?:{regex})$")
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
