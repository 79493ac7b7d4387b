//! Which pods belong to the present revision of a workload.

use super::status::{condition_is, group_kind};
use crate::yaml::View;

/// What a workload's controller has made for its present revision.
#[derive(Clone, Debug, Default)]
pub struct Owned<'a> {
    /// The ReplicaSet of a Deployment's present template; `None` until it is made, and for other kinds.
    pub replica_set: Option<View<'a>>,
    /// Pods of the present revision that are not being deleted, by name, numbers in order.
    pub pods: Vec<View<'a>>,
    /// A pod of an older revision that holds up the update of a StatefulSet.
    pub blocking: Option<View<'a>>,
}

/// Finds the pods of the present revision among the ReplicaSets and pods of the workload's namespace; a Pod owns
/// itself. Owners are told by uid, as the controllers do.
pub fn owned<'a>(workload: View<'a>, replica_sets: &[View<'a>], pods: &[View<'a>]) -> Owned<'a> {
    match group_kind(workload) {
        ("", "Pod") => Owned { pods: vec![workload], ..Owned::default() },
        ("apps", "Deployment") => {
            let replica_set = current_replica_set(workload, replica_sets);
            let pods = replica_set.map_or_else(Vec::new, |owner| controlled(owner, pods));
            Owned { replica_set, pods, blocking: None }
        }
        ("apps", "StatefulSet") => of_stateful_set(workload, pods),
        ("apps", "DaemonSet") => {
            let mut pods = controlled(workload, pods);
            // daemonset_util.go, IsPodUpdated: the server counts the changes of the template in an annotation.
            if let Some(generation) = annotation(workload, "deprecated.daemonset.template.generation") {
                pods.retain(|pod| label(*pod, "pod-template-generation").is_none_or(|of_pod| of_pod == generation));
            }
            Owned { pods, ..Owned::default() }
        }
        _ => Owned { pods: controlled(workload, pods), ..Owned::default() },
    }
}

fn meta<'a>(object: View<'a>, key: &str) -> Option<&'a str> {
    object.at(&["metadata", key])?.str()
}

fn label<'a>(object: View<'a>, key: &str) -> Option<&'a str> {
    object.at(&["metadata", "labels", key])?.str()
}

fn annotation<'a>(object: View<'a>, key: &str) -> Option<&'a str> {
    object.at(&["metadata", "annotations", key])?.str()
}

/// Objects that have this controller (meta/v1 `GetControllerOf`) and are not being deleted.
fn controlled<'a>(owner: View<'_>, objects: &[View<'a>]) -> Vec<View<'a>> {
    let Some(uid) = meta(owner, "uid") else { return Vec::new() };
    let is_owned = |object: &View<'a>| {
        let mut references = object.get("metadata").into_iter().flat_map(|meta| meta.list("ownerReferences"));
        references.any(|reference| reference.get_bool("controller") && reference.get_str("uid") == Some(uid))
            && meta(*object, "deletionTimestamp").is_none()
    };
    let mut found: Vec<View<'a>> = objects.iter().copied().filter(is_owned).collect();
    // By length first, so that `db-10` comes after `db-9`.
    found.sort_by_key(|object| meta(*object, "name").map(|name| (name.len(), name)));
    found
}

/// The oldest ReplicaSet with the Deployment's template (deployment_util.go, FindNewReplicaSet), else the one of the
/// revision that the controller wrote into the Deployment after it saw its present generation.
fn current_replica_set<'a>(deployment: View<'_>, replica_sets: &[View<'a>]) -> Option<View<'a>> {
    let template = deployment.at(&["spec", "template"])?;
    let owned = controlled(deployment, replica_sets);
    let same = owned.iter().filter(|set| set.at(&["spec", "template"]).is_some_and(|own| same_template(own, template)));
    let oldest = same.min_by_key(|set| (meta(**set, "creationTimestamp"), meta(**set, "name")));
    if let Some(oldest) = oldest {
        return Some(*oldest);
    }
    let revision = annotation(deployment, REVISION).filter(|_| is_seen(deployment))?;
    owned.into_iter().find(|set| annotation(*set, REVISION) == Some(revision))
}

const REVISION: &str = "deployment.kubernetes.io/revision";
const TEMPLATE_HASH: &str = "pod-template-hash";

fn is_seen(object: View<'_>) -> bool {
    let number = |keys: &[&str]| object.at(keys).and_then(View::int).unwrap_or(0);
    number(&["status", "observedGeneration"]) >= number(&["metadata", "generation"])
}

/// Equality of pod templates but for the label that the controller adds (deployment_util.go, EqualIgnoreHash).
fn same_template(of_set: View<'_>, of_deployment: View<'_>) -> bool {
    let same_field = |keys: &[&str]| match (of_set.at(keys), of_deployment.at(keys)) {
        (Some(one), Some(other)) => one.same(other),
        (None, Some(lone)) | (Some(lone), None) => lone.is_empty(),
        (None, None) => true,
    };
    let labels = |template: View<'_>| {
        let labels = template.get("metadata").into_iter().flat_map(|meta| meta.map("labels"));
        let labels = labels.filter(|(key, _)| *key != TEMPLATE_HASH);
        let mut labels: Vec<(String, String)> =
            labels.map(|(key, value)| (key.to_owned(), value.str().unwrap_or("").to_owned())).collect();
        labels.sort();
        labels
    };
    same_field(&["spec"]) && same_field(&["metadata", "annotations"]) && labels(of_set) == labels(of_deployment)
}

/// Pods by the revision label against `status.updateRevision`. Where pods start in order, the controller waits for an
/// older pod that is not ready before it replaces it (stateful_set_control.go, processReplica), for ever where the new
/// template is the cure.
fn of_stateful_set<'a>(set: View<'a>, pods: &[View<'a>]) -> Owned<'a> {
    let revision = set.at(&["status", "updateRevision"]).and_then(View::str).filter(|_| is_seen(set));
    let Some(revision) = revision else { return Owned::default() };
    let (pods, old): (Vec<_>, Vec<_>) = controlled(set, pods)
        .into_iter()
        .partition(|pod| label(*pod, "controller-revision-hash").is_none_or(|of_pod| of_pod == revision));
    let spec = |keys: &[&str]| set.get("spec").and_then(|spec| spec.at(keys)?.str());
    let in_order = spec(&["podManagementPolicy"]) != Some("Parallel");
    let is_rolling = spec(&["updateStrategy", "type"]) != Some("OnDelete");
    let blocking = old.into_iter().find(|pod| in_order && is_rolling && condition_is(*pod, "Ready", "True").is_none());
    Owned { replica_set: None, pods, blocking }
}
