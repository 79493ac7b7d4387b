//! ValidatingAdmissionPolicies with their bindings and parameters: `plugin/policy/validating` of k8s.io/apiserver.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use kube_cel::cel::Value;

use super::answer::{describe, diagnostic, reason, server};
use super::cel::{self, Compiled, Gives, Scope};
use super::matching::{Request, matches};
use crate::diag::Diagnostic;
use crate::model::{Bundle, Object, ObjectId, SetId, pod};
use crate::schema::Schema;
use crate::yaml::View;

const GROUP: &str = "admissionregistration.k8s.io";

/// Names that every expression of a policy may use.
const VARIABLES: [&str; 7] = ["object", "oldObject", "request", "params", "namespaceObject", "authorizer", "variables"];

/// The policies that a run knows.
pub(super) struct Policies<'b> {
    all: Vec<Policy<'b>>,
    /// Namespaces of the cluster and of the set, by name.
    namespaces: HashMap<&'b str, View<'b>>,
}

/// Where a policy comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// The set, and so it holds for that.
    Set,
    /// `ruleDirs`.
    Rules,
    /// The cluster around the set.
    Cluster,
}

/// An object that a policy cannot be asked about here.
pub(super) struct Unknown {
    /// Which of the policies.
    policy: usize,
    object: ObjectId,
    /// What only the server knows.
    what: String,
}

/// One policy, compiled.
struct Policy<'b> {
    name: &'b str,
    id: ObjectId,
    bundle: &'b Bundle,
    origin: Origin,
    /// Where its bindings and parameters are; what stands in an earlier one replaces what a later one has.
    places: Vec<&'b Bundle>,
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
    let all = of_bundle(bundle, Origin::Rules, &[bundle]);
    all.into_iter().flat_map(|policy| policy.broken.into_iter().map(move |problem| (policy.id, problem))).collect()
}

fn of_bundle<'b>(bundle: &'b Bundle, origin: Origin, places: &[&'b Bundle]) -> Vec<Policy<'b>> {
    let policies = of_kind(bundle, "ValidatingAdmissionPolicy");
    policies.filter_map(|id| Policy::read(bundle, id, origin, places)).collect()
}

fn of_kind<'b>(bundle: &'b Bundle, kind: &'static str) -> impl Iterator<Item = ObjectId> + 'b {
    bundle.iter().filter(move |(_, object)| object.group() == GROUP && object.kind == kind).map(|(id, _)| id)
}

impl<'b> Policies<'b> {
    /// Those of a set, of the cluster around it, and of `ruleDirs`.
    pub(super) fn of(bundle: &'b Bundle, live: Option<&'b Bundle>, more: Option<&'b Bundle>) -> Policies<'b> {
        let places: Vec<&Bundle> = [bundle].into_iter().chain(live).collect();
        let mut all = of_bundle(bundle, Origin::Set, &places);
        let of_cluster = live.into_iter().flat_map(|live| of_bundle(live, Origin::Cluster, &places));
        let of_cluster: Vec<Policy<'b>> =
            of_cluster.filter(|policy| all.iter().all(|other| other.name != policy.name)).collect();
        all.extend(of_cluster);
        let kept: Vec<Policy<'b>> = more.into_iter().flat_map(|more| of_bundle(more, Origin::Rules, &[more])).collect();
        // A folder of rules may be part of what is checked.
        all.retain(|policy| kept.iter().all(|other| other.name != policy.name));
        all.extend(kept);
        // The server has no order of its own; one by name is the same each time.
        all.sort_by_key(|policy| policy.name);
        let is_namespace = |(_, object): &(ObjectId, &Object)| object.kind == "Namespace" && object.group().is_empty();
        let namespaces = places.iter().rev().flat_map(|bundle| {
            bundle.iter().filter(is_namespace).map(|(id, object)| (object.name.as_str(), bundle.full(id)))
        });
        let namespaces = if all.is_empty() { HashMap::new() } else { namespaces.collect() };
        Policies { all, namespaces }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Policies of the set that the server would not take.
    pub(super) fn broken(&self, bundle: &Bundle) -> Vec<Diagnostic> {
        let own = self.all.iter().filter(|policy| policy.origin == Origin::Set);
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

    /// What the policies say of an object, and which of them cannot say anything here.
    pub(super) fn check(&self, bundle: &Bundle, id: ObjectId, schema: &Schema) -> (Vec<Diagnostic>, Vec<Unknown>) {
        let (mut found, mut unknown) = (Vec::new(), Vec::new());
        // The server judges no policy by a policy.
        if bundle.object(id).group() == GROUP && bundle.object(id).kind.starts_with("Validating") {
            return (found, unknown);
        }
        let set = bundle.object(id).set;
        let request = Request::create(bundle, id, schema, &self.namespaces);
        for (index, policy) in self.all.iter().enumerate() {
            if policy.origin == Origin::Set && bundle.object(policy.id).set != set {
                continue;
            }
            let (denied, whats) = policy.check(bundle, id, &request);
            found.extend(denied);
            unknown.extend(whats.into_iter().map(|what| Unknown { policy: index, object: id, what }));
        }
        (found, unknown)
    }

    /// One finding for each policy that cannot be judged.
    pub(super) fn unjudged(&self, bundle: &Bundle, unknown: &[Unknown]) -> Vec<Diagnostic> {
        let policies = self.all.iter().enumerate();
        let told = policies.filter_map(|(index, policy)| {
            let of_policy: Vec<&Unknown> = unknown.iter().filter(|unknown| unknown.policy == index).collect();
            let first = of_policy.first()?;
            let objects: BTreeSet<ObjectId> = of_policy.iter().map(|unknown| unknown.object).collect();
            let whose = match objects.len() {
                1 => bundle.object(first.object).title(),
                number => format!("{number} objects"),
            };
            let title = format!("ValidatingAdmissionPolicy '{}'", policy.name);
            let message = format!("{title} cannot be judged for {whose}: it rests on {}", first.what);
            let at = if policy.origin == Origin::Set { policy.id } else { first.object };
            let mut found = diagnostic(bundle, at, "policy-unjudged", "", message);
            found.help = Some("`kplan plan --base cluster` asks the API server itself".to_owned());
            Some(found)
        });
        told.collect()
    }
}

impl<'b> Policy<'b> {
    fn read(bundle: &'b Bundle, id: ObjectId, origin: Origin, places: &[&'b Bundle]) -> Option<Policy<'b>> {
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
        let set = (origin == Origin::Set).then(|| bundle.object(id).set);
        let mut bindings = bindings(name, set, places);
        if bindings.is_empty() && origin == Origin::Rules && spec.get("paramKind").is_none() {
            // One that is kept as a rule needs none.
            bindings.push(Binding { name: "", spec: None });
        }
        let fails_closed = spec.get_str("failurePolicy") != Some("Ignore");
        Some(Policy {
            name,
            id,
            bundle,
            origin,
            places: places.to_vec(),
            spec,
            fails_closed,
            conditions,
            variables,
            validations,
            bindings,
            broken,
        })
    }

    /// What it says of a request, and what would have to be known for it to say more.
    fn check(&self, bundle: &Bundle, id: ObjectId, request: &Request<'_>) -> (Vec<Diagnostic>, Vec<String>) {
        let (mut found, mut unknown) = (Vec::new(), Vec::new());
        if !matches(self.spec.get("matchConstraints"), request) {
            return (found, unknown);
        }
        for binding in &self.bindings {
            if !matches(binding.spec.and_then(|spec| spec.get("matchResources")), request) {
                continue;
            }
            for params in self.params(binding, request) {
                let failed = match params {
                    Params::Are(params) => self.failures(request, params, &mut unknown),
                    Params::Denied(message) => vec![Failure { message, view: None, reason: "Invalid" }],
                    Params::Unknown(what) => {
                        unknown.push(what);
                        continue;
                    }
                };
                found.extend(
                    failed.into_iter().flat_map(|failure| self.report(bundle, id, (binding, request), &failure)),
                );
            }
        }
        (found, unknown)
    }

    /// The parameters that a binding names, one evaluation each; an error where none is found and that is to deny.
    fn params(&self, binding: &Binding<'b>, request: &Request<'_>) -> Vec<Params<'b>> {
        let (Some(kind), Some(reference)) =
            (self.spec.get("paramKind"), binding.spec.and_then(|spec| spec.get("paramRef")))
        else {
            return vec![Params::Are(None)];
        };
        let (version, kind) = (kind.get_str("apiVersion").unwrap_or(""), kind.get_str("kind").unwrap_or(""));
        let namespace = reference.get_str("namespace").or(request.object.namespace.as_deref());
        let all = self.places.iter().flat_map(|bundle| bundle.iter().map(move |(id, object)| (bundle, id, object)));
        let of_kind = all.filter(|(.., object)| object.api_version == version && object.kind == kind);
        let in_place =
            of_kind.filter(|(.., object)| object.namespace.is_none() || object.namespace.as_deref() == namespace);
        let wanted =
            in_place.filter(|(bundle, id, object)| match (reference.get_str("name"), reference.get("selector")) {
                (Some(name), _) => object.name == name,
                (None, Some(selector)) => {
                    let labels = bundle.full(*id).at(&["metadata", "labels"]);
                    pod::selector_selects(selector, &pod::labels(labels))
                }
                (None, None) => false,
            });
        let mut seen = BTreeSet::new();
        let found = wanted.filter(|(.., object)| seen.insert(object.key()));
        let found: Vec<Params<'b>> = found.map(|(bundle, id, _)| Params::Are(Some(bundle.full(id)))).collect();
        let live = self.places.iter().find_map(|bundle| bundle.live.as_ref());
        if found.is_empty() && live.is_some_and(|live| !live.knows(kind, namespace.unwrap_or(""))) {
            return vec![Params::Unknown(format!("its parameters, a {kind}, which were not read of the cluster"))];
        }
        if found.is_empty() && reference.get_str("parameterNotFoundAction") == Some("Deny") && self.fails_closed {
            let message =
                "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction";
            return vec![Params::Denied(message.to_owned())];
        }
        found
    }

    fn failures(&self, request: &Request<'_>, params: Option<View<'_>>, unknown: &mut Vec<String>) -> Vec<Failure<'b>> {
        let scope = self.scope(request, params);
        let conditions = self.conditions.iter().map(|condition| (condition, scope.is_true(condition)));
        let conditions: Vec<_> = conditions.collect();
        // One that is false decides, whatever fails beside it.
        if conditions.iter().any(|(_, answer)| *answer == Ok(false)) {
            return Vec::new();
        }
        let failed = conditions.iter().filter_map(|(own, answer)| Some((own, answer.as_ref().err()?)));
        let failed: Vec<Failure<'b>> =
            failed.filter_map(|(own, error)| self.error(&own.text, error, None, unknown)).collect();
        if conditions.iter().any(|(_, answer)| answer.is_err()) {
            return aggregate(failed).into_iter().collect();
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
                Err(error) => {
                    failures.extend(self.error(&validation.expression.text, &error, Some(validation.view), unknown));
                }
            }
        }
        failures
    }

    fn error(
        &self,
        expression: &str,
        error: &str,
        view: Option<View<'b>>,
        unknown: &mut Vec<String>,
    ) -> Option<Failure<'b>> {
        if let Some(what) = cel::only_the_server(error) {
            unknown.push(format!("{what}, which only the API server knows"));
            return None;
        }
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
        scope.set("variables", cel::map(std::iter::empty()));
        for (name, expression) in &self.variables {
            let value = scope.eval(expression);
            scope.set_variable(
                name,
                value.map_err(|error| match cel::only_the_server(&error) {
                    Some(_) => error,
                    None => format!("composited variable \"{name}\" fails to evaluate: {error}"),
                }),
            );
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
        if self.origin == Origin::Set {
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

/// Several errors as one, in the words of the server (`NewAggregate` of apimachinery).
fn aggregate(mut failed: Vec<Failure<'_>>) -> Option<Failure<'_>> {
    let message = match &failed[..] {
        [] | [_] => return failed.pop(),
        many => format!("[{}]", many.iter().map(|one| one.message.as_str()).collect::<Vec<_>>().join(", ")),
    };
    failed.pop().map(|last| Failure { message, ..last })
}

/// Parameters of one evaluation.
enum Params<'b> {
    Are(Option<View<'b>>),
    Denied(String),
    Unknown(String),
}

/// The bindings of a policy; those of one in a set are of that set or of the cluster.
fn bindings<'b>(policy: &str, set: Option<SetId>, places: &[&'b Bundle]) -> Vec<Binding<'b>> {
    let mut found: Vec<Binding<'b>> = Vec::new();
    for bundle in places {
        for id in of_kind(bundle, "ValidatingAdmissionPolicyBinding") {
            let (view, own) = (bundle.full(id), bundle.object(id).set);
            let is_here = bundle.live.is_some() || set.is_none_or(|set| set == own);
            let spec = view.get("spec").filter(|spec| spec.get_str("policyName") == Some(policy));
            let is_new = found.iter().all(|other| other.name != name_of(view));
            found.extend(
                spec.filter(|_| is_here && is_new).map(|spec| Binding { name: name_of(view), spec: Some(spec) }),
            );
        }
    }
    found
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
