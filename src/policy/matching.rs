//! Which objects a policy or a binding is about: `MatchResources` of admissionregistration.k8s.io/v1.

use std::collections::HashMap;

use crate::model::pod;
use crate::model::{Bundle, Object, ObjectId};
use crate::schema::Schema;
use crate::yaml::View;

/// A create of one object, as rules are matched against it.
pub(super) struct Request<'b> {
    pub object: &'b Object,
    pub view: View<'b>,
    /// `deployments`
    pub resource: String,
    /// Labels of its namespace; of a Namespace, its own.
    pub namespace_labels: Vec<(String, String)>,
    pub namespace_object: Option<View<'b>>,
}

impl<'b> Request<'b> {
    /// `namespaces` are those that are known, by name.
    pub(super) fn create(
        bundle: &'b Bundle,
        id: ObjectId,
        schema: &Schema,
        namespaces: &HashMap<&str, View<'b>>,
    ) -> Request<'b> {
        let object = bundle.object(id);
        let view = bundle.full(id);
        let known = schema.served(&object.api_version, &object.kind).map(|kind| kind.plural.to_owned());
        let named = match (object.kind.as_str(), object.group()) {
            ("Namespace", "") => Some(object.name.as_str()),
            _ => object.namespace.as_deref(),
        };
        let namespace = named.and_then(|name| namespaces.get(name).copied());
        let labels = namespace.and_then(|view| view.at(&["metadata", "labels"]));
        let mut labels: Vec<(String, String)> =
            pod::labels(labels).into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        // The server gives every namespace this one.
        let own = "kubernetes.io/metadata.name";
        if let Some(name) = named.filter(|_| labels.iter().all(|(key, _)| key != own)) {
            labels.push((own.to_owned(), name.to_owned()));
        }
        Request {
            object,
            view,
            resource: known.unwrap_or_else(|| plural(&object.kind)),
            namespace_labels: labels,
            namespace_object: namespace,
        }
    }
}

/// A custom kind's resource, as its definition would most likely name it.
fn plural(kind: &str) -> String {
    let kind = kind.to_lowercase();
    match kind.as_bytes() {
        [.., b's' | b'x'] | [.., b'c', b'h'] | [.., b's', b'h'] => format!("{kind}es"),
        [.., letter, b'y'] if !b"aeiou".contains(letter) => format!("{}ies", &kind[..kind.len() - 1]),
        _ => format!("{kind}s"),
    }
}

/// Whether `matchConstraints` or `matchResources` is about a request; nothing is about everything in a binding.
pub(super) fn matches(resources: Option<View<'_>>, request: &Request<'_>) -> bool {
    let Some(resources) = resources else { return true };
    let rules = || resources.list("resourceRules");
    let included = rules().len() == 0 || rules().any(|rule| rule_matches(rule, request));
    let excluded = resources.list("excludeResourceRules").any(|rule| rule_matches(rule, request));
    included && !excluded && selectors_match(resources, request)
}

fn selectors_match(resources: View<'_>, request: &Request<'_>) -> bool {
    let labels = pod::labels(request.view.at(&["metadata", "labels"]));
    let object = resources.get("objectSelector").is_none_or(|selector| pod::selector_selects(selector, &labels));
    let in_namespace = request.object.namespace.is_some() || request.object.kind == "Namespace";
    // Objects of the cluster as a whole are not in any namespace, so no selector leaves them out.
    let namespace = !in_namespace
        || resources.get("namespaceSelector").is_none_or(|selector| {
            let labels = request.namespace_labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            pod::selector_selects(selector, &labels)
        });
    object && namespace
}

fn rule_matches(rule: View<'_>, request: &Request<'_>) -> bool {
    let has = |key: &str, wanted: &str| rule.list(key).filter_map(View::str).any(|own| own == "*" || own == wanted);
    let object = request.object;
    let scope = match rule.get_str("scope").unwrap_or("*") {
        "Cluster" => object.namespace.is_none(),
        "Namespaced" => object.namespace.is_some(),
        _ => true,
    };
    let resource =
        rule.list("resources").filter_map(View::str).any(|own| own == "*" || own == "*/*" || own == request.resource);
    let names = || rule.list("resourceNames").filter_map(View::str);
    // `matchPolicy: Equivalent`, the default, counts other versions of the group as well.
    let version = has("apiVersions", object.version()) || !rule.list("apiVersions").len().eq(&0);
    has("apiGroups", object.group())
        && version
        && has("operations", "CREATE")
        && resource
        && scope
        && (names().next().is_none() || names().any(|name| name == object.name))
}
