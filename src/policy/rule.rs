//! A user's rule: one YAML file with the fields of the catalogue and a CEL expression that is true where all is well.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube_cel::cel::Value;

use super::cel::{self, Compiled, Gives, Scope};
use crate::config::{Settings, severity, tier};
use crate::diag::{Class, Diagnostic, Rule, Severity, Tier};
use crate::model::{Bundle, ObjectId, path};
use crate::source::{Source, SourceText, Span};
use crate::yaml::{self, View};

/// A rule, compiled.
#[derive(Debug)]
pub struct UserRule {
    pub rule: &'static Rule,
    /// Whether `object` is looked at at all.
    when: Option<Compiled>,
    expression: Compiled,
    message: Option<Compiled>,
    /// Path of the field that it is about; else read out of the expression.
    field: Option<String>,
    /// Each container is looked at, as `container`.
    each_container: bool,
    /// Parameters with their defaults.
    params: BTreeMap<String, Value>,
}

/// Why a file is no rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    pub file: String,
    pub line: u32,
    pub column: u32,
    pub message: String,
    pub help: String,
}

const KEYS: [&str; 14] = [
    "id", "group", "class", "tier", "severity", "kinds", "title", "why", "fix", "since", "aliases", "params", "check",
    "cel",
];

const CEL_KEYS: [&str; 5] = ["when", "expression", "message", "field", "each"];

const CLASSES: [Class; 3] = [Class::Broken, Class::Risky, Class::Style];

/// Variables of a rule's expressions.
const VARIABLES: [&str; 3] = ["object", "params", "container"];

/// Reads the text of a rule's file.
///
/// # Errors
/// All that is wrong with it, each with its place.
pub fn parse(name: &str, text: &str) -> Result<UserRule, Vec<RuleError>> {
    let text = SourceText::from(text);
    let file = yaml::read(&text);
    let mut reader = Reader { source: Source::new(name, text.clone()), errors: Vec::new() };
    for document in &file.documents {
        if let Some(error) = &document.error {
            reader.wrong(error.span, error.message.clone(), "correct the YAML");
        }
    }
    let root = file.documents.first().and_then(|document| document.root).map(|root| file.tree.view(root));
    let rule = match root.filter(|root| root.is_map()) {
        Some(root) if reader.errors.is_empty() => reader.rule(root),
        _ => {
            if reader.errors.is_empty() {
                reader.wrong(
                    Span::default(),
                    "this is no rule".to_owned(),
                    "write `id:`, `title:`, `kinds:` and `cel:`",
                );
            }
            None
        }
    };
    match rule {
        Some(rule) if reader.errors.is_empty() => Ok(rule),
        _ => Err(reader.errors),
    }
}

struct Reader {
    source: Source,
    errors: Vec<RuleError>,
}

impl Reader {
    fn wrong(&mut self, span: Span, message: String, help: &str) {
        let place = self.source.line_column(span.start);
        let file = self.source.name.clone();
        self.errors.push(RuleError { file, line: place.line, column: place.column, message, help: help.to_owned() });
    }

    fn known_keys(&mut self, view: View<'_>, known: &[&str]) {
        let entries: Vec<(&str, Span)> = view.entries().map(|(key, span, _)| (key, span)).collect();
        for (key, span) in entries.into_iter().filter(|(key, _)| !known.contains(key)) {
            let help = crate::config::suggest(key, known.iter().copied());
            let help = help.unwrap_or_else(|| format!("write one of {}", known.join(", ")));
            self.wrong(span, format!("unknown key `{key}`"), &help);
        }
    }

    fn text<'v>(&mut self, view: View<'v>, key: &str) -> Option<&'v str> {
        let value = view.get(key)?;
        if value.str().is_none() {
            self.wrong(value.span(), format!("`{key}` is no text"), "write a text");
        }
        value.str()
    }

    fn needed<'v>(&mut self, view: View<'v>, key: &str) -> Option<&'v str> {
        if view.get(key).is_none() {
            let first = view.entries().next().map_or(view.span(), |(_, span, _)| span);
            self.wrong(first, format!("`{key}` is missing"), &format!("add `{key}:`"));
        }
        self.text(view, key)
    }

    /// A word of a list; the error names the list.
    fn word<T>(&mut self, view: View<'_>, key: &str, read: impl Fn(&str) -> Option<T>, known: &str) -> Option<T> {
        let text = self.text(view, key)?;
        let value = read(text);
        if value.is_none() {
            let span = view.get(key).map_or(view.span(), View::span);
            self.wrong(span, format!("`{text}` is not allowed here"), &format!("write one of {known}"));
        }
        value
    }

    fn compiled(&mut self, view: View<'_>, key: &str) -> Option<Compiled> {
        let text = self.text(view, key)?;
        let gives = if key == "message" { Gives::Anything } else { Gives::Truth };
        match cel::compile(text, &VARIABLES, gives) {
            Ok(compiled) => Some(compiled),
            Err(message) => {
                let span = view.get(key).map_or(view.span(), View::span);
                let help = "correct the CEL; the variables are object, params, and container with `each: containers`";
                self.wrong(span, format!("`{key}` does not compile: {message}"), help);
                None
            }
        }
    }

    fn rule(&mut self, root: View<'_>) -> Option<UserRule> {
        self.known_keys(root, &KEYS);
        let id = self.needed(root, "id").unwrap_or_default();
        let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        if let Some(view) = root.get("id").filter(|_| id.is_empty() || !id.chars().all(plain)) {
            self.wrong(view.span(), format!("`{id}` is no id"), "write lower case letters, digits and hyphens");
        }
        let title = self.needed(root, "title").unwrap_or_default();
        if self.text(root, "check").is_some_and(|check| check != "cel") {
            let span = root.get("check").map_or(root.span(), View::span);
            self.wrong(span, "a rule of your own is written in CEL".to_owned(), "write `check: cel`");
        }
        let class = |text: &str| CLASSES.into_iter().find(|class| class.name() == text);
        let class = self.word(root, "class", class, "broken, risky, style").unwrap_or(Class::Risky);
        let severity = self.word(root, "severity", severity, "error, warning, info").unwrap_or(Severity::Warning);
        let tier = self.word(root, "tier", tier, "default, recommended, strict").unwrap_or(Tier::Default);
        let kinds: Vec<&'static str> = root.list("kinds").filter_map(View::str).map(leak).collect();
        let Some(cel) = root.get("cel").filter(|cel| cel.is_map()) else {
            let first = root.entries().next().map_or(root.span(), |(_, span, _)| span);
            self.wrong(first, "`cel` is missing".to_owned(), "add `cel:` with an `expression:`");
            return None;
        };
        self.known_keys(cel, &CEL_KEYS);
        self.needed(cel, "expression");
        let each = self.word(cel, "each", |text| (text == "containers").then_some(()), "containers");
        let texts = |text: Option<&str>| leak(text.unwrap_or_default());
        let rule = Rule {
            id: leak(id),
            group: texts(self.text(root, "group").or(Some("custom"))),
            class,
            tier,
            severity,
            kinds: Vec::leak(if kinds.is_empty() { vec!["any"] } else { kinds }),
            title: leak(title),
            why: texts(self.text(root, "why")),
            fix: texts(self.text(root, "fix").or(Some("See the rule."))),
            since: texts(self.text(root, "since")),
            aliases: Vec::leak(root.list("aliases").filter_map(View::str).map(leak).collect()),
            params: leak(&param_schemas(root)),
        };
        let params = root.map("params").map(|(name, param)| {
            let default = if is_schema(param) { param.get("default") } else { Some(param) };
            (name.to_owned(), default.map_or(Value::Null, cel::value))
        });
        Some(UserRule {
            rule: Box::leak(Box::new(rule)),
            when: self.compiled(cel, "when"),
            message: self.compiled(cel, "message"),
            field: self.text(cel, "field").map(str::to_owned),
            each_container: each.is_some(),
            params: params.collect(),
            expression: self.compiled(cel, "expression")?,
        })
    }
}

/// A parameter is a JSON Schema, as in the catalogue, or its default alone.
fn is_schema(param: View<'_>) -> bool {
    ["default", "description", "type"].iter().any(|key| param.is_map() && param.get(key).is_some())
}

/// The schemas of the parameters of a rule as JSON, by their names.
fn param_schemas(root: View<'_>) -> String {
    let schema = |(name, param): (&str, View<'_>)| {
        let json: serde_json::Value = serde_json::from_str(&param.to_json()).unwrap_or_default();
        (name.to_owned(), if is_schema(param) { json } else { serde_json::json!({ "default": json }) })
    };
    serde_json::Value::Object(root.map("params").map(schema).collect()).to_string()
}

/// Rules live as long as the process, as those that are built in.
fn leak(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

/// What a rule finds in one object.
pub(super) fn check(rule: &UserRule, bundle: &Bundle, id: ObjectId, settings: &Settings) -> Vec<Diagnostic> {
    let object = bundle.object(id);
    let kinds = rule.rule.kinds;
    if !kinds.iter().any(|kind| *kind == "any" || *kind == object.kind) {
        return Vec::new();
    }
    let root = bundle.full(id);
    let mut scope = Scope::default();
    let given = settings.params.get(rule.rule.id);
    let params = rule.params.iter().map(|(name, default)| {
        let value = given.and_then(|given| given.get(name)).map_or_else(|| default.clone(), from_json);
        (name.as_str(), value)
    });
    scope.set("object", cel::object(root, object.namespace.as_deref()));
    scope.set("params", cel::map(params));
    scope.set("container", Value::Null);
    let report = |prefix: &str, field: &str, message: String| {
        let field = if prefix.is_empty() { field.to_owned() } else { format!("{prefix}.{field}") };
        let field = field.trim_end_matches('.').to_owned();
        let place = if field.is_empty() { "metadata.name" } else { &field };
        let mut found = Diagnostic::new(rule.rule.id, object.file, path::place(bundle.written(id), place), message);
        found.object = Some(id);
        found.document = Some(object.document);
        found.field = (!field.is_empty()).then_some(field);
        found
    };
    let containers = match (rule.each_container, object.template(root)) {
        (true, Some(template)) => template.containers().map(|container| Some(container.view)).collect(),
        (true, None) => Vec::new(),
        (false, _) => vec![None],
    };
    let mut found = Vec::new();
    for container in containers {
        let prefix = container.and_then(|view| path::of(root, view)).unwrap_or_default();
        if let Some(view) = container {
            scope.set("container", cel::value(view));
        }
        let variable = if container.is_some() { "container" } else { "object" };
        let field = rule.field.clone().or_else(|| cel::field_of(&rule.expression.text, variable)).unwrap_or_default();
        match verdict(rule, &scope) {
            Ok(None) => {}
            Ok(Some(message)) => found.push(report(&prefix, &field, message)),
            Err(error) => {
                let mut failed =
                    report(&prefix, &field, format!("the rule {} cannot be evaluated: {error}", rule.rule.id));
                failed.rule = "policy-invalid";
                failed.help = Some("let the rule ask with `has()` before it reads a field, or loop less".to_owned());
                found.push(failed);
            }
        }
    }
    found
}

/// The message where the rule is broken.
fn verdict(rule: &UserRule, scope: &Scope) -> Result<Option<String>, String> {
    if let Some(when) = &rule.when
        && !scope.is_true(when)?
    {
        return Ok(None);
    }
    if scope.is_true(&rule.expression)? {
        return Ok(None);
    }
    let message = rule.message.as_ref().map(|message| scope.eval(message)).transpose()?;
    Ok(Some(match message {
        Some(Value::String(text)) => Arc::unwrap_or_clone(text),
        _ => rule.rule.title.to_owned(),
    }))
}

fn from_json(json: &serde_json::Value) -> Value {
    let text = SourceText::from(json.to_string());
    let file = yaml::read_unsplit(&text);
    let root = file.documents.first().and_then(|document| document.root);
    root.map_or(Value::Null, |root| cel::value(file.tree.view(root)))
}
