//! Whether a `kplan.yaml` fits its schema, said without compiling the schema: that costs a third of a small run, and is
//! only needed to say what is wrong.

use regex::Regex;
use serde_json::Value;

use crate::model::quantity::Quantity;

/// Whether a value surely fits; what this does not understand does not.
pub(super) fn fits(schema: &Value, value: &Value) -> bool {
    at(schema, schema, value)
}

/// Keywords that are looked at, and those that say nothing of a value.
const KNOWN: [&str; 22] = [
    "$defs",
    "$id",
    "$ref",
    "$schema",
    "additionalProperties",
    "default",
    "description",
    "else",
    "enum",
    "format",
    "if",
    "items",
    "maximum",
    "minLength",
    "minProperties",
    "minimum",
    "pattern",
    "properties",
    "required",
    "then",
    "title",
    "type",
];

fn at(root: &Value, schema: &Value, value: &Value) -> bool {
    let Some(keywords) = schema.as_object() else { return schema.as_bool() == Some(true) };
    keywords.keys().all(|key| KNOWN.contains(&key.as_str()))
        && reference_fits(root, schema, value)
        && type_fits(schema, value)
        && schema.get("enum").is_none_or(|options| options.as_array().is_some_and(|all| all.contains(value)))
        && scalar_fits(schema, value)
        && map_fits(root, schema, value)
        && list_fits(root, schema, value)
        && branch_fits(root, schema, value)
}

fn reference_fits(root: &Value, schema: &Value, value: &Value) -> bool {
    let Some(reference) = schema.get("$ref") else { return true };
    let target = reference.as_str().and_then(|text| root.pointer(text.trim_start_matches('#')));
    target.is_some_and(|target| at(root, target, value))
}

fn type_fits(schema: &Value, value: &Value) -> bool {
    let is = |name: &Value| match name.as_str() {
        Some("string") => value.is_string(),
        Some("number") => value.is_number(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => false,
    };
    match schema.get("type") {
        None => true,
        Some(Value::Array(names)) => names.iter().any(is),
        Some(name) => is(name),
    }
}

fn scalar_fits(schema: &Value, value: &Value) -> bool {
    let length = |least: u64| value.as_str().is_none_or(|text| text.chars().count() as u64 >= least);
    let number = |key: &str| schema.get(key).and_then(Value::as_f64).zip(value.as_f64());
    let properties = |least: u64| value.as_object().is_none_or(|fields| fields.len() as u64 >= least);
    schema.get("minLength").and_then(Value::as_u64).is_none_or(length)
        && schema.get("minProperties").and_then(Value::as_u64).is_none_or(properties)
        && schema.get("format").and_then(Value::as_str).is_none_or(|format| format_fits(format, value))
        && number("minimum").is_none_or(|(least, own)| own >= least)
        && number("maximum").is_none_or(|(most, own)| own <= most)
        && schema.get("pattern").is_none_or(|pattern| {
            value.as_str().is_none_or(|text| pattern.as_str().is_some_and(|pattern| matches(pattern, text)))
        })
}

/// Whether a value is of a format; other formats say nothing.
fn format_fits(format: &str, value: &Value) -> bool {
    let text = value.as_str();
    FORMATS.iter().all(|(name, is_right)| *name != format || text.is_none_or(*is_right))
}

/// The name of a format, and whether a text is of it.
type Format = (&'static str, fn(&str) -> bool);

/// Formats of parameters.
pub(super) const FORMATS: [Format; 3] = [
    ("quantity", |text| Quantity::parse(text).is_ok()),
    ("range", is_range),
    ("regex", |text| Regex::new(text).is_ok()),
];

/// `80` or `30000-32767`.
fn is_range(text: &str) -> bool {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    first.parse::<u32>().ok().zip(last.parse::<u32>().ok()).is_some_and(|(first, last)| first <= last)
}

/// The patterns of the schema; any other fits nothing.
fn matches(pattern: &str, text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match pattern {
        "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" => {
            let parts: Vec<&str> = text.split('-').collect();
            parts.iter().map(|part| part.len()).eq([4, 2, 2]) && parts.into_iter().all(digits)
        }
        "^[0-9]+(\\.[0-9]+)?s$" => text.strip_suffix('s').is_some_and(|number| number.splitn(2, '.').all(digits)),
        "^[^:=]+(=[^:]*)?:(NoSchedule|PreferNoSchedule|NoExecute)$" => {
            text.split_once(':').is_some_and(|(key, effect)| {
                let plain = key.split('=').next().is_some_and(|name| !name.is_empty());
                plain && ["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(&effect)
            })
        }
        _ => false,
    }
}

fn map_fits(root: &Value, schema: &Value, value: &Value) -> bool {
    let Some(fields) = value.as_object() else { return true };
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    let properties = schema.get("properties");
    required.filter_map(Value::as_str).all(|key| fields.contains_key(key))
        && fields.iter().all(|(key, field)| match properties.and_then(|properties| properties.get(key)) {
            Some(own) => at(root, own, field),
            None => schema.get("additionalProperties").is_none_or(|other| at(root, other, field)),
        })
}

fn list_fits(root: &Value, schema: &Value, value: &Value) -> bool {
    let items = value.as_array().into_iter().flatten();
    schema.get("items").is_none_or(|own| items.into_iter().all(|item| at(root, own, item)))
}

fn branch_fits(root: &Value, schema: &Value, value: &Value) -> bool {
    let Some(condition) = schema.get("if") else { return true };
    let branch = if at(root, condition, value) { "then" } else { "else" };
    schema.get(branch).is_none_or(|branch| at(root, branch, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What fits here must fit for the validator, and what is plainly right must fit here.
    #[test]
    fn it_agrees_with_the_validator() {
        let schema: Value = serde_json::from_str(super::super::SCHEMA).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let texts = [
            r#"{"tier":"strict","failOn":"warning","kubeVersion":1.36}"#,
            r#"{"tier":"loud"}"#,
            r#"{"rules":{"a":"off","b":false,"c":{"severity":"error","params":{"x":1},"locked":true}}}"#,
            r#"{"rules":{"a":"loud"}}"#,
            r#"{"rules":{"a":{"severity":"loud"}}}"#,
            r#"{"rules":{"a":{"sever":"off"}}}"#,
            r#"{"ignore":[{"rule":"a","expires":"2026-12-31"}]}"#,
            r#"{"ignore":[{"rule":"a","expires":"2026-1-31"}]}"#,
            r#"{"ignore":{"paths":["a"],"findings":[{"rule":""}]}}"#,
            r#"{"nodes":[{"name":"a","cpu":4,"memory":"8Gi","count":3,"taints":["a=b:NoSchedule","a:NoExecute"]}]}"#,
            r#"{"nodes":[{"name":"a","cpu":4,"memory":"8Gi","count":0}]}"#,
            r#"{"nodes":[{"name":"a","cpu":4}]}"#,
            r#"{"nodes":[{"name":"a","cpu":4,"memory":1,"taints":["a:No"]}]}"#,
            r#"{"charts":[{"path":"a","values":["b"],"set":{"x":true}}],"renderTimeout":"1.5s"}"#,
            r#"{"renderTimeout":"1.s"}"#,
            r#"{"renderTimeout":"1m"}"#,
            r#"{"overrides":[{"paths":["a/**"],"rules":{"x":"off"},"tier":"strict"}],"compat":["trivy"]}"#,
            r#"{"overrides":[{"rules":{"x":"off"}}]}"#,
            r#"{"compat":["other"]}"#,
            r#"{"stacks":[1]}"#,
            r#"[]"#,
        ];
        for text in texts {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(fits(&schema, &value), validator.is_valid(&value), "{text}");
        }
    }

    #[test]
    fn every_keyword_of_the_schema_is_known() {
        fn walk(schema: &Value, under_properties: bool) {
            for (key, value) in schema.as_object().into_iter().flatten() {
                assert!(under_properties || KNOWN.contains(&key.as_str()), "{key}");
                walk(value, matches!(key.as_str(), "properties" | "$defs") && !under_properties);
            }
        }
        walk(&serde_json::from_str(super::super::SCHEMA).unwrap(), false);
    }
}
