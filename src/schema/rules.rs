//! Which rule a decode error belongs to, what it says to a person, and how it is mended.

use super::decode::{DecodeError, Expected, UnknownField};
use super::facts::Schema;
use super::suggest;
use crate::diag::{Edit, Fix};
use crate::yaml::scalar::{self, Scalar};
use crate::yaml::{Tree, Value, View};

/// Rule of a value that does not fit its field.
pub fn rule_for(error: &DecodeError) -> &'static str {
    let env_value = error.owner == "io.k8s.api.core.v1.EnvVar" && error.field == "value";
    if env_value && matches!(error.found, "bool" | "number") { "env-value-not-string" } else { "api-decode" }
}

/// Rule of a field that its type does not have.
pub const UNKNOWN_FIELD: &str = "schema-unknown-field";

/// What is wrong, with the value: `spec.replicas takes an integer, not the string "3"`.
pub fn message(error: &DecodeError, tree: &Tree) -> String {
    let takes = match error.expected {
        Expected::String => "a string",
        Expected::Bool => "true or false",
        Expected::Integer => "an integer",
        Expected::Number => "a number",
        Expected::Base64 => "base64",
        Expected::Quantity => "a quantity such as 500m or 2Gi",
        Expected::IntOrString => "an integer or a string",
        Expected::Time => "a time such as 2006-01-02T15:04:05Z",
        Expected::Schema => "a schema",
        Expected::Map => "a map",
        Expected::List => "a list",
    };
    format!("{} takes {takes}, not {}", error.path, value_of(error, tree))
}

/// The value that does not fit, with what kubectl takes it for.
pub fn value_of(error: &DecodeError, tree: &Tree) -> String {
    value_text(tree.view(error.node), error.owner == "io.k8s.api.core.v1.Secret")
}

/// What to do about it.
pub fn unknown_help(unknown: &UnknownField) -> Option<String> {
    match (unknown.near.first(), unknown.belongs.as_deref()) {
        (Some(near), _) => Some(format!("did you mean `{near}`?")),
        (None, Some("")) => Some(format!("`{}` belongs to the object itself, outside of spec", unknown.key)),
        (None, Some(place)) => Some(format!("`{}` belongs to {place}", unknown.key)),
        (None, None) => Some("remove it, or correct its indentation".to_owned()),
    }
}

/// A value with what kubectl takes it for; only its type where it is secret.
fn value_text(view: View<'_>, secret: bool) -> String {
    let read_as = |kind: &str, json: String| {
        let written = view.written();
        if written == json || written.is_empty() || written.contains('\n') {
            format!("the {kind} {json}")
        } else {
            format!("the {kind} {json} (written {written})")
        }
    };
    match view.value() {
        Value::Map(_) => "a map".to_owned(),
        Value::Seq(_) => "a list".to_owned(),
        Value::Null => "null".to_owned(),
        Value::Bool(_) if secret => "a boolean".to_owned(),
        Value::Str(_) if secret => "this string".to_owned(),
        _ if secret => "a number".to_owned(),
        Value::Str(_) => format!("the string {}", view.to_json()),
        Value::Bool(_) => read_as("boolean", view.to_json()),
        _ => read_as("number", view.to_json()),
    }
}

/// The edit that makes the value fit without another reading of it: quotes around a scalar where a string belongs,
/// no quotes around a number or boolean.
pub fn fix(error: &DecodeError, tree: &Tree) -> Option<Fix> {
    let view = tree.view(error.node);
    let written = view.written();
    let text = match (error.expected, view.value()) {
        (Expected::String, Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Float(_)) => {
            // A tag or an alias stands for the value: quoting its text would change it.
            (scalar::resolve(written) != Scalar::Str).then(|| format!("\"{written}\""))?
        }
        (Expected::Integer, Value::Str(_)) => {
            let plain = view.str()?;
            let integer = matches!(scalar::resolve(plain), Scalar::Int(value) if value.to_string() == plain);
            (quoted(written) && integer && ends_plain(tree, error)).then(|| plain.to_owned())?
        }
        (Expected::Bool, Value::Str(_)) => {
            let plain = view.str()?;
            let boolean = matches!(plain, "true" | "false");
            (quoted(written) && boolean && ends_plain(tree, error)).then(|| plain.to_owned())?
        }
        _ => return None,
    };
    Some(Fix { safe: true, edits: vec![Edit { span: error.span, text }] })
}

/// Whether the value would end where it ends also without its quotes: what follows at once would belong to it.
fn ends_plain(tree: &Tree, error: &DecodeError) -> bool {
    let rest = tree.source().get(error.span.end as usize..).unwrap_or_default();
    rest.chars().next().is_none_or(|next| next.is_ascii_whitespace() || matches!(next, ',' | ']' | '}'))
}

/// The field that was meant, where that is beyond doubt: one near name only, and the value fits it.
pub fn meant<'u>(schema: &Schema, unknown: &'u UnknownField, tree: &Tree) -> Option<&'u str> {
    let near = unknown.near.first()?;
    let distance = suggest::distance(&unknown.key, near)?;
    let next = unknown.near.get(1).and_then(|next| suggest::distance(&unknown.key, next));
    let field = schema.type_(schema.type_id(&unknown.owner)?).field(near)?;
    let clear = distance <= 2 && next.is_none_or(|next| next > distance);
    (clear && super::decode::fits(schema, field, tree.view(unknown.value))).then_some(near.as_ref())
}

/// Renames an unknown field to the near one; safe where [`meant`] is sure.
pub fn rename(schema: &Schema, unknown: &UnknownField, tree: &Tree) -> Option<Fix> {
    let near = unknown.near.first()?;
    let safe = meant(schema, unknown, tree).is_some();
    let written = tree.source().get(unknown.key_span.range())?;
    let text = match written.chars().next() {
        Some(quote @ ('"' | '\'')) => format!("{quote}{near}{quote}"),
        _ if written == unknown.key => near.to_string(),
        _ => return None,
    };
    Some(Fix { safe, edits: vec![Edit { span: unknown.key_span, text }] })
}

fn quoted(written: &str) -> bool {
    written.len() >= 2 && written.starts_with(['"', '\''])
}

/// What to do about a value of the wrong type.
pub fn help(error: &DecodeError, tree: &Tree) -> Option<String> {
    let view = tree.view(error.node);
    Some(match error.expected {
        Expected::String if fix(error, tree).is_some() => format!("put it in quotes: \"{}\"", view.written()),
        Expected::String => "write text, in quotes where it looks like anything else".to_owned(),
        Expected::Integer | Expected::Number => "write a number without quotes".to_owned(),
        Expected::Bool => "write true or false without quotes".to_owned(),
        Expected::Base64 => "encode the value with base64, or write it under `stringData` as it is".to_owned(),
        Expected::Quantity => "write a number with a unit: 500m, 2, 200Mi, 1Gi".to_owned(),
        Expected::IntOrString => "write a number, or a name or percentage in quotes".to_owned(),
        Expected::Time => "write a time such as 2006-01-02T15:04:05Z".to_owned(),
        Expected::Schema => "write a JSON schema".to_owned(),
        Expected::Map => "write `key: value` lines, indented below the field".to_owned(),
        Expected::List => "write `- item` lines below the field".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use crate::source::SourceText;

    use super::*;
    use crate::model::Version;
    use crate::schema::{Decoded, check};
    use crate::yaml::{self, File};

    fn decode(text: &str) -> (File, &'static Schema, Decoded) {
        let schema = Schema::of(Version::DEFAULT).unwrap();
        let file = yaml::read(&SourceText::from(text));
        let object = file.tree.view(file.documents[0].root.unwrap());
        let kind = schema.served(object.get_str("apiVersion").unwrap(), object.get_str("kind").unwrap()).unwrap();
        let decoded = check(schema, kind, object);
        (file, schema, decoded)
    }

    fn pod(container: &str) -> String {
        format!("apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: c\n{container}")
    }

    #[test]
    fn env_values_are_quoted_as_the_user_wrote_them() {
        for written in ["True", "yes", "on", "1", "8.0", "0o17", "1e3", "1_000"] {
            let (file, _, decoded) = decode(&pod(&format!("    env: [{{name: a, value: {written}}}]\n")));
            let error = decoded.error.unwrap();
            assert_eq!(rule_for(&error), "env-value-not-string");
            assert_eq!(error.path, "spec.containers[0].env[0].value");
            let fix = fix(&error, &file.tree).unwrap();
            assert!(fix.safe);
            assert_eq!(fix.edits[0].text, format!("\"{written}\""));
            assert_eq!(&file.tree.source()[fix.edits[0].span.range()], written);
        }
        let (_, _, decoded) = decode(&pod("    env: [{name: a, value: ~}]\n"));
        assert!(decoded.message.is_none());
    }

    #[test]
    fn all_errors_are_found_and_the_first_carries_the_answer() {
        let (file, _, decoded) = decode(&pod("    tty: \"true\"\n    stdin: 1\n    args: x\n    immage: y\n"));
        let error = decoded.error.unwrap();
        assert_eq!(error.path, "spec.containers[0].args");
        assert_eq!(message(&error, &file.tree), "spec.containers[0].args takes a list, not the string \"x\"");
        assert_eq!(decoded.others.len(), 2);
        assert_eq!(fix(&decoded.others[1], &file.tree).unwrap().edits[0].text, "true");
        assert_eq!(decoded.unknown[0].near, ["image"]);
    }

    #[test]
    fn misspelt_fields_are_renamed_when_there_is_no_doubt() {
        let affinity = "apiVersion: v1\nkind: Pod\nspec:\n  affinity:\n    nodeAffinity:\n      \
             preferreDuringSchedulingIgnoredDuringExecution: [{weight: 1, preference: {}}]\n";
        let (file, schema, decoded) = decode(affinity);
        let fix = rename(schema, &decoded.unknown[0], &file.tree).unwrap();
        assert!(fix.safe);
        assert_eq!(fix.edits[0].text, "preferredDuringSchedulingIgnoredDuringExecution");
        // A value that does not fit the near field: it was not meant.
        let (file, schema, decoded) = decode(&pod("    imagee: [a]\n"));
        assert!(!rename(schema, &decoded.unknown[0], &file.tree).unwrap().safe);
        // What is there already is no candidate.
        let (file, schema, decoded) = decode(&pod("    image: a\n    imagee: b\n"));
        assert!(rename(schema, &decoded.unknown[0], &file.tree).is_none());
        let (_, _, decoded) = decode(&pod("    restartPolicyy: x\n    nodeSelector: {}\n"));
        assert_eq!(unknown_help(&decoded.unknown[0]).as_deref(), Some("`nodeSelector` belongs to spec"));
        assert_eq!(decoded.unknown[1].near, ["restartPolicy", "restartPolicyRules"]);
    }

    #[test]
    fn messages_hide_what_is_secret() {
        let (file, _, decoded) = decode("apiVersion: v1\nkind: Secret\ndata: {a: 123456}\nstringData: {b: 5}\n");
        assert_eq!(message(&decoded.error.unwrap(), &file.tree), "data.a takes base64, not a number");
        assert_eq!(message(&decoded.others[0], &file.tree), "stringData.b takes a string, not a number");
    }

    #[test]
    fn absurd_nesting_does_not_overflow_the_stack() {
        let deep = format!("{}{{}}{}", "{\"properties\":{\"a\":".repeat(900), "}}".repeat(900));
        let versions = format!("[{{\"name\":\"v1\",\"schema\":{{\"openAPIV3Schema\":{deep}}}}}]");
        let text = format!(
            "{{\"apiVersion\":\"apiextensions.k8s.io/v1\",\"kind\":\"CustomResourceDefinition\",\"spec\":{{\"versions\":{versions}}}}}"
        );
        let (file, schema, decoded) = decode(&text);
        assert!(decoded.error.is_none());
        let kind = schema.served("apiextensions.k8s.io/v1", "CustomResourceDefinition").unwrap();
        crate::defaults::object(schema, file.tree.view(file.documents[0].root.unwrap()), kind);
    }
}
