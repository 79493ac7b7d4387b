//! What is wrong with a `kplan.yaml`, with places and remedies.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::{Value, json};

use super::file::File;
use super::{contradictions, quick, schema};
use crate::model::Version;
use crate::model::quantity::Quantity;
use crate::model::rule::Rule;
use crate::source::{Source, SourceText, Span};
use crate::yaml::{self, View};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// 1-based.
    pub line: u32,
    /// 1-based, in code points.
    pub column: u32,
    pub message: String,
    pub help: String,
}

impl Problem {
    /// A problem of the file as a whole.
    pub fn start(message: String, help: &str) -> Problem {
        Problem { line: 1, column: 1, message, help: help.to_owned() }
    }
}

/// A problem before its place is counted out.
pub(super) struct Raw {
    pub span: Span,
    pub message: String,
    pub help: String,
}

/// What a file holds, and all its problems.
pub(super) fn find(file: &yaml::File, text: &SourceText, rules: &[&Rule]) -> (Option<File>, Vec<Problem>) {
    let mut found = Vec::new();
    for document in &file.documents {
        if let Some(error) = &document.error {
            let message = error.message.trim_start_matches("error converting YAML to JSON: ");
            let message = message.trim_start_matches("yaml: ").to_owned();
            found.push(Raw { span: error.span, message, help: "correct the YAML".to_owned() });
        }
    }
    for duplicate in &file.tree.duplicates {
        let message = format!("`{}` stands twice in one map", file.tree.str(duplicate.key));
        found.push(Raw { span: duplicate.second, message, help: "remove one of the two".to_owned() });
    }
    if let Some(second) = file.documents.get(1) {
        let message = "a second document is not read".to_owned();
        found.push(Raw { span: second.span, message, help: "write everything in one document".to_owned() });
    }
    let mut read = Some(File::default());
    if let Some(root) = file.documents.first().and_then(|document| document.root) {
        let root = file.tree.view(root);
        read = read_file(root, &mut found);
        rule_problems(root, rules, &mut found);
        param_problems(root, rules, &mut found);
        value_problems(root, &mut found);
        contradictions::find(root, &mut found);
    }
    let source = Source::new("", text.clone());
    found.sort_by_key(|raw| raw.span);
    // Of one value that is wrong in several ways one is enough.
    found.dedup_by(|later, first| later.span == first.span && later.message == first.message);
    (read, found.into_iter().map(|raw| placed(&source, raw)).collect())
}

fn placed(source: &Source, raw: Raw) -> Problem {
    let place = source.line_column(raw.span.start);
    Problem { line: place.line, column: place.column, message: raw.message, help: raw.help }
}

/// Reads the file through its types; the schema is compiled only where they do not take it, to say what is wrong.
fn read_file(root: View<'_>, found: &mut Vec<Raw>) -> Option<File> {
    let json = root.to_json();
    let error = match serde_json::from_str(&json) {
        Ok(read) if has_maps(root) => return Some(read),
        Ok(_) => "not as the schema says".to_owned(),
        Err(error) => error.to_string(),
    };
    let before = found.len();
    let (schema, value) = (schema::of_file(), serde_json::from_str::<Value>(&json).unwrap_or_default());
    if let Ok(validator) = jsonschema::validator_for(&schema) {
        for error in validator.iter_errors(&value) {
            let view = at(root, error.instance_path().as_str());
            describe(&schema, view, &error, found);
        }
    }
    if found.len() == before {
        let help = "see schemas/kplan.schema.json".to_owned();
        found.push(Raw { span: first_key(root), message: error, help });
    }
    None
}

/// Whether maps stand where structs are read, which would take lists as well.
fn has_maps(root: View<'_>) -> bool {
    let lists = ["nodes", "overrides", "charts", "conflicts", "workloads", "podSecurity"];
    let ignores = root.get("ignore").into_iter().flat_map(|ignore| ignore.items().chain(ignore.list("findings")));
    root.is_map()
        && root.get("applySet").is_none_or(View::is_map)
        && lists.iter().flat_map(|key| root.list(key)).chain(ignores).all(View::is_map)
        && root.map("rules").all(|(_, entry)| !entry.is_seq())
}

/// The node at a JSON pointer, or the nearest above it.
fn at<'a>(root: View<'a>, pointer: &str) -> View<'a> {
    let mut view = root;
    for part in pointer.split('/').skip(1) {
        let key = part.replace("~1", "/").replace("~0", "~");
        let next = match view.is_seq() {
            true => key.parse().ok().and_then(|index: usize| view.items().nth(index)),
            false => view.entry(&key).map(|(_, value)| value),
        };
        match next {
            Some(next) => view = next,
            None => break,
        }
    }
    view
}

fn describe(schema: &Value, view: View<'_>, error: &ValidationError<'_>, found: &mut Vec<Raw>) {
    let mut add = |span: Span, message: String, help: String| found.push(Raw { span, message, help });
    let written = view.str().unwrap_or_else(|| view.written());
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let known = known_keys(schema, error);
            for key in unexpected {
                let help = suggest(key, known.iter().map(String::as_str))
                    .unwrap_or_else(|| format!("write one of {}", known.join(", ")));
                add(view.key_span(key).unwrap_or(view.span()), format!("unknown key `{key}`"), help);
            }
        }
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            add(first_key(view), format!("`{name}` is missing"), format!("add `{name}:`"));
        }
        ValidationErrorKind::Enum { options } => {
            let options: Vec<&str> = options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let help = format!("write one of {}", options.join(", "));
            add(view.span(), not_allowed(view), help);
        }
        ValidationErrorKind::Type { .. } => {
            let help = match error.schema_path().as_str() {
                "/type" => "write keys and values, as `tier: strict`".to_owned(),
                _ => form_help(schema, error).unwrap_or_else(|| type_help(error)),
            };
            // YAML 1.1, which kubectl reads, takes these words for booleans.
            let word = view.bool().is_some() && !matches!(written, "true" | "false");
            let help = if word { format!("quote it: \"{written}\"; unquoted it is a boolean") } else { help };
            add(view.span(), not_allowed(view), help);
        }
        ValidationErrorKind::Pattern { .. } => {
            let help = field_description(schema, error).unwrap_or_else(|| "see the schema of kplan.yaml".to_owned());
            add(view.span(), format!("`{written}` is not written as it should be"), format!("write {help}"));
        }
        ValidationErrorKind::Format { format } => {
            let (what, example) = match format.as_str() {
                "quantity" => ("quantity", "4, 500m or 8Gi"),
                "range" => ("range of ports", "\"80\" or \"30000-32767\""),
                _ => ("regular expression", "\"prod-.*\""),
            };
            add(view.span(), format!("`{written}` is no {what}"), format!("write it as {example}"));
        }
        ValidationErrorKind::Minimum { limit } => {
            add(view.span(), format!("`{written}` is too small"), format!("write {limit} or more"));
        }
        ValidationErrorKind::Maximum { limit } => {
            add(view.span(), format!("`{written}` is too large"), format!("write {limit} or less"));
        }
        ValidationErrorKind::MinLength { .. } => {
            add(view.span(), "an empty text is not allowed here".to_owned(), "write a text, or remove it".to_owned());
        }
        ValidationErrorKind::MinProperties { .. } => {
            let help = "write at least one key and value".to_owned();
            add(view.span(), "an empty map is not allowed here".to_owned(), help);
        }
        _ => add(view.span(), error.to_string(), "see schemas/kplan.schema.json".to_owned()),
    }
}

/// Keys of the object schema that an error comes from.
fn known_keys(schema: &Value, error: &ValidationError<'_>) -> Vec<String> {
    let path = error.schema_path().as_str();
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let parent = resolve(schema, parent);
    let keys = parent.and_then(|parent| parent.get("properties")).and_then(Value::as_object);
    keys.map(|keys| keys.keys().cloned().collect()).unwrap_or_default()
}

/// What the schema says about the list or field that holds a value.
fn field_description(schema: &Value, error: &ValidationError<'_>) -> Option<String> {
    let mut path = error.schema_path().as_str();
    while let Some((parent, _)) = path.rsplit_once('/') {
        path = parent;
        let text = resolve(schema, path).and_then(|at| at.get("description")).and_then(Value::as_str);
        if let Some(text) = text {
            return Some(text.trim_end_matches('.').to_owned());
        }
    }
    None
}

/// Follows a schema path; `$ref` steps lead into `$defs`.
fn resolve<'s>(schema: &'s Value, path: &str) -> Option<&'s Value> {
    let mut at = schema;
    for part in path.split('/').skip(1) {
        at = match part {
            "$ref" => schema.pointer(at.get("$ref")?.as_str()?.trim_start_matches('#'))?,
            part => {
                let part = part.replace("~1", "/").replace("~0", "~");
                part.parse().ok().and_then(|index: usize| at.get(index)).or_else(|| at.get(&part))?
            }
        };
    }
    Some(at)
}

fn not_allowed(view: View<'_>) -> String {
    if view.is_seq() {
        "a list is not allowed here".to_owned()
    } else if view.is_map() {
        "a map is not allowed here".to_owned()
    } else {
        format!("`{}` is not allowed here", view.str().unwrap_or_else(|| view.written()))
    }
}

/// What the schema says about the form of a text, where it wants one.
fn form_help(schema: &Value, error: &ValidationError<'_>) -> Option<String> {
    let parent = error.schema_path().as_str().rsplit_once('/').map(|(parent, _)| parent)?;
    resolve(schema, parent)?.get("pattern")?;
    Some(format!("write {}", field_description(schema, error)?))
}

fn type_help(error: &ValidationError<'_>) -> String {
    let text = error.to_string();
    let types = text.rsplit_once("of type").or_else(|| text.rsplit_once("of types")).map_or("", |(_, types)| types);
    let words: Vec<&str> = types
        .split(|char: char| !char.is_ascii_alphabetic())
        .filter_map(|name| match name {
            "string" => Some("text"),
            "array" => Some("a list"),
            "object" => Some("a map"),
            "integer" => Some("a whole number"),
            "number" => Some("a number"),
            "boolean" => Some("true or false"),
            _ => None,
        })
        .collect();
    format!("write {}", words.join(" or "))
}

/// Ids of rules that are none.
fn rule_problems(root: View<'_>, rules: &[&Rule], found: &mut Vec<Raw>) {
    let overrides = root.list("overrides").filter_map(|entry| entry.get("rules"));
    for severities in root.get("rules").into_iter().chain(overrides) {
        found.extend(severities.entries().filter_map(|(id, span, _)| unknown_rule(id, span, rules)));
    }
    let ignores = root.get("ignore").into_iter().flat_map(|ignore| ignore.items().chain(ignore.list("findings")));
    for rule in ignores.filter_map(|entry| entry.get("rule")) {
        let id = rule.str().unwrap_or_default();
        found.extend(unknown_rule(id, rule.span(), rules).filter(|_| id != "*" && !id.is_empty()));
    }
}

/// Parameters that their rule does not have, or of another form, and rules that lack one.
fn param_problems(root: View<'_>, rules: &[&Rule], found: &mut Vec<Raw>) {
    for (id, span, entry) in root.get("rules").into_iter().flat_map(View::entries) {
        let Some(rule) = rules.iter().find(|rule| rule.id == id) else { continue };
        let params = entry.get("params").filter(|params| params.is_map());
        let needed = rule.needed_params();
        let severity = if entry.is_map() { entry.get("severity") } else { Some(entry) };
        let is_on = severity.is_some_and(|severity| severity.str().and_then(super::severity).is_some());
        let given = |name: &String| params.is_some_and(|params| params.get(name).is_some());
        if is_on && !needed.is_empty() && !needed.iter().any(given) {
            let message = format!("`{id}` finds nothing without a parameter");
            let help = format!("add `params:` with {}; `kplan explain {id}` tells more", needed.join(" or "));
            found.push(Raw { span, message, help });
        }
        let Some((params, value)) = params.and_then(|view| Some((view, serde_json::from_str(&view.to_json()).ok()?)))
        else {
            continue;
        };
        let properties = rule.param_schemas();
        if properties.is_empty() {
            let message = format!("the rule `{id}` has no parameters");
            found.push(Raw { span: first_key(params), message, help: "remove `params:`".to_owned() });
            continue;
        }
        let schema = json!({"type": "object", "additionalProperties": false, "properties": properties});
        if quick::fits(&schema, &value) {
            continue;
        }
        let validator = match quick::validator(&schema) {
            Ok(validator) => validator,
            Err(error) => {
                let message = format!("the parameters of `{id}` cannot be judged: {error}");
                let help = format!("correct the JSON Schema under `params:` of the rule {id}");
                found.push(Raw { span: first_key(params), message, help });
                continue;
            }
        };
        for error in validator.iter_errors(&value) {
            describe(&schema, at(params, error.instance_path().as_str()), &error, found);
        }
    }
}

/// Versions and quantities that are none.
fn value_problems(root: View<'_>, found: &mut Vec<Raw>) {
    let plain = |view: &View<'_>| !view.is_map() && !view.is_seq();
    if let Some(version) = root.get("kubeVersion").filter(plain) {
        let text = version.str().unwrap_or_else(|| version.written());
        for part in text.split("..").filter(|part| part.parse::<Version>().is_err()) {
            let message = format!("`{part}` is no Kubernetes version");
            found.push(Raw { span: version.span(), message, help: "write it as \"1.36\"".to_owned() });
        }
    }
    for amount in root.list("nodes").flat_map(|node| [node.get("cpu"), node.get("memory")]).flatten().filter(plain) {
        let text = amount.str().unwrap_or_else(|| amount.written());
        if Quantity::parse(text).is_err() {
            let message = format!("`{text}` is no quantity");
            found.push(Raw { span: amount.span(), message, help: "write it as 4, 500m or 8Gi".to_owned() });
        }
    }
}

fn unknown_rule(id: &str, span: Span, rules: &[&Rule]) -> Option<Raw> {
    if rules.iter().any(|rule| rule.id == id) {
        return None;
    }
    let help = suggest(id, rules.iter().map(|rule| rule.id)).unwrap_or_else(|| "`kplan rules` lists them".to_owned());
    Some(Raw { span, message: format!("`{id}` is no rule of kplan"), help })
}

/// `did you mean …?` with the nearest of the known words.
pub fn suggest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<String> {
    let known: Vec<&str> = known.collect();
    let near = similar::get_close_matches(word, &known, 1, 0.6);
    near.first().map(|near| format!("did you mean `{near}`?"))
}

fn first_key(view: View<'_>) -> Span {
    view.entries().next().map_or(view.span(), |(_, key, _)| key)
}
