//! Who may change objects on their way into the cluster: webhooks and policies, by what they say that they are about
//! (`MutatingWebhookConfiguration`, `MutatingAdmissionPolicy` of admissionregistration.k8s.io).

use super::{Client, ClusterError, Request, Resource, Resources};
use crate::model::pod::{self, Labels};
use crate::source::SourceText;
use crate::yaml::{self, View};

const GROUP: &str = "admissionregistration.k8s.io";

/// The configurations of a cluster.
#[derive(Debug, Default)]
pub struct Mutators {
    webhooks: Option<yaml::File>,
    policies: Option<yaml::File>,
    bindings: Option<yaml::File>,
    /// Whether the user may not read some of them.
    pub is_hidden: bool,
}

/// An object that is admitted.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub resource: &'a Resource,
    pub labels: &'a Labels<'a>,
    /// Labels of its namespace; `None` where it has none.
    pub namespace: Option<&'a Labels<'a>>,
}

impl Mutators {
    /// Reads them.
    ///
    /// # Errors
    /// The server gives no answer.
    pub fn read(client: &Client<'_>, resources: &Resources) -> Result<Mutators, ClusterError> {
        let mut is_hidden = false;
        let mut list = |kind: &str| -> Result<Option<yaml::File>, ClusterError> {
            let versions = ["v1", "v1beta1", "v1alpha1"].map(|version| format!("{GROUP}/{version}"));
            let Some(resource) = versions.iter().find_map(|version| resources.get(version, kind)) else {
                return Ok(None);
            };
            let answer = client.send(&Request::get(resource.collection(None)))?;
            is_hidden |= !answer.is_ok();
            Ok(answer.is_ok().then(|| yaml::read(&SourceText::from(answer.body.as_str()))))
        };
        let webhooks = list("MutatingWebhookConfiguration")?;
        let policies = list("MutatingAdmissionPolicy")?;
        let bindings = list("MutatingAdmissionPolicyBinding")?;
        Ok(Mutators { webhooks, policies, bindings, is_hidden })
    }

    /// Those that are about an object, by kind and name.
    pub fn names(&self, subject: Subject<'_>) -> Vec<String> {
        let hooks = items(self.webhooks.as_ref()).flat_map(|configuration| configuration.list("webhooks"));
        let hooks = hooks.filter(|hook| has_rule(*hook, "rules", subject) && selects(*hook, subject));
        let mut found: Vec<String> =
            hooks.filter_map(|hook| hook.get_str("name")).map(|name| format!("webhook {name}")).collect();
        let is_bound = |name: &str| {
            items(self.bindings.as_ref()).filter_map(|binding| binding.get("spec")).any(|binding| {
                let resources = binding.get("matchResources");
                binding.get_str("policyName") == Some(name) && resources.is_none_or(|at| matches(at, subject))
            })
        };
        for policy in items(self.policies.as_ref()) {
            let about = policy.at(&["spec", "matchConstraints"]).is_some_and(|at| matches(at, subject));
            let name = policy.at(&["metadata", "name"]).and_then(View::str).filter(|name| about && is_bound(name));
            found.extend(name.map(|name| format!("MutatingAdmissionPolicy {name}")));
        }
        found
    }
}

fn items(list: Option<&yaml::File>) -> impl Iterator<Item = View<'_>> {
    let root = list.and_then(|file| Some(file.tree.view(file.documents.first()?.root?)));
    root.into_iter().flat_map(|root| root.list("items"))
}

/// `MatchResources`; without rules it is about everything.
fn matches(resources: View<'_>, subject: Subject<'_>) -> bool {
    let included = resources.list("resourceRules").len() == 0 || has_rule(resources, "resourceRules", subject);
    included && !has_rule(resources, "excludeResourceRules", subject) && selects(resources, subject)
}

fn selects(at: View<'_>, subject: Subject<'_>) -> bool {
    let object = at.get("objectSelector").is_none_or(|selector| pod::selector_selects(selector, subject.labels));
    let namespace = at.get("namespaceSelector").zip(subject.namespace);
    object && namespace.is_none_or(|(selector, labels)| pod::selector_selects(selector, labels))
}

/// Whether one of the `RuleWithOperations` is about the object, whatever its version (`matchPolicy: Equivalent`).
fn has_rule(at: View<'_>, key: &str, subject: Subject<'_>) -> bool {
    at.list(key).any(|rule| {
        let names = |key: &str, wanted: &[&str]| rule.list(key).filter_map(View::str).any(|own| wanted.contains(&own));
        let scope = match rule.get_str("scope") {
            Some("Cluster") => !subject.resource.namespaced,
            Some("Namespaced") => subject.resource.namespaced,
            _ => true,
        };
        names("apiGroups", &[subject.resource.group(), "*"])
            && names("resources", &[&subject.resource.plural, "*", "*/*"])
            && names("operations", &["CREATE", "UPDATE", "*"])
            && scope
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn list(items: Value) -> Option<yaml::File> {
        Some(yaml::read(&SourceText::from(json!({ "items": items }).to_string().as_str())))
    }

    fn rule(group: &str, resource: &str) -> Value {
        json!([{"apiGroups": [group], "resources": [resource], "apiVersions": ["v1"], "operations": ["UPDATE"]}])
    }

    fn names(mutators: &Mutators) -> Vec<String> {
        let resource = Resource {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            plural: "deployments".to_owned(),
            namespaced: true,
        };
        let (labels, namespace) = (Labels::from([("a", "b")]), Labels::from([("c", "d")]));
        mutators.names(Subject { resource: &resource, labels: &labels, namespace: Some(&namespace) })
    }

    #[test]
    fn webhooks_count_by_rules_and_selectors() {
        let hook = |name: &str, rules: Value, rest: Value| {
            let mut hook = json!({"name": name, "rules": rules});
            rest.as_object().into_iter().flatten().for_each(|(key, value)| hook[key] = value.clone());
            hook
        };
        let selector = |key: &str, value: &str| json!({"matchLabels": {key: value}});
        let hooks = json!([
            hook("all", rule("*", "*/*"), Value::Null),
            hook("here", rule("apps", "deployments"), json!({"objectSelector": selector("a", "b")})),
            hook("pods", rule("", "pods"), Value::Null),
            hook("scale", rule("apps", "deployments/scale"), Value::Null),
            hook("labels", rule("apps", "*"), json!({"objectSelector": selector("a", "c")})),
            hook("elsewhere", rule("apps", "*"), json!({"namespaceSelector": selector("c", "e")})),
        ]);
        let webhooks = list(json!([{ "webhooks": hooks }]));
        let mutators = Mutators { webhooks, ..Mutators::default() };
        assert_eq!(names(&mutators), ["webhook all", "webhook here"]);
    }

    #[test]
    fn policies_count_where_they_are_bound() {
        let policy = |name: &str, constraints: Value| json!({"metadata": {"name": name}, "spec": {"matchConstraints": constraints}});
        let rules = rule("apps", "deployments");
        let policies = list(json!([
            policy("bound", json!({ "resourceRules": rules })),
            policy("loose", json!({ "resourceRules": rules })),
            policy("excluded", json!({"resourceRules": rules, "excludeResourceRules": rules})),
            policy("narrow", json!({ "resourceRules": rules })),
        ]));
        let narrow = json!({"namespaceSelector": {"matchLabels": {"c": "e"}}});
        let bindings = list(json!([{"spec": {"policyName": "bound"}}, {"spec": {"policyName": "excluded"}},
            {"spec": {"policyName": "narrow", "matchResources": narrow}}]));
        let mutators = Mutators { policies, bindings, ..Mutators::default() };
        assert_eq!(names(&mutators), ["MutatingAdmissionPolicy bound"]);
    }
}
