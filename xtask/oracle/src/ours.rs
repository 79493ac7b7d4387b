//! kplan's side: the same stages as `kplan check`, over one object.

use kplan::config::Settings;
use kplan::diag::Diagnostic;
use kplan::load::{self, Input};
use kplan::model::Bundle;
use kplan::schema::{Kind, Schema, check};
use kplan::source::SourceText;
use kplan::{defaults, parse, validate, yaml};
use serde_json::Value;

use crate::answer::{Answer, Cause};
use crate::generate::{kind_of, names_of};
use crate::server::sent;

/// What kplan says of creating an object.
pub(crate) fn create(schema: &Schema, object: &Value) -> Answer {
    let settings = Settings { namespace: crate::server::NAMESPACE.to_owned(), ..Settings::default() };
    let content = Ok(sent(object).into_bytes());
    let input = Input { name: "object.json".to_owned(), content, path: 0, explicit: true };
    let (loaded, _) = load::assemble(vec![input], &settings);
    let scope = |version: &str, kind: &str| schema.served(version, kind).map(|kind| kind.namespaced);
    let (mut bundle, read) = parse::run(loaded, &settings, &scope);
    defaults::run(&mut bundle, schema);
    let found = validate::run(&bundle, None, schema);
    let mut answer = of_server(&found);
    if let Some(problem) = read.iter().find(|_| bundle.objects.is_empty()) {
        answer = Answer { code: 400, message: problem.message.clone(), ..Answer::default() };
    }
    if answer.is_accepted() {
        answer.warnings = warnings(schema, &bundle);
    }
    answer
}

/// The answer that the findings make up together.
pub(crate) fn of_server(found: &[Diagnostic]) -> Answer {
    let mut answer = Answer::default();
    for server in found.iter().filter_map(|diagnostic| diagnostic.server.as_ref()) {
        if answer.is_accepted() {
            answer.code = u64::from(server.code);
            answer.message = server.message.to_string();
        }
        answer.causes.extend(server.causes.iter().map(cause));
    }
    answer
}

fn cause(cause: &kplan::diag::Cause) -> Cause {
    Cause { field: cause.field.clone(), reason: cause.reason.to_owned(), message: cause.message.clone() }
}

fn warnings(schema: &Schema, bundle: &Bundle) -> Vec<String> {
    let Some((id, object)) = bundle.iter().next() else { return Vec::new() };
    let kind = schema.served(&object.api_version, &object.kind);
    let mut said: Vec<String> = kind.and_then(deprecation).into_iter().collect();
    said.extend(validate::warnings(object.group(), &object.kind, bundle.full(id)));
    said
}

/// The server warns of the version before it looks at the object.
fn deprecation(kind: &Kind) -> Option<String> {
    kind.deprecated.as_ref().map(validate::deprecation)
}

/// What kplan says of replacing an object.
pub(crate) fn update(schema: &Schema, old: &Value, new: &Value) -> Answer {
    let Some(kind) = kind_of(schema, new) else { return Answer::default() };
    let files = [old, new].map(|object| yaml::read(&SourceText::from(sent(object))));
    let roots: Vec<yaml::View<'_>> =
        files.iter().filter_map(|file| Some(file.tree.view(file.documents.first()?.root?))).collect();
    let [old_root, new_root] = roots[..] else { return Answer::default() };
    if let Some(message) = check(schema, kind, new_root).message {
        return Answer { code: 400, message, ..Answer::default() };
    }
    let (old_tree, old_id) = defaults::received(schema, old_root, kind);
    let (new_tree, new_id) = defaults::received(schema, new_root, kind);
    let (api_version, name) = names_of(new);
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let (old, after) = (old_tree.view(old_id), new_tree.view(new_id));
    let causes = validate::update(group, name, old, after);
    if causes.is_empty() {
        let mut warnings: Vec<String> = deprecation(kind).into_iter().collect();
        warnings.extend(validate::update_warnings(group, name, old, after));
        return Answer { warnings, ..Answer::default() };
    }
    let metadata_name = new["metadata"]["name"].as_str().unwrap_or_default();
    let message = validate::status_message(name, group, metadata_name, &causes);
    Answer { code: 422, message, causes: causes.iter().map(cause).collect(), warnings: Vec::new() }
}
