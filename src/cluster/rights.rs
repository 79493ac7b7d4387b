//! Whether the user may do what an apply needs: asked of the server (`SelfSubjectAccessReview`), which writes nothing.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Client, ClusterError, Method, Request, Resources, parallel};
use crate::diff::{Action, Answer, Change};
use crate::model::Bundle;
use crate::yaml::View;

const REVIEW: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/// Something that RBAC or another authorizer allows or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    pub verb: &'static str,
    /// `apps`; empty for the core group.
    pub group: String,
    /// `deployments`.
    pub resource: String,
    /// `None` for the whole cluster.
    pub namespace: Option<String>,
}

impl Right {
    /// `patch deployments.apps in namespace shop`.
    pub fn text(&self) -> String {
        self.with(self.verb)
    }

    /// The same for other verbs.
    pub fn with(&self, verbs: &str) -> String {
        let dot = if self.group.is_empty() { "" } else { "." };
        let place = self
            .namespace
            .as_ref()
            .map_or_else(|| "in the cluster".to_owned(), |namespace| format!("in namespace {namespace}"));
        format!("{verbs} {}{dot}{} {place}", self.resource, self.group)
    }
}

/// A right that is missing, and the objects that need it, by title.
pub type Missing = BTreeMap<Right, Vec<String>>;

/// The rights that carrying out the changes needs and the user does not have. What gives others rights needs these rights
/// itself, or `escalate` and `bind`: that the dry run says. A new namespace is asked about like any other.
///
/// # Errors
/// The server gives no answer any more.
pub fn missing<'a>(
    client: &Client<'_>,
    resources: &Resources,
    bundle: &Bundle,
    changes: impl Iterator<Item = (&'a Change, Option<&'a Answer>)>,
) -> Result<Missing, ClusterError> {
    let mut needed: BTreeMap<Right, Vec<(String, String)>> = BTreeMap::new();
    let mut missing = Missing::new();
    for (change, answer) in changes {
        let verbs: &[&'static str] = match change.action {
            Action::Create => &["create", "patch", "get"],
            Action::Update | Action::Conflict => &["patch", "get"],
            Action::Replace => &["delete", "create", "patch", "get"],
            Action::Delete | Action::Unchanged | Action::Keep => &[],
        };
        let object = &change.object;
        let Some(resource) = resources.get(&object.api_version, &object.kind) else { continue };
        let group = object.api_version.split_once('/').map_or("", |(group, _)| group).to_owned();
        let right = |verb, namespace: &Option<String>| {
            let (group, resource, namespace) = (group.clone(), resource.plural.clone(), namespace.clone());
            Right { verb, group, resource, namespace }
        };
        for verb in verbs {
            let of = needed.entry(right(verb, &object.namespace)).or_default();
            of.push((object.name.clone(), object.title()));
        }
        let refused = answer.and_then(|answer| answer.refusal.as_ref()).filter(|refusal| refusal.code == 403);
        if refused.is_some_and(|refusal| refusal.message.contains("RBAC permissions not currently held")) {
            let role = change.desired.and_then(|id| bundle.written(id).at(&["roleRef", "kind"])).and_then(View::str);
            let lacks = match role {
                Some(role) => {
                    Right { resource: format!("{}s", role.to_lowercase()), ..right("bind", &object.namespace) }
                }
                None => right("escalate", &object.namespace),
            };
            missing.entry(lacks).or_default().push(object.title());
        }
    }
    if needed.is_empty() || may(client, &everything(), None)? {
        return Ok(missing);
    }
    let needed: Vec<(Right, Vec<(String, String)>)> = needed.into_iter().collect();
    for answer in parallel(&needed, |(right, objects)| lacking(client, right, objects)) {
        if let Some((right, titles)) = answer? {
            missing.entry(right).or_default().extend(titles);
        }
    }
    Ok(missing)
}

fn everything() -> Right {
    let all = || "*".to_owned();
    Right { verb: "*", group: all(), resource: all(), namespace: None }
}

/// Rights may be given for all objects of a kind, or for single names.
fn lacking(
    client: &Client<'_>,
    right: &Right,
    objects: &[(String, String)],
) -> Result<Option<(Right, Vec<String>)>, ClusterError> {
    if may(client, right, None)? {
        return Ok(None);
    }
    let mut titles = Vec::new();
    for (name, title) in objects {
        // An object that is to be created has no name yet for the authorizer.
        if right.verb == "create" || !may(client, right, Some(name))? {
            titles.push(title.clone());
        }
    }
    Ok((!titles.is_empty()).then(|| (right.clone(), titles)))
}

/// Whether the server says yes; where it cannot be asked, nothing is said to be missing.
fn may(client: &Client<'_>, right: &Right, name: Option<&str>) -> Result<bool, ClusterError> {
    let attributes = json!({"verb": right.verb, "group": right.group, "resource": right.resource,
        "namespace": right.namespace, "name": name});
    let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes}});
    let body = review.to_string().into_bytes();
    let answer = client.send(&Request::with_body(Method::Post, REVIEW.to_owned(), "application/json", body))?;
    let json: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    Ok(!answer.is_ok() || json["status"]["allowed"] == true)
}
