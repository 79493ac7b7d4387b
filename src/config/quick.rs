//! Whether a parameter fits its schema, said without compiling the schema: that costs a third of a small run, and is only
//! needed to say what is wrong.

use jsonschema::{ValidationError, Validator};
use regex::Regex;
use serde_json::Value;

use crate::model::quantity::Quantity;
use crate::model::rule::range;

/// Keywords that are looked at, and those that say nothing of a value.
const KNOWN: [&str; 12] = [
    "additionalProperties",
    "default",
    "description",
    "enum",
    "format",
    "items",
    "maximum",
    "minLength",
    "minProperties",
    "minimum",
    "properties",
    "type",
];

/// Whether a value surely fits; what this does not understand does not.
pub(super) fn fits(schema: &Value, value: &Value) -> bool {
    let Some(keywords) = schema.as_object() else { return schema.as_bool() == Some(true) };
    keywords.keys().all(|key| KNOWN.contains(&key.as_str()))
        && type_fits(schema, value)
        && schema.get("enum").is_none_or(|options| options.as_array().is_some_and(|all| all.contains(value)))
        && scalar_fits(schema, value)
        && map_fits(schema, value)
        && list_fits(schema, value)
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
    schema.get("minLength").and_then(Value::as_u64).is_none_or(length)
        && schema.get("format").and_then(Value::as_str).is_none_or(|format| format_fits(format, value))
        && number("minimum").is_none_or(|(least, own)| own >= least)
        && number("maximum").is_none_or(|(most, own)| own <= most)
}

/// Whether a value is of a format; other formats say nothing.
fn format_fits(format: &str, value: &Value) -> bool {
    let text = value.as_str();
    FORMATS.iter().all(|(name, is_right)| *name != format || text.is_none_or(*is_right))
}

/// The name of a format, and whether a text is of it.
type Format = (&'static str, fn(&str) -> bool);

/// Formats of parameters.
const FORMATS: [Format; 3] = [
    ("quantity", |text| Quantity::parse(text).is_ok()),
    ("range", |text| range(text).is_some()),
    ("regex", |text| Regex::new(text).is_ok()),
];

/// The validator of parameters, which knows their formats.
///
/// # Errors
/// The schema is none.
pub(super) fn validator(schema: &Value) -> Result<Validator, ValidationError<'static>> {
    let options = jsonschema::options().should_validate_formats(true);
    FORMATS.into_iter().fold(options, |options, (name, is_right)| options.with_format(name, is_right)).build(schema)
}

fn map_fits(schema: &Value, value: &Value) -> bool {
    let Some(fields) = value.as_object() else { return true };
    let least = schema.get("minProperties").and_then(Value::as_u64).unwrap_or(0);
    let properties = schema.get("properties");
    fields.len() as u64 >= least
        && fields.iter().all(|(key, field)| match properties.and_then(|properties| properties.get(key)) {
            Some(own) => fits(own, field),
            None => schema.get("additionalProperties").is_none_or(|other| fits(other, field)),
        })
}

fn list_fits(schema: &Value, value: &Value) -> bool {
    let items = value.as_array().into_iter().flatten();
    schema.get("items").is_none_or(|own| items.into_iter().all(|item| fits(own, item)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What fits here must fit for the validator, and the other way round.
    #[test]
    fn it_agrees_with_the_validator() {
        let properties = json!({
            "min": {"type": "integer", "minimum": 1, "maximum": 9, "default": 2, "description": "x"},
            "names": {"type": "array", "items": {"type": "string", "minLength": 1}},
            "labels": {"type": "object", "minProperties": 1, "additionalProperties": {"type": "string", "format": "regex"}},
            "cpu": {"type": ["string", "number"], "format": "quantity"},
            "ports": {"type": "array", "items": {"type": "string", "format": "range"}},
            "flag": {"type": "boolean"},
            "way": {"enum": ["a", "b"]},
        });
        let schema = json!({"type": "object", "additionalProperties": false, "properties": properties});
        let validator = validator(&schema).unwrap();
        for (value, expected) in [
            (json!({"min": 1, "names": ["a"], "labels": {"a": ".*"}, "cpu": "500m", "flag": true, "way": "b"}), true),
            (json!({"cpu": 4, "ports": ["80", "30000-32767"]}), true),
            (json!({"min": 0}), false),
            (json!({"min": 10}), false),
            (json!({"min": "1"}), false),
            (json!({"names": [""]}), false),
            (json!({"names": "a"}), false),
            (json!({"labels": {}}), false),
            (json!({"labels": {"a": "("}}), false),
            (json!({"cpu": "lots"}), false),
            (json!({"ports": ["9-1"]}), false),
            (json!({"way": "c"}), false),
            (json!({"other": 1}), false),
            (json!([]), false),
        ] {
            assert_eq!((fits(&schema, &value), validator.is_valid(&value)), (expected, expected), "{value}");
        }
    }

    #[test]
    fn every_keyword_of_the_catalogue_is_known_and_every_default_fits() {
        for rule in crate::lint::catalog::RULES {
            for (name, schema) in rule.param_schemas() {
                if let Some(default) = schema.get("default") {
                    assert!(fits(&schema, default), "{}: {name}", rule.id);
                }
                let inner = [Some(&schema), schema.get("items"), schema.get("additionalProperties")];
                for key in inner.into_iter().flatten().filter_map(Value::as_object).flat_map(|own| own.keys()) {
                    assert!(KNOWN.contains(&key.as_str()), "{}: {name}: {key}", rule.id);
                }
            }
        }
    }
}
