//! The JSON Schema of `kplan.yaml`: made from the types that the file is read with, and from the parameters of the rules.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::file::File;
use crate::model::rule::Rule;

/// Where the schema is published.
const ID: &str = "https://github.com/kplan-dev/kplan/blob/main/schemas/kplan.schema.json";

/// What is judged by the schema: all but the parameters of single rules.
pub(super) fn of_file() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<File>();
    schema.insert("$id".to_owned(), ID.into());
    schema.to_value()
}

/// The whole schema, with every rule and its parameters, as editors want it.
pub fn schema(rules: &[&Rule]) -> Value {
    let mut schema = of_file();
    let by_id: Map<String, Value> = rules.iter().map(|rule| (rule.id.to_owned(), of_rule(rule))).collect();
    if let Some(own) = schema.pointer_mut("/properties/rules").and_then(Value::as_object_mut) {
        own.insert("properties".to_owned(), by_id.into());
    }
    schema
}

fn of_rule(rule: &Rule) -> Value {
    let params = rule.param_schemas();
    if params.is_empty() {
        return json!({"description": rule.title, "$ref": "#/$defs/RuleEntry"});
    }
    json!({
        "description": rule.title,
        "if": {"type": "object"},
        "then": {
            "additionalProperties": false,
            "properties": {
                "severity": {"$ref": "#/$defs/Level"},
                "locked": {"$ref": "#/$defs/RuleOptions/properties/locked"},
                "params": {"type": "object", "additionalProperties": false, "properties": params},
            },
        },
        "else": {"$ref": "#/$defs/Level"},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is checked in is what the code says; `kplan config --schema` writes it.
    #[test]
    fn the_schema_that_is_checked_in_is_current() {
        let rules: Vec<&Rule> = crate::lint::catalog::RULES.iter().collect();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/kplan.schema.json");
        let text = std::fs::read_to_string(path).unwrap();
        let current = serde_json::to_string_pretty(&schema(&rules)).unwrap();
        assert!(text.trim_end() == current, "run `cargo run -- config --schema > schemas/kplan.schema.json`");
    }
}
