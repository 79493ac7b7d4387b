//! Parameters of rules: what kplan.yaml gives, else the defaults of the catalogue.

use std::collections::HashMap;
use std::sync::OnceLock;

use regex::Regex;
use serde_json::{Map, Value};

use super::catalog::RULES;
use crate::config::Settings;
use crate::diag::Rule;
use crate::model::is_like;
use crate::model::quantity::Quantity;
use crate::model::rule::{range, whole};

/// The parameters of all rules, each read when a rule first asks for it.
pub(super) struct Params<'s> {
    settings: &'s Settings,
    by_rule: HashMap<&'static str, (&'static Rule, OnceLock<RuleParams>)>,
    none: RuleParams,
}

/// The parameters of one rule.
#[derive(Debug, Default)]
pub(super) struct RuleParams {
    values: Map<String, Value>,
    /// What parameters of the format `regex` hold, compiled; each has to fit the whole text.
    regexes: HashMap<String, Regex>,
    /// None of the parameters without which the rule finds nothing is given.
    pub lacks: bool,
}

impl<'s> Params<'s> {
    pub(super) fn new(settings: &'s Settings) -> Params<'s> {
        let with_params = RULES.iter().filter(|rule| rule.params != "{}");
        let by_rule = with_params.map(|rule| (rule.id, (rule, OnceLock::new()))).collect();
        Params { settings, by_rule, none: RuleParams::default() }
    }

    pub(super) fn of(&self, id: &str) -> &RuleParams {
        match self.by_rule.get(id) {
            Some((rule, read)) => read.get_or_init(|| RuleParams::new(rule, self.settings)),
            None => &self.none,
        }
    }
}

impl RuleParams {
    fn new(rule: &Rule, settings: &Settings) -> RuleParams {
        let values = rule.params_in_force(settings.params.get(rule.id));
        let mut regexes = HashMap::new();
        for text in rule.param_schemas().iter().flat_map(|(name, schema)| regex_texts(schema, &values[name])) {
            regexes.extend(Regex::new(&whole(text)).ok().map(|regex| (text.to_owned(), regex)));
        }
        let needed = rule.needed_params();
        let lacks = !needed.is_empty() && needed.iter().all(|name| values[name].is_null());
        RuleParams { values, regexes, lacks }
    }

    fn value(&self, name: &str) -> &Value {
        let value = self.values.get(name);
        debug_assert!(value.is_some(), "the catalogue has no parameter {name}");
        value.unwrap_or(&Value::Null)
    }

    /// A whole number; `None` for one that is not given and has no default.
    pub(super) fn int(&self, name: &str) -> Option<i64> {
        self.value(name).as_i64()
    }

    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.value(name).as_f64()
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.value(name).as_bool().unwrap_or(false)
    }

    pub(super) fn text(&self, name: &str) -> &str {
        self.value(name).as_str().unwrap_or_default()
    }

    pub(super) fn quantity(&self, name: &str) -> Option<Quantity> {
        let value = self.value(name);
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Quantity::parse(&text).ok()
    }

    pub(super) fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.value(name).as_array().into_iter().flatten().filter_map(Value::as_str)
    }

    /// Keys and texts of a map.
    pub(super) fn entries(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        let all = self.value(name).as_object().into_iter().flatten();
        all.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
    }

    /// Whether a list holds a text.
    pub(super) fn has(&self, name: &str, text: &str) -> bool {
        self.texts(name).any(|own| own == text)
    }

    /// Whether a text is like one of a list, in which `*` stands for any part.
    pub(super) fn has_like(&self, name: &str, text: &str) -> bool {
        self.texts(name).any(|pattern| is_like(pattern, text))
    }

    /// Whether a text ends as one of a list does, in capitals or not.
    pub(super) fn has_end(&self, name: &str, text: &str) -> bool {
        let ends = |end: &str| text.len().checked_sub(end.len()).and_then(|at| text.get(at..));
        self.texts(name).any(|end| ends(end).is_some_and(|tail| tail.eq_ignore_ascii_case(end)))
    }

    /// Whether a number lies in one of a list of ranges, `80` or `30000-32767`.
    pub(super) fn has_in_range(&self, name: &str, number: i64) -> bool {
        self.texts(name).any(|text| range(text).is_some_and(|range| range.contains(&number)))
    }

    /// Whether a text as a whole fits a regular expression that a parameter gives.
    pub(super) fn fits(&self, regex: &str, text: &str) -> bool {
        self.regexes.get(regex).is_none_or(|regex| regex.is_match(text))
    }
}

/// The texts of a parameter that its schema calls regular expressions.
fn regex_texts<'v>(schema: &Value, value: &'v Value) -> Vec<&'v str> {
    let is_regex = |schema: Option<&Value>| schema.is_some_and(|schema| schema["format"] == "regex");
    let all: Vec<&Value> = match value {
        Value::Array(items) if is_regex(schema.get("items")) => items.iter().collect(),
        Value::Object(fields) if is_regex(schema.get("additionalProperties")) => fields.values().collect(),
        value if is_regex(Some(schema)) => vec![value],
        _ => Vec::new(),
    };
    all.into_iter().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_stands_in_the_place_of_the_default() {
        let mut settings = Settings::default();
        let given = [("min".to_owned(), Value::from(3))].into_iter().collect();
        assert_eq!(Params::new(&settings).of("replicas-single").int("min"), Some(2));
        settings.params.insert("replicas-single".to_owned(), given);
        assert_eq!(Params::new(&settings).of("replicas-single").int("min"), Some(3));
        assert!(Params::new(&settings).of("image-tag-mutable").has("tags", "latest"));
    }

    #[test]
    fn ranges_have_one_number_or_two() {
        let is_in = |text: &str, number: i64| range(text).is_some_and(|range| range.contains(&number));
        assert!(is_in("80", 80) && is_in("30000-32767", 32_767) && !is_in("80", 81) && !is_in("x", 1));
    }
}
