//! The stage: every object against the facts of its kind and the API server's validation.

use std::sync::Arc;

use rayon::prelude::*;

use super::{errors, fixes, object, quotas, rules, warnings};
use crate::admission::{Admission, Admitted, Plugin, Refusal};
use crate::diag::{Cause, Diagnostic, Server};
use crate::model::names;
use crate::model::{Bundle, CustomKind, Object, ObjectId, path};
use crate::schema::decode::{self, Decoded};
use crate::schema::{Kind, Life, Lookup, Schema};
use crate::source::Span;
use crate::yaml::View;

/// Judges every object as the API server would; `live` is the state of the cluster around the set.
pub fn run(bundle: &Bundle, live: Option<&Bundle>, schema: &Schema) -> Vec<Diagnostic> {
    let ids: Vec<ObjectId> = bundle.ids().collect();
    let admission = Admission::of(bundle, live);
    let judge = |id: &ObjectId| {
        let object = bundle.object(*id);
        let admitted = admission.mutate(object, bundle.full(*id));
        let full = admitted.as_ref().map_or_else(|| bundle.full(*id), Admitted::view);
        let refused = admitted.as_ref().and_then(|admitted| admitted.refused.as_ref());
        let refused = refused.filter(|refused| !refused.is_absence);
        Judge { bundle, schema, admission: &admission, id: *id, object, full, refused }.run()
    };
    let mut found: Vec<Diagnostic> = ids.par_iter().flat_map_iter(judge).collect();
    found.extend(quotas::run(bundle, live, schema, &admission, &found));
    found
}

/// A finding at a field of an object as written.
pub(super) fn diagnostic(
    bundle: &Bundle,
    id: ObjectId,
    rule: &'static str,
    field: &str,
    message: impl Into<String>,
) -> Diagnostic {
    let object = bundle.object(id);
    let mut diagnostic = Diagnostic::new(rule, object.file, path::place(bundle.written(id), field), message);
    diagnostic.object = Some(id);
    diagnostic.document = Some(object.document);
    diagnostic.field = Some(field.to_owned());
    diagnostic
}

/// What admission says of an object that is valid: the answer 403. `resource` is the plural of its kind.
pub(super) fn forbidden(bundle: &Bundle, id: ObjectId, resource: &str, refusal: &Refusal) -> Diagnostic {
    let object = bundle.object(id);
    let problem = &refusal.message;
    let resource = match object.group() {
        "" => resource.to_owned(),
        group => format!("{resource}.{group}"),
    };
    let message: Arc<str> = format!("{resource} {} is forbidden: {problem}", errors::quote(&object.name)).into();
    let (rule, text) = match refusal.plugin {
        Plugin::LimitRanger => ("limit-range", format!("a LimitRange of the namespace refuses it: {problem}")),
        Plugin::ResourceQuota => ("resource-quota", format!("a ResourceQuota of the namespace refuses it: {problem}")),
        Plugin::PodSecurity => ("pod-security", format!("the namespace refuses it: {problem}")),
        Plugin::Priority | Plugin::RuntimeClass | Plugin::ServiceAccount => {
            ("admission-refused", format!("{:?} refuses it: {problem}", refusal.plugin))
        }
    };
    let field = match refusal.plugin {
        Plugin::Priority if object.kind == "PriorityClass" => "globalDefault",
        _ if bundle.written(id).get("spec").is_some() => "spec",
        _ => "metadata.name",
    };
    let mut diagnostic = diagnostic(bundle, id, rule, field, text);
    diagnostic.server = Some(Server { code: 403, reason: "Forbidden", message, causes: Vec::new() });
    diagnostic
}

struct Judge<'a> {
    bundle: &'a Bundle,
    schema: &'a Schema,
    id: ObjectId,
    object: &'a Object,
    admission: &'a Admission<'a>,
    /// The object as validation sees it: with its defaults, and with what admission adds.
    full: View<'a>,
    /// The answer of admission before the object is validated.
    refused: Option<&'a Refusal>,
}

impl Judge<'_> {
    fn run(&self) -> Vec<Diagnostic> {
        let Object { api_version, kind, .. } = self.object;
        match self.schema.kind(api_version, kind) {
            Lookup::Known(kind) => self.known(kind),
            Lookup::Gone(life) => self.removed(life),
            Lookup::Off(life) => {
                let message = format!("{api_version} {kind} is off unless the cluster switches it on");
                let help = replacement(life).map(|to| format!("use {to}"));
                vec![self.no_such_api("api-not-found", "apiVersion", message, help)]
            }
            Lookup::UnknownKind { served, .. } => vec![self.unknown_kind(&served)],
            Lookup::UnknownGroup if self.custom().is_some() => self.custom_version(),
            Lookup::UnknownGroup => {
                let message =
                    format!("{api_version} {kind} is not judged: no CustomResourceDefinition of it is in the set");
                let help = "add the CRD to the set, or its folder with --crd-dir";
                vec![self.diagnostic("schema-missing", "kind", message).help(help)]
            }
        }
    }

    /// The definition of a custom resource among the objects of the run.
    fn custom(&self) -> Option<&CustomKind> {
        let Object { kind, .. } = self.object;
        self.bundle.custom_kinds.iter().find(|custom| custom.group == self.object.group() && custom.kind == *kind)
    }

    /// A version that the definition does not serve is as good as no definition.
    fn custom_version(&self) -> Vec<Diagnostic> {
        let versions = self.custom().map_or(&[][..], |custom| &custom.versions);
        if versions.iter().any(|version| version == self.object.version()) {
            return Vec::new();
        }
        let Object { api_version, kind, .. } = self.object;
        let message = format!("the CustomResourceDefinition of {kind} does not serve {api_version}");
        let help = format!("use {}", versions.join(" or "));
        vec![self.no_such_api("api-not-found", "apiVersion", message, Some(help))]
    }

    /// A diagnostic at a field of the object as written.
    fn diagnostic(&self, rule: &'static str, field: &str, message: impl Into<String>) -> Diagnostic {
        diagnostic(self.bundle, self.id, rule, field, message)
    }

    fn diagnostic_at(&self, rule: &'static str, span: Span, field: &str, message: impl Into<String>) -> Diagnostic {
        let mut diagnostic = Diagnostic::new(rule, self.object.file, span, message);
        diagnostic.object = Some(self.id);
        diagnostic.document = Some(self.object.document);
        diagnostic.field = Some(field.to_owned());
        diagnostic
    }

    fn known(&self, kind: &Kind) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        if let Some(life) = &kind.deprecated {
            let message = warnings::deprecation(life);
            let mut diagnostic = self.diagnostic("api-deprecated", "apiVersion", message);
            diagnostic.help = replacement(life).map(|to| format!("use {to}"));
            found.push(diagnostic);
        }
        let decoded = decode::check(self.schema, kind, self.bundle.written(self.id));
        // The server looks for the namespace of what it could decode.
        let impossible = self.impossible_namespace().filter(|_| decoded.message.is_none());
        let asked = impossible.is_none();
        found.extend(impossible);
        self.decode_errors(&decoded, asked, &mut found);
        self.semantic_errors(&decoded, asked, &mut found);
        if decoded.message.is_none() {
            self.warnings(&mut found);
        }
        found
    }

    /// A namespace whose name no namespace can have: the server does not find it, and looks no further.
    fn impossible_namespace(&self) -> Option<Diagnostic> {
        let namespace = self.object.namespace.as_deref()?;
        let problem = names::is_dns1123_label(namespace).into_iter().next()?;
        let message = format!("no namespace can be named `{namespace}`: {problem}");
        let mut diagnostic = self.diagnostic("name-invalid", "metadata.namespace", message);
        let segment = names::name_is_path_segment(namespace, false);
        let (code, reason, message) = match segment.is_empty() {
            true => (404, "NotFound", format!("namespaces {} not found", errors::quote(namespace))),
            false => {
                let name = errors::quote(namespace);
                (
                    500,
                    "InternalError",
                    format!("Internal error occurred: invalid resource name {name}: [{}]", segment.join(" ")),
                )
            }
        };
        diagnostic.server = Some(Server { code, reason, message: message.into(), causes: Vec::new() });
        Some(diagnostic)
    }

    /// An API version that was served once: judged as the version that replaced it, behind the server's 404.
    fn removed(&self, life: &Life) -> Vec<Diagnostic> {
        let Object { api_version, kind, .. } = self.object;
        let mut message = format!("{api_version} {kind} was removed");
        if let Some(removed) = life.removed {
            message += &format!(" in Kubernetes {removed}");
        }
        let successor = self.schema.stands_for(api_version, kind);
        let help = replacement(life).map(|to| format!("use {to}"));
        let mut first = self.no_such_api("api-removed", "apiVersion", message, help);
        let mut found = Vec::new();
        if let Some(successor) = successor {
            let decoded = decode::check(self.schema, successor, self.bundle.written(self.id));
            self.decode_errors(&decoded, false, &mut found);
            self.semantic_errors(&decoded, false, &mut found);
            if let Some(note) = fixes::changed_defaults(api_version, kind) {
                let help = first.help.get_or_insert_default();
                help.push_str("; ");
                help.push_str(note);
            }
            // Only the name of the version changes: nothing else may be unknown to its successor.
            if decoded.message.is_none() && successor.kind == kind {
                first.fix = Some(fixes::replace(first.span, successor.api_version));
            }
        }
        found.insert(0, first);
        found
    }

    fn unknown_kind(&self, served: &[&str]) -> Diagnostic {
        let Object { api_version, kind, .. } = self.object;
        let help = match served {
            [] => {
                let near = self.schema.similar_kinds(kind);
                near.first().map(|near| format!("did you mean {} {}?", near.api_version, near.kind))
            }
            versions => Some(format!("{kind} is served as {}", versions.join(", "))),
        };
        let field = if served.is_empty() { "kind" } else { "apiVersion" };
        let message = format!("Kubernetes {} has no {kind} in {api_version}", self.schema.version);
        self.no_such_api("api-not-found", field, message, help)
    }

    fn no_such_api(&self, rule: &'static str, field: &str, message: String, help: Option<String>) -> Diagnostic {
        let mut diagnostic = self.diagnostic(rule, field, message);
        diagnostic.help = help;
        let message = decode::no_match(&self.object.api_version, &self.object.kind).into();
        diagnostic.server = Some(Server { code: 404, reason: "NoKindMatch", message, causes: Vec::new() });
        diagnostic
    }

    /// Wrong types and unknown fields: the answer 400. `asked` is false where the server answers something else first.
    fn decode_errors(&self, decoded: &Decoded, asked: bool, found: &mut Vec<Diagnostic>) {
        use crate::schema::rules as names;
        let tree = &self.bundle.file(self.object.file).tree;
        let server = decoded.message.as_deref().filter(|_| asked).map(|message| Server {
            code: 400,
            reason: "BadRequest",
            message: Arc::from(message),
            causes: Vec::new(),
        });
        for (index, error) in decoded.error.iter().chain(&decoded.others).enumerate() {
            let rule = names::rule_for(error);
            let message = match self.env_name(&error.path).filter(|_| rule == "env-value-not-string") {
                Some(name) => {
                    format!("`{name}` is {}, and a variable takes only strings", names::value_of(error, tree))
                }
                None => names::message(error, tree),
            };
            let mut diagnostic = self.diagnostic_at(rule, error.span, &error.path, message);
            diagnostic.fix = names::fix(error, tree);
            diagnostic.server = server.clone().filter(|_| index == 0);
            diagnostic.help = names::help(error, tree);
            found.push(diagnostic);
        }
        for unknown in &decoded.unknown {
            let message = format!("unknown field `{}`", unknown.key);
            let mut diagnostic = self.diagnostic_at(names::UNKNOWN_FIELD, unknown.key_span, &unknown.path, message);
            diagnostic.fix = names::rename(self.schema, unknown, tree);
            diagnostic.help = names::unknown_help(unknown);
            diagnostic.server = server.clone().filter(|_| decoded.error.is_none());
            found.push(diagnostic);
        }
    }

    /// The variable whose value stands at a path.
    fn env_name(&self, path: &str) -> Option<String> {
        let env = path.strip_suffix(".value")?;
        let found = path::follow(self.bundle.written(self.id), env);
        found.view.get_str("name").map(str::to_owned)
    }

    /// Validation of the defaulted object: the answer 422, which the server gives only to what decodes.
    fn semantic_errors(&self, decoded: &Decoded, asked: bool, found: &mut Vec<Diagnostic>) {
        let Object { api_version, kind, name, .. } = self.object;
        let successor = self.schema.stands_for(api_version, kind).map_or(api_version.as_str(), |kind| kind.api_version);
        let group = successor.split_once('/').map_or("", |(group, _)| group);
        let asked = asked && decoded.message.is_none();
        found.extend(self.refused.filter(|_| asked).and_then(|refused| self.forbidden(refused)));
        let asked = asked && self.refused.is_none();
        let causes = object(group, kind, self.full);
        if causes.is_empty() {
            let refused = self.admission.refuses(self.object, self.full).filter(|_| asked);
            found.extend(refused.and_then(|refused| self.forbidden(&refused)));
            return;
        }
        let message: Arc<str> = errors::status_message(kind, group, name, &causes).into();
        let wrong: Vec<&str> = decoded.error.iter().chain(&decoded.others).map(|error| error.path.as_str()).collect();
        let no_selector = causes.iter().any(|cause| rules::rule_for(kind, cause) == "selector-missing");
        let (implied, causes): (Vec<Cause>, Vec<Cause>) = causes
            .into_iter()
            .partition(|cause| no_selector && rules::rule_for(kind, cause) == "selector-template-mismatch");
        for cause in causes {
            // A field that did not decode has no value to validate.
            if wrong.iter().any(|path| path.starts_with(cause.field.as_str()) || cause.field.starts_with(path)) {
                continue;
            }
            let mut diagnostic = self.cause(&cause);
            if asked {
                let message = message.clone();
                let mut causes = vec![cause];
                // A selector that is missing also matches nothing: one cause, one finding.
                if diagnostic.rule == "selector-missing" {
                    causes.extend(implied.iter().cloned());
                }
                diagnostic.server = Some(Server { code: 422, reason: "Invalid", message, causes });
            }
            found.push(diagnostic);
        }
    }

    fn forbidden(&self, refusal: &Refusal) -> Option<Diagnostic> {
        let Object { api_version, kind, .. } = self.object;
        let kind = self.schema.stands_for(api_version, kind)?;
        Some(forbidden(self.bundle, self.id, kind.plural, refusal))
    }

    fn cause(&self, cause: &Cause) -> Diagnostic {
        let mut rule = rules::rule_for(&self.object.kind, cause);
        let mut field = cause.field.as_str();
        let mut message = format!("{field}: {}", cause.message);
        // Of a DaemonSet the server says only that nothing matches.
        if rule == "selector-template-mismatch" && self.bundle.written(self.id).at(&["spec", "selector"]).is_none() {
            (rule, field) = ("selector-missing", "spec.selector");
            message = "spec.selector is missing, so it does not match the labels of the template".to_owned();
        }
        let mut diagnostic = self.diagnostic(rule, field, message);
        diagnostic.help = rules::help(rule, cause);
        if rule == "selector-missing" {
            diagnostic.fix = fixes::add_selector(self.bundle.written(self.id));
        }
        diagnostic
    }

    /// What PodSecurity warns of.
    fn security_warning(&self, full: View<'_>) -> Option<String> {
        let pod = pod_of(self.object.group(), &self.object.kind, full)?;
        let (metadata, spec) = (pod.get("metadata"), pod.get("spec")?);
        let policy = self.admission.namespace(self.object.namespace.as_deref()?)?.policy;
        let is_pod = self.object.kind == "Pod";
        let refused = is_pod && policy.enforced(metadata, spec).is_some();
        policy.warning(metadata, spec, is_pod).filter(|_| !refused)
    }

    /// What the server would say in a `Warning` header, less what other rules say better.
    fn warnings(&self, found: &mut Vec<Diagnostic>) {
        let full = self.full;
        let (group, kind) = (self.object.group(), self.object.kind.as_str());
        let security = self.security_warning(full).into_iter();
        for warning in warnings::warnings(group, kind, full).into_iter().chain(security) {
            if warning.contains("fractional byte value") {
                continue;
            }
            let field = warning.split_once(": ").map(|(field, _)| field).filter(|field| !field.contains(' '));
            let field = field.unwrap_or("kind").to_owned();
            found.push(self.diagnostic("api-warning", &field, warning));
        }
    }
}

/// The pod template of a workload, or a pod itself.
fn pod_of<'v>(group: &str, kind: &str, full: View<'v>) -> Option<View<'v>> {
    match (group, kind) {
        ("", "Pod") => Some(full),
        ("", "PodTemplate") => full.get("template"),
        ("", "ReplicationController") | ("apps", _) | ("batch", "Job") => full.at(&["spec", "template"]),
        ("batch", "CronJob") => full.at(&["spec", "jobTemplate", "spec", "template"]),
        _ => None,
    }
}

fn replacement(life: &Life) -> Option<String> {
    life.replacement.map(
        |(api_version, kind)| {
            if kind == life.kind { api_version.to_owned() } else { format!("{api_version} {kind}") }
        },
    )
}
