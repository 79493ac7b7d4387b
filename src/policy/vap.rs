//! ValidatingAdmissionPolicies with their bindings and parameters: `plugin/policy/validating` of k8s.io/apiserver.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube_cel::cel::Value;

use super::cel::{self, Compiled, Gives, Scope};
use super::matching::{Request, matches};
use crate::diag::{Cause, Diagnostic, Server};
use crate::model::{Bundle, ObjectId, path, pod};
use crate::schema::Schema;
use crate::yaml::View;

const GROUP: &str = "admissionregistration.k8s.io";

/// Names that every expression of a policy may use.
const VARIABLES: [&str; 7] = ["object", "oldObject", "request", "params", "namespaceObject", "authorizer", "variables"];

/// The policies that a run knows.
pub(super) struct Policies<'b> {
    all: Vec<Policy<'b>>,
}

/// One policy, compiled.
struct Policy<'b> {
    name: &'b str,
    id: ObjectId,
    /// Where its bindings and parameters are.
    bundle: &'b Bundle,
    /// Whether it is no part of the set, and so holds for all sets.
    is_more: bool,
    spec: View<'b>,
    fails_closed: bool,
    conditions: Vec<Compiled>,
    variables: Vec<(&'b str, Compiled)>,
    validations: Vec<Validation<'b>>,
    bindings: Vec<Binding<'b>>,
    broken: Vec<Problem>,
}

struct Validation<'b> {
    view: View<'b>,
    expression: Compiled,
    message: Option<Compiled>,
}

struct Binding<'b> {
    name: &'b str,
    spec: Option<View<'b>>,
}

/// An expression of a policy that does not compile.
pub struct Problem {
    /// `spec.validations[0].expression`
    pub field: String,
    pub message: String,
}

fn name_of(view: View<'_>) -> &str {
    view.at(&["metadata", "name"]).and_then(View::str).unwrap_or_default()
}

/// The policies of a bundle that do not compile, with the object and what is wrong.
pub fn problems(bundle: &Bundle) -> Vec<(ObjectId, Problem)> {
    let all = Policies::of_bundle(bundle, true);
    all.into_iter().flat_map(|policy| policy.broken.into_iter().map(move |problem| (policy.id, problem))).collect()
}

impl<'b> Policies<'b> {
    pub(super) fn of(bundle: &'b Bundle, more: Option<&'b Bundle>) -> Policies<'b> {
        let mut all = Policies::of_bundle(bundle, false);
        let kept: Vec<Policy<'b>> = more.into_iter().flat_map(|more| Policies::of_bundle(more, true)).collect();
        // A folder of rules may be part of what is checked.
        all.retain(|policy| kept.iter().all(|other| other.name != policy.name));
        all.extend(kept);
        // The server has no order of its own; one by name is the same each time.
        all.sort_by_key(|policy| policy.name);
        Policies { all }
    }

    fn of_bundle(bundle: &'b Bundle, is_more: bool) -> Vec<Policy<'b>> {
        let of_kind = |kind: &'static str| {
            bundle.iter().filter(move |(_, object)| object.group() == GROUP && object.kind == kind).map(|(id, _)| id)
        };
        let policies = of_kind("ValidatingAdmissionPolicy");
        policies
            .filter_map(|id| Policy::read(bundle, id, is_more, of_kind("ValidatingAdmissionPolicyBinding")))
            .collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Policies of the set that the server would not take.
    pub(super) fn broken(&self, bundle: &Bundle) -> Vec<Diagnostic> {
        let own = self.all.iter().filter(|policy| !policy.is_more);
        own.flat_map(|policy| {
            policy.broken.iter().map(|problem| {
                let message = format!("{} does not compile: {}", problem.field, problem.message);
                let mut found = diagnostic(bundle, policy.id, "policy-invalid", &problem.field, message);
                found.help = Some("correct the expression; nothing was judged by it".to_owned());
                found
            })
        })
        .collect()
    }

    pub(super) fn check(&self, bundle: &Bundle, id: ObjectId, schema: &Schema) -> Vec<Diagnostic> {
        // The server judges no policy by a policy.
        if bundle.object(id).group() == GROUP && bundle.object(id).kind.starts_with("Validating") {
            return Vec::new();
        }
        let set = bundle.object(id).set;
        let request = Request::create(bundle, id, schema);
        let mut found = Vec::new();
        for policy in self.all.iter().filter(|policy| policy.is_more || bundle.object(policy.id).set == set) {
            found.extend(policy.check(bundle, id, &request));
        }
        found
    }
}

impl<'b> Policy<'b> {
    fn read(
        bundle: &'b Bundle,
        id: ObjectId,
        is_more: bool,
        bindings: impl Iterator<Item = ObjectId>,
    ) -> Option<Policy<'b>> {
        let view = bundle.full(id);
        let (name, spec) = (name_of(view), view.get("spec")?);
        let mut broken = Vec::new();
        let mut compile = |view: View<'b>, key: &str, at: String| {
            let text = view.get_str(key)?;
            let gives = match key {
                "messageExpression" => Gives::Text,
                _ if at.starts_with("spec.variables") => Gives::Anything,
                _ => Gives::Truth,
            };
            match cel::compile(text, &VARIABLES, gives) {
                Ok(compiled) => Some(compiled),
                Err(message) => {
                    broken.push(Problem { field: format!("{at}.{key}"), message });
                    None
                }
            }
        };
        let conditions = spec.list("matchConditions").enumerate();
        let conditions =
            conditions.filter_map(|(at, view)| compile(view, "expression", format!("spec.matchConditions[{at}]")));
        let conditions: Vec<Compiled> = conditions.collect();
        let variables = spec.list("variables").enumerate().filter_map(|(at, view)| {
            Some((view.get_str("name")?, compile(view, "expression", format!("spec.variables[{at}]"))?))
        });
        let variables: Vec<(&str, Compiled)> = variables.collect();
        let mut validations = Vec::new();
        for (at, view) in spec.list("validations").enumerate() {
            let at = format!("spec.validations[{at}]");
            let message = compile(view, "messageExpression", at.clone());
            if let Some(expression) = compile(view, "expression", at) {
                validations.push(Validation { view, expression, message });
            }
        }
        let set = bundle.object(id).set;
        let bindings = bindings.filter(|binding| is_more || bundle.object(*binding).set == set);
        let bindings = bindings.filter_map(|binding| {
            let spec = bundle.full(binding).get("spec")?;
            (spec.get_str("policyName") == Some(name))
                .then(|| Binding { name: name_of(bundle.full(binding)), spec: Some(spec) })
        });
        let mut bindings: Vec<Binding<'b>> = bindings.collect();
        if bindings.is_empty() && is_more && spec.get("paramKind").is_none() {
            // One that is kept as a rule needs none.
            bindings.push(Binding { name: "", spec: None });
        }
        let fails_closed = spec.get_str("failurePolicy") != Some("Ignore");
        Some(Policy {
            name,
            id,
            bundle,
            is_more,
            spec,
            fails_closed,
            conditions,
            variables,
            validations,
            bindings,
            broken,
        })
    }

    fn check(&self, bundle: &Bundle, id: ObjectId, request: &Request<'_>) -> Vec<Diagnostic> {
        if !matches(self.spec.get("matchConstraints"), request) {
            return Vec::new();
        }
        let mut found = Vec::new();
        for binding in &self.bindings {
            if !matches(binding.spec.and_then(|spec| spec.get("matchResources")), request) {
                continue;
            }
            for params in self.params(binding, request) {
                let failed = match params {
                    Ok(params) => self.failures(request, params),
                    Err(message) => vec![Failure { message, view: None, reason: "Invalid" }],
                };
                found.extend(
                    failed.into_iter().flat_map(|failure| self.report(bundle, id, (binding, request), &failure)),
                );
            }
        }
        found
    }

    /// The parameters that a binding names, one evaluation each; an error where none is found and that is to deny.
    fn params(&self, binding: &Binding<'b>, request: &Request<'_>) -> Vec<Result<Option<View<'b>>, String>> {
        let (Some(kind), Some(reference)) =
            (self.spec.get("paramKind"), binding.spec.and_then(|spec| spec.get("paramRef")))
        else {
            return vec![Ok(None)];
        };
        let (version, kind) = (kind.get_str("apiVersion").unwrap_or(""), kind.get_str("kind").unwrap_or(""));
        let namespace = reference.get_str("namespace").or(request.object.namespace.as_deref());
        let of_kind = self.bundle.iter().filter(|(_, object)| object.api_version == version && object.kind == kind);
        let in_place =
            of_kind.filter(|(_, object)| object.namespace.is_none() || object.namespace.as_deref() == namespace);
        let wanted = in_place.filter(|(id, object)| match (reference.get_str("name"), reference.get("selector")) {
            (Some(name), _) => object.name == name,
            (None, Some(selector)) => {
                let labels = self.bundle.full(*id).at(&["metadata", "labels"]);
                pod::selector_selects(selector, &pod::labels(labels))
            }
            (None, None) => false,
        });
        let found: Vec<Result<Option<View<'b>>, String>> =
            wanted.map(|(id, _)| Ok(Some(self.bundle.full(id)))).collect();
        if found.is_empty() && reference.get_str("parameterNotFoundAction") == Some("Deny") && self.fails_closed {
            let message =
                "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction";
            return vec![Err(message.to_owned())];
        }
        found
    }

    fn failures(&self, request: &Request<'_>, params: Option<View<'_>>) -> Vec<Failure<'b>> {
        let scope = self.scope(request, params);
        for condition in &self.conditions {
            match scope.is_true(condition) {
                Ok(true) => {}
                Ok(false) => return Vec::new(),
                Err(error) => return self.error(&condition.text, &error, None).into_iter().collect(),
            }
        }
        let mut failures = Vec::new();
        for validation in &self.validations {
            match scope.is_true(&validation.expression) {
                Ok(true) => {}
                Ok(false) => failures.push(Failure {
                    message: message(&scope, validation),
                    view: Some(validation.view),
                    reason: reason(validation.view),
                }),
                Err(error) => failures.extend(self.error(&validation.expression.text, &error, Some(validation.view))),
            }
        }
        failures
    }

    fn error(&self, expression: &str, error: &str, view: Option<View<'b>>) -> Option<Failure<'b>> {
        let message = format!("expression '{expression}' resulted in error: {error}");
        self.fails_closed.then_some(Failure { message, view, reason: "Invalid" })
    }

    fn scope(&self, request: &Request<'_>, params: Option<View<'_>>) -> Scope {
        let mut scope = Scope::default();
        scope.set("object", cel::object(request.view, request.object.namespace.as_deref()));
        scope.set("oldObject", Value::Null);
        scope.set("params", params.map_or(Value::Null, cel::value));
        scope.set("namespaceObject", request.namespace_object.map_or(Value::Null, cel::value));
        scope.set("request", describe(request));
        let mut known: Vec<(&str, Value)> = Vec::new();
        scope.set("variables", cel::map(std::iter::empty()));
        for (name, expression) in &self.variables {
            // One that fails is missing where it is used, which is the error then.
            if let Ok(value) = scope.eval(expression) {
                known.push((name, value));
                scope.set("variables", cel::map(known.iter().cloned()));
            }
        }
        scope
    }

    fn report(
        &self,
        bundle: &Bundle,
        id: ObjectId,
        (binding, request): (&Binding<'_>, &Request<'_>),
        failure: &Failure<'_>,
    ) -> Vec<Diagnostic> {
        let own: BTreeSet<&str> = match binding.spec {
            Some(spec) => spec.list("validationActions").filter_map(View::str).collect(),
            None => BTreeSet::from(["Deny"]),
        };
        let with = if binding.name.is_empty() { String::new() } else { format!(" with binding '{}'", binding.name) };
        let expression = failure.view.and_then(|view| view.get_str("expression")).unwrap_or_default();
        let field = cel::field_of(expression, "object").unwrap_or_default();
        let title = format!("ValidatingAdmissionPolicy '{}'{with}", self.name);
        let mut found = Vec::new();
        if own.contains("Deny") {
            let message = format!("{title} denied request: {}", failure.message);
            let mut denied = diagnostic(bundle, id, "policy-denied", &field, message.clone());
            denied.server = binding.spec.map(|_| server(request, &message, failure.reason));
            found.push(denied);
        }
        if own.contains("Warn") {
            let message = format!("Validation failed for {title}: {}", failure.message);
            found.push(diagnostic(bundle, id, "policy-warning", &field, message));
        }
        if !self.is_more {
            let span = failure.view.and_then(|view| view.get("expression")).map(View::span);
            let file = self.bundle.object(self.id).file;
            for found in &mut found {
                let text = span.map(|_| "this expression is false".to_owned());
                found.related.extend(text.map(|message| crate::diag::Related {
                    file,
                    span: span.unwrap_or_default(),
                    message,
                }));
            }
        }
        found
    }
}

/// One validation that did not hold.
struct Failure<'b> {
    message: String,
    view: Option<View<'b>>,
    reason: &'static str,
}

/// `messageExpression`, else `message`, else the expression itself.
fn message(scope: &Scope, validation: &Validation<'_>) -> String {
    let made = validation.message.as_ref().and_then(|message| match scope.eval(message) {
        // The server takes no message that is empty or has several lines.
        Ok(Value::String(text)) if !text.trim().is_empty() && !text.contains('\n') => Some(Arc::unwrap_or_clone(text)),
        _ => None,
    });
    let own = || validation.view.get_str("message").map(|text| text.trim().to_owned());
    made.map(|text| text.trim().to_owned())
        .or_else(own)
        .unwrap_or_else(|| format!("failed expression: {}", validation.expression.text))
}

fn reason(validation: View<'_>) -> &'static str {
    match validation.get_str("reason") {
        Some("Unauthorized") => "Unauthorized",
        Some("Forbidden") => "Forbidden",
        Some("RequestEntityTooLarge") => "RequestEntityTooLarge",
        _ => "Invalid",
    }
}

fn server(request: &Request<'_>, message: &str, reason: &'static str) -> Server {
    let code = match reason {
        "Unauthorized" => 401,
        "Forbidden" => 403,
        "RequestEntityTooLarge" => 413,
        _ => 422,
    };
    let (object, resource) = (request.object, &request.resource);
    let group = if object.group().is_empty() { String::new() } else { format!(".{}", object.group()) };
    let message: Arc<str> = Arc::from(format!("{resource}{group} \"{}\" is forbidden: {message}", object.name));
    let cause = message.split_once(" is forbidden: ").map(|(_, cause)| cause.to_owned()).unwrap_or_default();
    let causes = vec![Cause { field: String::new(), reason: "", message: cause }];
    Server { code, reason, message, causes }
}

fn diagnostic(bundle: &Bundle, id: ObjectId, rule: &'static str, field: &str, message: String) -> Diagnostic {
    let object = bundle.object(id);
    let span = match field {
        "" => path::place(bundle.written(id), "metadata.name"),
        field => path::place(bundle.written(id), field),
    };
    let mut found = Diagnostic::new(rule, object.file, span, message);
    found.object = Some(id);
    found.document = Some(object.document);
    found.field = (!field.is_empty()).then(|| field.to_owned());
    found
}

/// `request`: a create by somebody who is not known here.
fn describe(request: &Request<'_>) -> Value {
    let object = request.object;
    let kind = || {
        cel::map(
            [("group", object.group()), ("version", object.version()), ("kind", object.kind.as_str())]
                .into_iter()
                .map(|(key, text)| (key, cel::text(text))),
        )
    };
    let resource = || {
        cel::map(
            [("group", object.group()), ("version", object.version()), ("resource", request.resource.as_str())]
                .into_iter()
                .map(|(key, text)| (key, cel::text(text))),
        )
    };
    let fields = [
        ("kind", kind()),
        ("requestKind", kind()),
        ("resource", resource()),
        ("requestResource", resource()),
        ("name", cel::text(&object.name)),
        ("namespace", cel::text(object.namespace.as_deref().unwrap_or_default())),
        ("operation", cel::text("CREATE")),
        ("dryRun", Value::Bool(false)),
    ];
    cel::map(fields.into_iter())
}
